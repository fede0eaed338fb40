"""Large objects as they are stored: they are read when somebody looks into them, and not where rows are loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

SMALL = 1024
"""Bytes of an object that is read at once."""

_decode = msgspec.json.Decoder().decode


class StoredObject(Mapping[str, Any]):
    """An object that is read as soon as it is looked into. To read a megabyte takes the event loop tens of milliseconds."""

    __slots__ = ("_raw", "_values", "size")

    def __init__(self, raw: bytes) -> None:
        self._raw, self.size = raw, len(raw)
        self._values: dict[str, Any] = {}

    def read(self) -> dict[str, Any]:
        """What is in it."""
        if self._raw:
            self._values, self._raw = _decode(self._raw), b""
        return self._values

    def __getitem__(self, name: str) -> Any:
        return self.read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.read())

    def __len__(self) -> int:
        return len(self.read())

    def __repr__(self) -> str:
        return repr(self.read())


def stored_object(raw: bytes) -> Any:
    """A value of the type `json`: a small one is read at once."""
    return StoredObject(raw) if len(raw) > SMALL and raw.startswith(b"{") else _decode(raw)


def plain(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """The object as a dictionary, read."""
    return given.read() if isinstance(given, StoredObject) else given


def unread(given: Mapping[str, Any]) -> int:
    """The bytes that are to be read where this is looked into."""
    return given.size if isinstance(given, StoredObject) else 0
