"""The calls that a template can make while it is rendered, as an interface that the caller implements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import msgspec

from journeys.canvas.storable_characters import storable, storable_json
from journeys.engine.content.json_text import data_of

DEFAULT_REASON = "{% abort_message %} called"  # A3


class Aborted(Exception):
    """The template says that this message is not to leave (A1). Not a Liquid error: those may be swallowed."""

    code = "liquid_abort_message"
    """What the fact says, beside the reason (E5)."""

    def __init__(self, reason: str = DEFAULT_REASON) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Call:
    """A call to a web service, with all values filled in (liquid.md 4.3).

    `basic_auth` and `auth_credentials` name stored credentials. `max_age`: for how many seconds a 2XX reply may serve
    the next call too; None: it may not. `retry`: a failure is tried again later instead of being taken as it is (C3).
    """

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    basic_auth: str | None = None
    auth_credentials: str | None = None
    max_age: int | None = None
    retry: bool = False

    @property
    def content_type(self) -> str:
        """Of the body, as the headers say it."""
        return next((text for name, text in self.headers.items() if name.lower() == "content-type"), "")

    def with_body(self, body: str) -> Call:
        """The same with this body."""
        return replace(self, body=body)


@dataclass(frozen=True)
class Reply:
    """What came back. `status` 599: no connection or no answer in time; 598: not tried, the host fails too often (C6).

    `kind`: what the sender says it is. Where nothing is said, an object or a list in JSON is taken as that, anything else
    as text.
    """

    status: int
    text: str = ""
    kind: Literal["", "json", "text"] = ""

    @property
    def ok(self) -> bool:
        """Only 2XX replies count (C1)."""
        return 200 <= self.status < 300  # C1

    @cached_property
    def value(self) -> Any:
        """The data of a JSON reply, the text of any other; without characters that cannot be stored (V11)."""
        return storable(self.text) if self.is_text else self._data

    @cached_property
    def _data(self) -> Any:
        """The text itself where it is none. A mark of the byte order is no part of JSON."""
        written = self.text.removeprefix("\ufeff")
        if self.kind == "text" or (not self.kind and not written.lstrip().startswith(("{", "["))):
            return self.text
        try:
            return msgspec.json.decode(storable_json(written))  # C2, V11
        except msgspec.ValidationError:  # a number too large for any float
            return self._slowly(written)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            return self.text

    def _slowly(self, written: str) -> Any:
        try:
            return data_of(written)
        except (ValueError, RecursionError):
            return self.text

    @property
    def is_text(self) -> bool:
        """Whether it is printed where no variable is to hold it."""
        return self._data is self.text


@dataclass(eq=False)
class Retry(Exception):
    """The message waits for a web service: it is rendered again after a pause (C3). Never a Liquid error."""

    url: str
    status: int


class Services:
    """The answers for one message: all its fields share one of these. This one has nothing to give.

    `extras` are the pairs of `message_extras`, the first of a key wins (M2). `retry` is set where a call with `:retry`
    failed: once all is rendered, and nothing aborted, the message waits. `values` are those of the field that is being
    rendered.
    """

    def __init__(self) -> None:
        self.extras: dict[str, str] = {}
        self.retry: Retry | None = None
        self.values: Any = None

    async def connected(self, call: Call) -> Reply:
        """Make a call, or answer it from a cache. Raises `Aborted` for an unknown credential."""
        del call
        return Reply(599)

    async def items(self, catalog: str, ids: Sequence[str]) -> list[dict[str, Any]]:
        """The items of a catalog in the order asked for, without those that are unknown."""
        del catalog, ids
        return []

    async def selection(self, catalog: str, selection: str) -> list[dict[str, Any]]:
        """The items of a selection, 50 at most."""
        del catalog, selection
        return []

    async def cart(self, cart: str) -> dict[str, Any] | None:
        """A shopping cart; its `ordered` tells whether it was bought. None: there is none."""
        del cart
        return None

    def promotion(self, snippet: str) -> str | None:
        """The code that this message was charged. None: the list is empty, or there is none."""
        del snippet
        return None

    def block(self, name: str) -> str | None:
        """The source of a content block. None: there is none."""
        del name
        return None
