"""Converts values to the type of their field, or refuses them (CAT-2, K5)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from journeys.canvas.written_instants import instant

LONGEST_VALUE = 5000
"""Characters that one value may have; objects and arrays as JSON."""

MOST_ELEMENTS = 100
DEEPEST = 50
NUMBER = re.compile(r"\s*-?\d+(\.\d+)?([eE][+-]?\d{1,3})?\s*")


class Refused(ValueError):
    """A value that a field cannot take. `code` is one that clients know (CAT-4); the text is for people."""

    def __init__(self, code: str, message: str) -> None:
        self.code, self.message = code, message
        super().__init__(message)


def coerced(type_: str, value: Any) -> Any:
    """The value as one of this type. Raises `Refused`.

    Example:
        >>> coerced("number", "12.50"), coerced("string", 7), coerced("boolean", "TRUE")
        (12.5, '7', True)
        >>> coerced("time", "2026-12-01T10:00:00+01:00")
        '2026-12-01T09:00:00.000+00:00'
    """
    made = _TYPES[type_](value)
    if made is None:  # CAT-2, K5
        raise Refused("unable-to-coerce-value", f"“{_shown(value)}” is not a value of type {type_}")
    text = made if isinstance(made, str) else msgspec.json.encode(made).decode()
    if len(text) > LONGEST_VALUE:  # CAT-2
        raise Refused(
            "items-too-large", f"a value has {len(text)} characters; at most {LONGEST_VALUE} are allowed"
        )
    if "\0" in text or "\\u0000" in text:
        raise Refused("unable-to-coerce-value", "a value contains the character U+0000")
    return made


def _string(value: Any) -> str | None:
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
    return None


def _number(value: Any) -> int | float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        if not NUMBER.fullmatch(value):
            return None
        value = float(value) if set(value) & set(".eE") else int(value)
    if isinstance(value, int):
        return value if abs(value) < 10**300 else None
    return value if isinstance(value, float) and math.isfinite(value) else None


def _boolean(value: Any) -> bool | None:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower())
    return value if isinstance(value, bool) else None


def _time(value: Any) -> str | None:
    found = value if isinstance(value, datetime) else instant(value)
    return None if found is None else found.isoformat(timespec="milliseconds")


def _object(value: Any) -> dict[str, Any] | None:
    value = _from_json(value)
    if not isinstance(value, dict):
        return None
    _check_object(value, 1)
    return value


def _check_object(value: Any, depth: int) -> None:
    if depth > DEEPEST:  # CAT-2
        raise Refused("too-deep-nesting-in-value-object", f"an object is more than {DEEPEST} levels deep")
    if isinstance(value, dict):
        for key, part in value.items():
            if not key or "." in key or "$" in key:
                said = f"the key “{key[:40]}”: keys of objects may contain neither “.” nor “$”"
                raise Refused("invalid-keys-in-value-object", said)
            _check_object(part, depth + 1)
    elif isinstance(value, list):
        for part in value:
            _check_object(part, depth + 1)


def _array(value: Any) -> list[str] | None:
    value = _from_json(value)
    if not isinstance(value, list):
        return None
    if len(value) > MOST_ELEMENTS:
        raise Refused(
            "items-too-large", f"an array has {len(value)} elements; at most {MOST_ELEMENTS} are allowed"
        )
    texts = [_string(each) for each in value]
    return [text for text in texts if text is not None] if None not in texts else None


def _from_json(value: Any) -> Any:
    """Files write objects and arrays as JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError):
        return None


_TYPES: Mapping[str, Any] = {
    "string": _string,
    "number": _number,
    "boolean": _boolean,
    "time": _time,
    "object": _object,
    "array": _array,
}


def _shown(value: Any) -> str:
    return str(value)[:60]


def patched(before: Any, change: Any) -> Any:
    """An array after `$add` and `$remove`, adding before removing; other changes are the value itself (CAT-3).

    Raises `Refused`.
    """
    if not isinstance(change, dict) or not set(change) & {"$add", "$remove"}:
        return coerced("array", change)
    if set(change) - {"$add", "$remove"}:
        raise Refused(
            "unable-to-coerce-value", "an array takes `$add` and `$remove`, and nothing beside them"
        )
    adds, gone = (coerced("array", change.get(name, [])) for name in ("$add", "$remove"))
    kept = [*(before or ()), *(each for each in adds if each not in (before or ()))]
    return coerced("array", [each for each in kept if each not in gone])
