"""Limits of one rendering, so that a template affects only its own message (E4).

What a rendering uses is counted where it is used: passes of loops, output, the memory of variables, processor time. A filter's
own work is bounded by what it may take and give: ranges, lists, texts and numbers.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from liquid.exceptions import ResourceLimitError

from journeys.engine.content.stringify import stringify

SOURCE = 1024 * 1024
"""Characters of a template's source."""
TAGS = 20_000
"""Outputs and tags of a template."""
TOKENS = 10_000
"""Words, signs and spaces of one expression."""
NESTING = 30
"""Blocks within blocks, and texts rendered within texts."""
RANGE = 10_000
"""Elements of a range that a filter or a loop takes."""
ELEMENTS = 100_000
"""Elements of a list that a filter gives."""
TEXT = 1024 * 1024
"""Characters of a text that a filter or a `capture` gives."""
DIGITS = 64
"""Digits of a number that a filter gives."""
HELD = 16 * 1024 * 1024
"""Bytes of memory that a template's own variables may hold together, with what is within them."""
STRIDE = 32
"""How many nodes, filters and passes are processed between two checks of the clock."""

BULK = 2_000
"""Characters of a text, bytes of a variable; after work on what is longer, and on any list, the clock is looked at."""
FORMAT = 2_000
"""Characters of a date's format."""

_LARGEST = 10**DIGITS


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be set for each rendering: bytes of output, passes of all loops together, seconds of processor time.

    `portion`: characters or elements that one filter may take; where it is given more, the time counts as used up.
    """

    output: int = 1024 * 1024
    passes: int = 10_000
    seconds: float = 1.0
    portion: int = sys.maxsize


LIMITS = Limits()
"""The default. A channel may allow less output."""
BRIEF = Limits(seconds=0.1)
"""For the values of steps: they are rendered in a burst, and many entries wait for its end."""


class Exceeded(ResourceLimitError):
    """A rendering used more than it may."""

    def __init__(self, message: str) -> None:
        super().__init__(message, token=None)


class TimedOut(Exceeded):
    """A rendering took more processor time than it may (E4)."""

    def __init__(self) -> None:
        super().__init__("Liquid rendering timeout")


def too_long() -> Exceeded:
    """A text has grown too long."""
    return Exceeded(f"a text grows beyond {TEXT:,} characters")


def too_much_output(limit: int) -> Exceeded:
    """The output has grown too long."""
    return Exceeded(f"the output grows beyond {limit:,} bytes")


def weigh(value: Any, most: int) -> int:
    """The bytes that a value holds, with all that is within it; where it is more than `most`, something above that."""
    kind = value.__class__
    if kind is str:
        return sys.getsizeof(value)
    if kind is not list and kind is not dict and kind is not tuple:
        return 32
    total, open_ = 0, [value]
    while open_ and total <= most:
        value = open_.pop()
        kind = value.__class__
        if kind is list or kind is tuple:
            total += sys.getsizeof(value)
            open_.extend(value)
        elif kind is dict:
            total += sys.getsizeof(value)
            open_.extend(value.keys())
            open_.extend(value.values())
        else:
            total += sys.getsizeof(value, 32)
    return total


def short(value: Any) -> Any:
    """The value, unless it is a range too long to be gone through. Raises Exceeded."""
    if value.__class__ is range and value.stop - value.start > RANGE:
        raise Exceeded(f"a range of more than {RANGE:,} elements is used")
    return value


def _join(value: Any, glue: Any = " ", *_: Any) -> None:
    if isinstance(value, list | tuple) and len(value) * len(stringify(glue)) > TEXT:
        raise too_long()


def _replace(value: Any, old: Any, new: Any = "", *_: Any) -> None:
    text, old, new = stringify(value), stringify(old), stringify(new)
    if len(text) * len(new) <= TEXT:
        return
    times = text.count(old) if old else len(text) + 1
    if len(text) + times * (len(new) - len(old)) > TEXT:
        raise too_long()


def _round(_: Any, digits: Any = 0, *__: Any) -> None:
    if isinstance(digits, int | float) and abs(digits) > DIGITS:
        raise Exceeded(f"a number is rounded to more than {DIGITS} digits")


def _date(_: Any, form: Any = None, *__: Any) -> None:
    if isinstance(form, str) and len(form) > FORMAT:
        raise Exceeded(f"a date's format has more than {FORMAT:,} characters")


_BEFORE: Mapping[str, Callable[..., None]] = {
    "join": _join,
    "replace": _replace,
    "round": _round,
    "date": _date,
}
"""Checks before the call of filters that could exceed a limit before the result is checked."""
_GROWING = frozenset({"concat"})
"""Filters that give a list with the same elements many times over."""


def bounded(name: str, filter_: Callable[..., Any]) -> Callable[..., Any]:
    """The filter, which takes and gives what is within the limits only. Raises Exceeded otherwise.

    It takes the rendering as `context`, whose clock is looked at after work that may have been long.
    """
    before = _BEFORE.get(name)
    growing = name in _GROWING
    asking = getattr(filter_, "with_context", False)

    def call(value: Any, *given: Any, context: Any, **named: Any) -> Any:
        kind = value.__class__
        if kind is str:
            long = len(value) > BULK
        else:
            long = kind is list or kind is dict or kind is range
            if kind is range:
                short(value)
        if long and len(value) > context.limits.portion:
            raise TimedOut
        for each in given:
            kind = each.__class__
            if kind is range:
                short(each)
            elif kind is str and len(each) > BULK:
                long = True
        if asking:
            named["context"] = context
        if before is not None:
            before(value, *given)
        result = filter_(value, *given, **named)
        kind = result.__class__
        if kind is str:
            if len(result) > BULK:
                if len(result) > TEXT:
                    raise too_long()
                long = True
        elif kind is int:
            if not -_LARGEST < result < _LARGEST:
                raise Exceeded(f"a number grows beyond {DIGITS} digits")
        elif kind is list:
            if len(result) > ELEMENTS or (growing and weigh(result, HELD) > HELD):
                raise Exceeded(f"a list grows beyond {ELEMENTS:,} elements or {HELD:,} bytes")
            long = True
        elif kind is Decimal and result.adjusted() >= DIGITS:
            raise Exceeded(f"a number grows beyond {DIGITS} digits")
        if long:
            context.watch()
        return result

    call.__dict__.update(filter_.__dict__)
    call.__name__ = name
    call.with_context = True  # type: ignore[attr-defined]  # as liquid.filter.with_context says it
    call.__wrapped__ = filter_  # type: ignore[attr-defined]  # as functools.wraps names it
    return call
