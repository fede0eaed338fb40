"""The audience of an API call: a filter of this language, or a connected audience of other clients (SND-11)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec
from pydantic import ValidationError

from journeys.canvas.filters import ContextFilter, Filter, SegmentFilter
from journeys.canvas.frozen_model import is_liquid, texts
from journeys.canvas.never_matching import never_matching
from journeys.engine.entries.audience_reading import FILTER
from journeys.engine.people.attributes import fits

DEEPEST = 20

LARGEST = 50 * 1024
"""Bytes that an audience may have, as JSON."""

MOST_PARTS = 500
"""Filters, conditions and operands that are objects, in all."""

MOST_PATTERNS = 10

LONGEST_TOLD = 60
"""Characters of a text that are told of it."""

SIMPLE: Mapping[str, str] = {
    "equals": "equals",
    "not_equal": "not_equals",
    "does_not_equal": "not_equals",
    "matches_regex": "matches",
    "includes_value": "contains",
    "greater_than": "more_than",
    "greater_than_or_equal_to": "at_least",
    "less_than": "less_than",
    "less_than_or_equal_to": "at_most",
    "before": "before",
    "after": "after",
}
"""Comparisons with an operator of this language."""


MOST_DAYS = 1_000_000


class UnusableAudience(ValueError):
    """An audience that says nothing that we understand; the text says where."""


def audience_of(given: Any, *, now: datetime, segments: Mapping[str, Any]) -> Filter | None:
    """The filter that an `audience` means; None where there is none.

    `now` is what "days ago" count from, `segments` are those of the workspace. Raises `UnusableAudience`.
    """
    if given is None or given == {}:
        return None
    _check_size(given)
    try:
        found: Filter = FILTER.validate_python(_ours(given, now, 0))
    except ValidationError as error:
        first = error.errors()[0]
        raise UnusableAudience(str(first["msg"]).removeprefix("Value error, ")) from error
    for each in _within(found):
        if isinstance(each, SegmentFilter) and each.segment not in segments:
            known = ", ".join(sorted(segments)) or "none"
            raise UnusableAudience(f"there is no segment “{each.segment}”; known: {known}")
        if isinstance(each, ContextFilter):  # CTX-14
            raise UnusableAudience("an audience cannot look at the context of an entry (CTX-14)")
    for text in texts(found.model_dump(mode="json"), ()).values():
        if is_liquid(text):
            raise UnusableAudience(
                f"Liquid is not run in an audience, and “{text[:LONGEST_TOLD]}” stays as it is: write plain text"
            )
    for fault in never_matching(found):
        if not fault.warning:
            raise UnusableAudience(f"{fault.message}: {fault.hint}")
    return found


def _check_size(given: Any) -> None:
    """Raises `UnusableAudience` for more than one call may ask for: everybody is judged by all of it."""
    try:
        size = len(msgspec.json.encode(given))
    except (RecursionError, OverflowError, ValueError):
        raise UnusableAudience("it lies too deep, or a number in it is too large") from None
    if size > LARGEST:
        raise UnusableAudience(f"it is larger than {LARGEST // 1024} KB")
    if not fits(given):
        raise UnusableAudience(
            "it contains the character U+0000 or a number that is too large, or lies too deep"
        )
    parts, patterns, open_ = 0, 0, [given]
    while open_:
        one = open_.pop()
        if isinstance(one, Mapping):
            parts += 1
            patterns += "matches" in one or "regex" in str(one.get("comparison"))
        if isinstance(one, Mapping | list):
            open_ += one.values() if isinstance(one, Mapping) else one
    if parts > MOST_PARTS:
        raise UnusableAudience(f"it has more than {MOST_PARTS} filters and conditions")
    if patterns > MOST_PATTERNS:
        raise UnusableAudience(f"it has more than {MOST_PATTERNS} patterns")


def _within(what: Any) -> Iterator[Any]:
    yield what
    for name in ("all", "any", "none"):
        for each in getattr(what, name, None) or ():
            yield from _within(each)


def _ours(given: Any, now: datetime, depth: int) -> Any:
    """The same in our language; what is in it already stays as it is."""
    if depth > DEEPEST:
        raise UnusableAudience(f"filters may be nested at most {DEEPEST} levels deep")
    match given:
        case {"AND": list() as several, **rest} if not rest and several:
            return {"all": [_ours(each, now, depth + 1) for each in several]}  # SND-12
        case {"OR": list() as several, **rest} if not rest and several:
            return {"any": [_ours(each, now, depth + 1) for each in several]}  # SND-12
        case {"custom_attribute": Mapping() as said, **rest} if not rest:
            return _attribute(said, now)
        case {"email_subscription_status": Mapping() as said, **rest} if not rest:
            return _consent("email", said)
        case {"push_subscription_status": Mapping() as said, **rest} if not rest:
            return _consent("push", said)
        case {"last_used_app": _}:
            raise UnusableAudience("the filter last_used_app is not supported yet")
        case {"AND": _} | {"OR": _}:
            raise UnusableAudience("AND and OR take a list of filters, and nothing beside them")
    return given


def _consent(channel: str, said: Mapping[str, Any]) -> dict[str, Any]:
    operator = {"is": "equals", "is_not": "not_equals"}.get(str(said.get("comparison")))
    if operator is None or said.get("value") is None:
        raise UnusableAudience(f"{channel}_subscription_status has 'comparison': is or is_not, and 'value'")
    return {"consent": channel, operator: said["value"]}  # SND-11


def _attribute(said: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    name, comparison, value = said.get("custom_attribute_name"), said.get("comparison"), said.get("value")
    if not isinstance(name, str) or not name:
        raise UnusableAudience("a custom_attribute filter needs 'custom_attribute_name'")
    path = f'"{name}"' if "." in name or "[" in name else name
    comparison = str(comparison)
    if comparison in SIMPLE:
        return {"attribute": path, SIMPLE[comparison]: value}  # SND-11
    make = OTHERS.get(comparison)
    if make is None:
        known = ", ".join(sorted({*SIMPLE, *OTHERS}))
        raise UnusableAudience(f"“{comparison}” is not a comparison of {name}; known: {known}")
    return make(path, value, now)


def _days(path: str, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST_DAYS:
        raise UnusableAudience(f"{path}: a number of days was expected, not “{value}”")
    return f"{value:g} days"


OTHERS: Mapping[str, Callable[[str, Any, datetime], dict[str, Any]]] = {
    "exists": lambda path, _value, _now: {"attribute": path, "exists": True},
    "does_not_exist": lambda path, _value, _now: {"attribute": path, "exists": False},
    "does_not_include_value": lambda path, value, _now: {"none": [{"attribute": path, "contains": value}]},
    "does_not_match_regex": lambda path, value, _now: {
        "all": [{"attribute": path, "exists": True}, {"none": [{"attribute": path, "matches": value}]}]
    },
    "less_than_x_days_ago": lambda path, value, _now: {"attribute": path, "within_last": _days(path, value)},
    "greater_than_x_days_ago": lambda path, value, now: {
        "all": [
            {"attribute": path, "before": now.isoformat()},
            {"none": [{"attribute": path, "within_last": _days(path, value)}]},
        ]
    },
    "less_than_x_days_in_the_future": lambda path, value, _now: {
        "attribute": path,
        "within_next": _days(path, value),
    },
    "greater_than_x_days_in_the_future": lambda path, value, now: {
        "all": [
            {"attribute": path, "after": now.isoformat()},
            {"none": [{"attribute": path, "within_next": _days(path, value)}]},
        ]
    },
}
"""Comparisons that become several filters of this language."""
