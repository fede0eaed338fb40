"""Spans, times of day, instants and zones as an author writes them. Values only; `wall_clock.py` has the arithmetic."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, WithJsonSchema

from journeys.canvas.problems import meant, nearest, wrong

UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}

_WORDS = re.compile(r"^\s*(\d{1,9}(?:\.\d{1,6})?)\s*([a-zA-Z]+)\s*$")
_ISO = re.compile(
    r"^(-?)P(?:(\d{1,6})W)?(?:(\d{1,6})D)?(?:T(?:(\d{1,7})H)?(?:(\d{1,8})M)?(?:(\d{1,9}(?:\.\d{1,6})?)S)?)?$"
)
_CLOCK = re.compile(r"^([01]?\d|2[0-3]):([0-5]\d)$")

LONGEST_SPAN = timedelta(days=36_525)
"""The longest span that can be written: a hundred years. Most uses have limits of their own below it."""
_BEYOND = 2 * LONGEST_SPAN.total_seconds()

FIRST_YEAR, LAST_YEAR = 1970, 2199
"""Instants that entries wait for lie in these years: servers' timers end after 292 years."""

LAST_VALUE_YEAR = 3000
"""Instants that values are compared with go to this year, as attributes do (ATT-6)."""


def span(text: Any) -> timedelta:
    """A span from `2 days`, `90 minutes`, `P2D` or `PT90M`. Days have 24 hours (DLY-1).

    Example:
        >>> span("90 minutes") == span("PT90M") == timedelta(hours=1.5)
        True
    """
    found = text if isinstance(text, timedelta) else _span(text)
    if abs(found) > LONGEST_SPAN:
        raise wrong("J403", f"{_said(text)} is too long", "a span is at most a hundred years")
    return found


def _span(text: Any) -> timedelta:
    if not isinstance(text, str):
        raise wrong(
            "J107", f"a span was expected, not {_said(text)}", "write “2 days”, “90 minutes” or “PT90M”"
        )
    match = _WORDS.match(text)
    if match:
        unit = match[2].lower()
        singular = unit[:-1] if unit.endswith("s") and unit != "s" else unit
        if singular in UNITS:
            return timedelta(seconds=min(float(match[1]) * UNITS[singular], _BEYOND))
        near = nearest(singular, UNITS)
        raise wrong(
            "J107",
            f"“{text}” has the unknown unit “{match[2]}”",
            f"did you mean “{near}s”?" if near else "use " + ", ".join(f"{u}s" for u in UNITS),
        )
    iso = _ISO.match(text.strip())
    if iso and any(iso.groups()[1:]):
        weeks, days_, hours_, minutes_, seconds_ = (float(each or 0) for each in iso.groups()[1:])
        found = timedelta(weeks=weeks, days=days_, hours=hours_, minutes=minutes_, seconds=seconds_)
        return -found if iso[1] else found
    raise wrong("J107", f"“{text}” is not a span", "write “2 days”, “90 minutes” or “PT90M”")


def spell(value: timedelta) -> str:
    """A span as an author would write it: the largest unit that goes into it."""
    seconds_ = value.total_seconds()
    for unit, length in reversed(UNITS.items()):
        if unit != "week" and seconds_ >= length and seconds_ % length == 0:
            count = int(seconds_ // length)
            return f"{count} {unit}" + ("" if count == 1 else "s")
    return f"{seconds_:g} seconds"


def _said(value: Any) -> str:
    return (
        f"“{value}”"
        if not isinstance(value, dict | list | tuple)
        else "a list"
        if not isinstance(value, dict)
        else "a mapping"
    )


Span = Annotated[
    timedelta,
    BeforeValidator(span),
    PlainSerializer(spell, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["2 days", "90 minutes", "PT90M"]}),
]


def _some(value: timedelta) -> timedelta:
    if value < timedelta(0):  # CTL-2
        raise wrong("J107", "the span must not be negative")
    return value


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise wrong("J107", "the span must be longer than zero")
    return value


SomeSpan = Annotated[Span, AfterValidator(_some)]
"""A span that may be nothing at all."""

LongSpan = Annotated[Span, AfterValidator(_positive)]
"""A span that is longer than nothing."""


def clock(value: Any) -> time:
    """A time of day from `"09:00"`, in quotes: a YAML 1.1 reader takes 18:00 without them for 1080."""
    if isinstance(value, time):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        hint = (
            f'write it in quotes: "{value // 60:02d}:{value % 60:02d}"'
            if 0 <= value < 1440
            else 'write it in quotes: "09:00"'
        )
        raise wrong("J107", f"a time of day stands in quotes; without them it is the number {value}", hint)
    match = _CLOCK.match(value.strip()) if isinstance(value, str) else None
    if not match:
        raise wrong(
            "J107", f"{_said(value)} is not a time of day", 'write hours and minutes in quotes: "09:00"'
        )
    return time(int(match[1]), int(match[2]))


TimeOfDay = Annotated[
    time,
    BeforeValidator(clock),
    PlainSerializer(lambda value: value.strftime("%H:%M"), return_type=str),
    WithJsonSchema({"type": "string", "pattern": _CLOCK.pattern, "examples": ["09:00"]}),
]


def instant(value: Any) -> datetime:
    """An instant in ISO 8601; without an offset it is read in the zone beside it, and kept without one."""
    found: datetime | None = None
    if isinstance(value, datetime):
        found = value
    elif isinstance(value, date):
        found = datetime(value.year, value.month, value.day)  # noqa: DTZ001 - local to the zone beside it
    elif isinstance(value, str):
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            found = None
    if found is None:
        hint = "write 2027-03-01T09:00, with an offset or a zone beside it"
        raise wrong("J107", f"{_said(value)} is not an instant", hint)
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise wrong(
            "J405",
            f"the year of {_said(value)} is out of bounds",
            f"write one from {FIRST_YEAR} to {LAST_YEAR}",
        )
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=None)


Instant = Annotated[
    datetime,
    BeforeValidator(instant),
    PlainSerializer(lambda value: value.isoformat(), return_type=str),
    WithJsonSchema({"type": "string", "examples": ["2027-03-01T09:00"]}),
]


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """All IANA names."""
    return frozenset(available_timezones())


def zone(value: Any) -> str:
    """`company`, `local` (the person's own) or an IANA name."""
    if isinstance(value, str) and (value in ("company", "local") or value in zone_names()):
        return str(value)
    hint = meant(str(value), ["company", "local", *(name for name in zone_names() if "/" in name)])
    raise wrong(
        "J106",
        f"{_said(value)} is not a time zone",
        hint if hint.startswith("did") else "company, local, or a name such as Europe/Paris",
    )


def _iana(value: Any) -> str:
    found = zone(value)
    if found in ("company", "local"):
        raise wrong("J106", f"“{found}” is not the name of a zone here", "write a name such as Europe/Paris")
    return found


Zone = Annotated[
    str,
    BeforeValidator(zone),
    WithJsonSchema({"type": "string", "examples": ["company", "local", "Europe/Paris"]}),
]
ZoneName = Annotated[
    str, BeforeValidator(_iana), WithJsonSchema({"type": "string", "examples": ["Europe/Paris"]})
]

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def seconds(count: float) -> timedelta:
    """A span of so many seconds."""
    return timedelta(seconds=count)


def minutes(count: float) -> timedelta:
    """A span of so many minutes."""
    return timedelta(minutes=count)


def hours(count: float) -> timedelta:
    """A span of so many hours."""
    return timedelta(hours=count)


def days(count: float) -> timedelta:
    """A span of so many days of 24 hours (DLY-1)."""
    return timedelta(days=count)


def weeks(count: float) -> timedelta:
    """A span of so many weeks."""
    return timedelta(weeks=count)
