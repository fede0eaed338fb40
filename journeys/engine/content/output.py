"""Buffers for output, which stop when the output exceeds its limit."""

from __future__ import annotations

from io import StringIO

from liquid.output import LimitedStringIO

from journeys.engine.content import limits
from journeys.engine.content.limits import Exceeded


class Buffer(LimitedStringIO):
    """The output of a tree: no more bytes than it may hold."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit, newline="")  # line ends stay as they are

    def write(self, text: str, /) -> int:
        """See base class. Raises Exceeded."""
        self.size += _bytes(text)
        if self.size > self.limit:
            raise limits.too_much_output(self.limit)
        return StringIO.write(self, text)


class Captured(StringIO):
    """A text within the output of a tree: no more characters than a text may have."""

    def __init__(self) -> None:
        super().__init__(newline="")
        self._size = 0

    def write(self, text: str, /) -> int:
        """See base class. Raises Exceeded."""
        self._size += len(text)
        if self._size > limits.TEXT:
            raise limits.too_long()
        return super().write(text)


class Parts(list[str]):
    """The same for a generated function. To add one costs nothing; now and then, and at the end, they are measured."""

    __slots__ = ("_measured", "limit", "size")

    def __init__(self, limit: int = limits.TEXT) -> None:
        super().__init__()
        self.limit = limit
        self.size = self._measured = 0

    def write(self, text: str) -> int:
        """Add a text, as a node of the tree does. Raises Exceeded."""
        self.append(text)
        self.measure()
        return len(text)

    def measure(self) -> None:
        """Raises Exceeded where there are more characters than there may be."""
        self.size += sum(map(len, self[self._measured :]))
        self._measured = len(self)
        if self.size > self.limit:  # E4
            raise self.exceeded()

    def look(self) -> None:
        """As `measure`, before a call is made: the tree would notice here, and make no call."""
        self.measure()

    def text(self) -> str:
        """All of it. Raises Exceeded."""
        self.measure()
        return "".join(self)

    def exceeded(self) -> Exceeded:
        """What is raised."""
        return limits.too_long()


class Output(Parts):
    """The whole output of a generated function, of which bytes are limited."""

    __slots__ = ("_bytes", "_looked")

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._bytes = self._looked = 0

    def look(self) -> None:
        """See base class."""
        self._bytes += sum(map(_bytes, self[self._looked :]))
        self._looked = len(self)
        if self._bytes > self.limit:
            raise self.exceeded()

    def text(self) -> str:
        """See base class."""
        text = super().text()
        if not text.isascii() and _bytes(text) > self.limit:
            raise self.exceeded()
        return text

    def exceeded(self) -> Exceeded:
        """See base class."""
        return limits.too_much_output(self.limit)


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))
