"""Counts the work of reading a template: lines of Python that run, and characters that are looked at in one go."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest

from journeys.engine.content import expression_tokens, html_comments, html_reading, scanner
from journeys.engine.content.tags import tag_words


class Tally:
    """The work so far."""

    def __init__(self) -> None:
        self.lines = 0
        self.characters = 0


class Source(str):
    """A source that counts the characters that are searched; those that are cut out of it are counted too."""

    __slots__ = ("tally",)
    tally: Tally

    def find(self, wanted: str, begin: int = 0, end: int = sys.maxsize) -> int:  # type: ignore[override]
        """See base class."""
        found = super().find(wanted, begin, end)
        self.tally.characters += (len(self) if found < 0 else found) - begin
        return found

    def __getitem__(self, place: Any) -> str:
        """See base class."""
        found = super().__getitem__(place)
        self.tally.characters += len(found)
        return found


class Pattern:
    """A pattern that counts the characters that it passes over."""

    def __init__(self, pattern: re.Pattern[str], tally: Tally) -> None:
        self._pattern, self._tally = pattern, tally

    def _counted(self, found: re.Match[str] | None, text: str, begin: int) -> re.Match[str] | None:
        self._tally.characters += (found.end() if found else len(text)) - begin
        return found

    def search(self, text: str, begin: int = 0) -> re.Match[str] | None:
        """See `re`."""
        return self._counted(self._pattern.search(text, begin), text, begin)

    def match(self, text: str, begin: int = 0) -> re.Match[str] | None:
        """See `re`."""
        found = self._pattern.match(text, begin)
        self._tally.characters += found.end() - begin if found else 1
        return found

    def fullmatch(self, text: str, begin: int = 0) -> re.Match[str] | None:
        """See `re`."""
        return self._counted(self._pattern.fullmatch(text, begin), text, begin)

    def sub(self, by: Callable[[re.Match[str]], str], text: str) -> str:
        """See `re`."""
        self._tally.characters += len(text)
        return self._pattern.sub(by, text)

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        """See `re`."""
        for found in self._pattern.finditer(text):
            self._tally.characters += found.end() - found.start()
            yield found


def work(do: Callable[[str], object], source: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """How much it is to do this with a source."""
    tally, counted = Tally(), Source(source)
    counted.tally = tally

    def trace(frame: FrameType, event: str, given: Any) -> Any:
        if event == "line":
            tally.lines += 1
        return trace

    before = sys.gettrace()
    with monkeypatch.context() as patched:
        for module in (scanner, expression_tokens, tag_words, html_comments, html_reading):
            for name, value in vars(module).items():
                if isinstance(value, re.Pattern):
                    patched.setattr(module, name, Pattern(value, tally))
        sys.settrace(trace)
        try:
            do(counted)
        finally:
            sys.settrace(before)
    return tally.lines + tally.characters
