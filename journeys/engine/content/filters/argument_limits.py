"""Limits of filters, and how they read their arguments: every number, text and list passes through here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from liquid.exceptions import FilterArgumentError

from journeys.engine.content.limits import DIGITS, ELEMENTS, TEXT, Exceeded, short, too_long
from journeys.engine.content.stringify import stringify

DECIMALS = 400
"""Decimal places of a text that are read as a number."""

_LARGEST = 10**DIGITS
_LEADING = re.compile(r"\s*([+-]?[0-9]+(?:_[0-9]+)*)")
_WHOLE = re.compile(r"\s*[+-]?[0-9]+(?:_[0-9]+)*\s*")
_FRACTION = re.compile(r"-?[0-9]+\.[0-9]+")


class WrongArgument(FilterArgumentError):
    """A filter cannot work with what it was given: the message is cancelled (E3)."""

    def __init__(self, message: str) -> None:
        super().__init__(message, token=None)


def whole(value: int) -> int:
    """A whole number that is to be kept. Raises `Exceeded`."""
    if -_LARGEST < value < _LARGEST:
        return value
    raise Exceeded(f"a number grows beyond {DIGITS} digits")


def kept(value: int | Decimal) -> int | float:
    """The result of arithmetic: decimals become floats (V9)."""
    if isinstance(value, int):
        return whole(value)
    real = float(value)
    if real != real or real in (float("inf"), float("-inf")):
        raise Exceeded("a number is too large")
    return real


def room(length: int) -> None:
    """Raises `Exceeded` where a text of this length is more than may be made."""
    if length > TEXT:
        raise too_long()


def text(value: str) -> str:
    """A text that is to be kept."""
    room(len(value))
    return value


def many(length: int) -> None:
    """Raises `Exceeded` where a list of this length is more than may be made."""
    if length > ELEMENTS:
        raise Exceeded(f"a list grows beyond {ELEMENTS:,} elements")


def elements(value: Any) -> list[Any]:
    """A value as a list: nested lists are flattened, nil is empty, everything else a list of one."""
    if isinstance(value, list | tuple):
        many(len(value))
        if any(isinstance(each, list | tuple) for each in value):
            flat: list[Any] = []
            _flatten(value, flat)
            return flat
        return list(value)
    if isinstance(value, range):
        return list(short(value))
    return [] if value is None else [value]


def _flatten(value: Sequence[Any], into: list[Any]) -> None:
    for each in value:
        if isinstance(each, list | tuple):
            _flatten(each, into)
        else:
            into.append(each)
    many(len(into))


def integer(value: Any) -> int:
    """A whole number from a number or the text of one. Raises `WrongArgument` for all else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    written = value if isinstance(value, str) else _said(value)
    if not _WHOLE.fullmatch(written) or len(written) > DIGITS:
        raise WrongArgument(f"“{written[:40]}” is not a whole number")
    return int(written)


def leading(written: str) -> int:
    """The whole number that a text begins with, or 0."""
    found = _LEADING.match(written)
    return 0 if found is None or len(found[1]) > DIGITS else int(found[1])


def number(value: Any) -> int | Decimal:
    """The number in a value (V9): text by its leading digits or as a whole decimal, an instant as Unix seconds."""
    if isinstance(value, bool):
        return 0
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return Decimal(repr(value))  # V9
    if isinstance(value, Decimal):
        return value
    if isinstance(value, str):
        bare = value.strip()
        if _FRACTION.fullmatch(bare):
            before, _, after = bare.partition(".")
            if len(before.removeprefix("-")) > DIGITS:
                return 0  # as of a whole number of so many digits
            return Decimal(f"{before}.{after[:DECIMALS]}")  # V9
        return leading(value)  # V9, DT5
    seconds = getattr(value, "timestamp", None)
    return int(seconds()) if seconds is not None else 0


def chosen(element: Any, key: Any) -> Any:
    """What an element of a list has under a key. Raises `WrongArgument` where it can have none."""
    if isinstance(element, Mapping):
        return element.get(key) if isinstance(key, str) else None
    if isinstance(element, str):
        return key if isinstance(key, str) and key in element else None
    if isinstance(element, int | range) and not isinstance(element, bool):
        raise WrongArgument(
            f"a {'number' if isinstance(element, int) else 'range'} has no “{stringify(key)[:40]}”"
        )
    return None


def indexable(element: Any) -> bool:
    """Whether an element can have keys at all."""
    return isinstance(element, Mapping | str | int) and not isinstance(element, bool)


def _said(value: Any) -> str:
    """What is wrong, for a message."""
    if isinstance(value, float | Decimal):
        return stringify(value)
    return "nil" if value is None else type(value).__name__
