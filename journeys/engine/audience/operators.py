"""The operators of filters. A value of another type does not match; it is never an error (CTX-25, EXT-3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from journeys.canvas.regular_expressions import search
from journeys.canvas.wall_clock import plus, utc
from journeys.canvas.written_instants import instant

Test = Callable[[Any, Any, datetime], bool]


def number(value: Any) -> bool:
    """Whether it is a number; true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def same(left: Any, right: Any) -> bool:
    """Equal, and of one type: the text "5" is not the number 5 (EXT-3)."""
    if number(left) and number(right):  # EXT-3
        return bool(left == right)
    return type(left) is type(right) and bool(left == right)  # EXT-3


def time_of(value: Any) -> datetime | None:
    """An instant from a value of the profile, UTC where it names no zone (ATT-6); None where it is none."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else utc(value)
    if isinstance(value, str) and (len(value) >= len("2026-01-01") or "/" in value):
        return instant(value)
    return None


def _ordered(compare: Callable[[Any, Any], bool]) -> Test:
    def test(left: Any, right: Any, now: datetime) -> bool:
        del now
        if number(left) and number(right):
            return compare(left, right)
        times = time_of(left), time_of(right)
        if times[0] is not None and times[1] is not None:
            return compare(*times)
        return isinstance(left, str) and isinstance(right, str) and compare(left, right)

    return test


def _instants(compare: Callable[[datetime, datetime], bool]) -> Test:
    def test(left: Any, right: Any, now: datetime) -> bool:
        del now
        times = time_of(left), time_of(right)
        return times[0] is not None and times[1] is not None and compare(times[0], times[1])

    return test


def _contains(left: Any, right: Any, now: datetime) -> bool:
    del now
    if isinstance(left, str):
        return isinstance(right, str) and right.lower() in left.lower()
    return isinstance(left, list | tuple) and any(same(each, right) for each in left)


def _text(compare: Callable[[str, str], bool]) -> Test:
    def test(left: Any, right: Any, now: datetime) -> bool:
        del now
        return isinstance(left, str) and isinstance(right, str) and compare(left, right)

    return test


def _within_last(left: Any, right: Any, now: datetime) -> bool:
    at = time_of(left)
    return at is not None and isinstance(right, timedelta) and plus(now, -right) <= at <= now


def _within_next(left: Any, right: Any, now: datetime) -> bool:
    at = time_of(left)
    return at is not None and isinstance(right, timedelta) and now <= at <= plus(now, right)


_at_least, _at_most = _ordered(lambda a, b: bool(a >= b)), _ordered(lambda a, b: bool(a <= b))

TESTS: Mapping[str, Test] = {
    "equals": lambda left, right, _now: same(left, right),
    "one_of": lambda left, right, _now: any(same(left, each) for each in right),
    "more_than": _ordered(lambda a, b: bool(a > b)),
    "less_than": _ordered(lambda a, b: bool(a < b)),
    "at_least": _at_least,
    "at_most": _at_most,
    "between": lambda left, right, now: _at_least(left, right[0], now) and _at_most(left, right[1], now),
    "contains": _contains,
    "starts_with": _text(lambda a, b: a.lower().startswith(b.lower())),
    "ends_with": _text(lambda a, b: a.lower().endswith(b.lower())),
    "matches": _text(lambda text, pattern: search(pattern, text)),
    "before": _instants(lambda a, b: a < b),
    "after": _instants(lambda a, b: a > b),
    "within_last": _within_last,
    "within_next": _within_next,
}
"""The operators that hold of any one of several values; their negations hold of none (CTX-25)."""


def holds(operator: str, values: Sequence[Any], operand: Any, now: datetime) -> bool:
    """Whether the condition holds of the values that a path leads to.

    `equals` and its kin match if any of the values does; `not_equals` and `none_of` if none does (CTX-25).
    """
    there = [value for value in values if value is not None]
    match operator:
        case "exists":
            return bool(there) is operand
        case "not_equals":
            # CTX-25
            return not any(same(value, operand) for value in _spread(values if operand is None else there))
        case "none_of":
            return not any(same(value, each) for value in _spread(there) for each in operand)  # CTX-25
        case "equals" if operand is None:
            return not there
        case "contains":
            return any(TESTS["contains"](value, operand, now) for value in there)
        case "equals" | "one_of":
            return any(TESTS[operator](value, operand, now) for value in _spread(there))  # CTX-25
    return any(TESTS[operator](value, operand, now) for value in there)


def _spread(values: Sequence[Any]) -> list[Any]:
    """The values, and the elements of those that are lists."""
    found: list[Any] = []
    for value in values:
        found.append(value)
        if isinstance(value, list | tuple):
            found.extend(value)
    return found


def lookup(data: Mapping[str, Any], path: str) -> list[Any]:
    """All values that a path leads to: `a.b`, `a[].b` for any element, `"a.b".c` for a name with a dot (NST-8)."""
    nodes: list[Any] = [data]
    for name, spread in parts(path):
        following: list[Any] = []
        for node in nodes:
            if isinstance(node, Mapping) and name in node:
                value = node[name]
                following.extend(value if spread and isinstance(value, list | tuple) else [value])  # NST-8
        nodes = following
    return nodes


def parts(path: str) -> list[tuple[str, bool]]:
    """The names of a path, each with whether it goes on to any element of a list."""
    found: list[tuple[str, bool]] = []
    rest = path
    while rest:
        if rest.startswith('"') and '"' in rest[1:]:
            name, _, rest = rest[1:].partition('"')
        else:
            ends = [place for place in (rest.find("."), rest.find("[]")) if place >= 0]
            end = min(ends, default=len(rest))
            name, rest = rest[:end], rest[end:]
        spread = rest.startswith("[]")
        rest = rest[2:] if spread else rest
        rest = rest.removeprefix(".")
        found.append((name, spread))
    return found
