"""The arithmetic of wall clocks: zones, gaps and folds, times of day, weekdays. Pure; instants are UTC.

A time that a change of the clock skips is the first valid instant after it; one that comes twice is the first of
the two (ENT-10). Nothing overflows: what would pass the ends of the calendar stays at them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from journeys.canvas.times import WEEKDAYS, Weekday

EARLIEST, LATEST = datetime(1, 1, 10, tzinfo=UTC), datetime(9999, 12, 20, tzinfo=UTC)
"""The ends of the calendar, with room for every zone, a week, and the grace that wakes are given."""


def plus(at: datetime, span: timedelta) -> datetime:
    """The instant so much after another, or before it where the span is negative."""
    at = _bounded(at)
    return at + min(max(span, EARLIEST - at), LATEST - at)


def utc(at: datetime) -> datetime:
    """An instant with an offset, in UTC."""
    try:
        return _bounded(at.astimezone(UTC))
    except OverflowError:
        return EARLIEST if at.year == 1 else LATEST


def _bounded(at: datetime) -> datetime:
    return min(max(at, EARLIEST), LATEST)


@lru_cache(maxsize=1024)
def zone_of(name: str) -> ZoneInfo:
    """The zone of an IANA name."""
    return ZoneInfo(name)


def localized(wall: datetime, zone: str) -> datetime:
    """The instant at which the clock on the wall shows this in the zone."""
    if wall.tzinfo is not None:
        return utc(wall)
    tz = zone_of(zone)
    found = utc(wall.replace(tzinfo=tz, fold=0))  # ENT-10
    if found in (EARLIEST, LATEST):
        return found
    if found.astimezone(tz).replace(tzinfo=None) == wall:
        return found
    return _change_between(utc(wall.replace(tzinfo=tz, fold=1)), found, tz)  # ENT-10


def _change_between(before: datetime, after: datetime, tz: ZoneInfo) -> datetime:
    """The instant, to the second, at which the zone's offset changes: in a gap the two readings of a time enclose it."""
    low, high = 0, int((after - before).total_seconds())
    offset = before.astimezone(tz).utcoffset()
    while high - low > 1:
        middle = (low + high) // 2
        if (before + timedelta(seconds=middle)).astimezone(tz).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return (before + timedelta(seconds=high)).replace(microsecond=0)


def wall_of(at: datetime, zone: str) -> datetime:
    """What the clock on the wall shows at an instant, without a zone."""
    return _bounded(at).astimezone(zone_of(zone)).replace(tzinfo=None)


def on_day(day: date, at: time, zone: str) -> datetime:
    """The instant of a time of day on a day."""
    return localized(datetime.combine(day, at), zone)


def on_or_after(earliest: datetime, at: time, zone: str) -> datetime:
    """The first instant at or after `earliest` at which the clock shows this time of day (DLY-2)."""
    earliest = _bounded(earliest)
    day = wall_of(earliest, zone).date()
    found = on_day(day, at, zone)
    return found if found >= earliest else on_day(day + timedelta(days=1), at, zone)  # DLY-2


def at_time(arrival: datetime, days: int, at: time | None, zone: str) -> datetime:
    """So many calendar days after the arrival's, at a time of day (midnight where none is given; DLY-3, DLY-4)."""
    day = wall_of(arrival, zone).date()
    ahead = min(days, (LATEST.date() - day).days)  # DLY-3
    return on_day(day + timedelta(days=ahead), at or time(0), zone)  # DLY-4


def next_weekday(
    arrival: datetime, weekdays: Sequence[Weekday], at: time, zone: str, *, skip_today: bool
) -> datetime:
    """The next of these weekdays at this time (DLY-9).

    On the day itself before the time: that day. After it: next week's where `skip_today`, else the arrival (DLY-10).
    """
    arrival = _bounded(arrival)
    today = wall_of(arrival, zone).date()
    for ahead in range(8):
        day = today + timedelta(days=ahead)
        if WEEKDAYS[day.weekday()] not in weekdays:  # DLY-9
            continue
        found = on_day(day, at, zone)
        if found >= arrival:  # DLY-9
            return found
        if not skip_today:  # DLY-10
            return arrival
    raise AssertionError("one of the eight days from the arrival on is among the weekdays")
