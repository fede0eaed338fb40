"""Finds halves of surrogate pairs in a JSON body, which cannot be stored: what holds one is set aside, and no other part."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from journeys.canvas.storable_characters import storable

_HALF = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A part of a body that cannot be used, and why."""

    reason: str


def set_aside(body: Any) -> Any:
    """The body with each such value `Unreadable`; of a value that is an array, each such element."""
    if not isinstance(body, Mapping):
        return body
    return {
        storable(name): [_usable(each) for each in value] if isinstance(value, list) else _usable(value)
        for name, value in body.items()
    }


def unreadable(body: Mapping[str, Any]) -> str:
    """Why such a body cannot be used as a whole; nothing where it can."""
    for name, value in body.items():
        for index, each in enumerate(value if isinstance(value, list) else (value,)):
            if isinstance(each, Unreadable):
                return (
                    f"{name}[{index}]: {each.reason}" if isinstance(value, list) else f"{name}: {each.reason}"
                )
    return ""


def _usable(value: Any) -> Any:
    reason = _reason(value, "")
    return Unreadable(reason) if reason else value


def _reason(value: Any, place: str) -> str:
    if isinstance(value, str):
        found = _HALF.search(value)
        said = f"half of a surrogate pair (U+{ord(found[0]):04X})" if found else ""
        return said and (f"'{place}' contains {said}" if place else f"it contains {said}")
    if isinstance(value, Mapping):
        for name, each in value.items():
            below = f"{place}.{storable(name[:40])}" if place else storable(name[:40])
            if reason := _reason(name, below) or _reason(each, below):
                return reason
    elif isinstance(value, list):
        return next((reason for each in value if (reason := _reason(each, place))), "")
    return ""
