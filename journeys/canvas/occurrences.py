"""When the clock lets people in: the words of a schedule by time, and the instants that they mean. Pure; no clock is read.

An occurrence is what the clock on the wall shows; in each zone that is an instant, by `wall_clock.localized`: a time
that is skipped is the first valid instant after it, one that comes twice is the first of the two (ENT-10).
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import takewhile
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from journeys.canvas.frozen_model import Frozen, Many
from journeys.canvas.problems import shown, wrong
from journeys.canvas.times import LAST_YEAR, WEEKDAYS, Instant, TimeOfDay, Weekday, Zone
from journeys.canvas.wall_clock import localized, utc, wall_of

MOST_TIMES = 30
"""The largest number of occurrences that a schedule can be limited to (ENT-1)."""

GRID = timedelta(minutes=5)
"""The instant of a launch is taken back to this grid (ENT-4)."""

EARLIEST_ZONE, LATEST_ZONE = "Etc/GMT-14", "Etc/GMT+12"
"""The zones in which a time of day comes first and last; every other zone lies between them."""

BY_CLOCK = ("at_launch", "once", "every")
"""The ways of letting people in by the clock."""


def _month_day(value: Any) -> int | str:
    if value == "last" or (isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 31):
        return value  # type: ignore[no-any-return]
    raise wrong("J103", f"{shown(value)} is not a day of a month", "write 1 to 31, or last")


MonthDay = Annotated[
    int | Literal["last"],
    BeforeValidator(_month_day),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1, "maximum": 31}, {"const": "last"}]}),
]


class Timetable(Frozen):
    """The part of a schedule that speaks of time: at launch, once, or again and again (ENT-1)."""

    at_launch: Literal[True] | None = None
    """When the canvas is launched, to the last five minutes before."""
    once: Instant | None = None
    """At one instant; of the clock in `zone` where it has no offset."""
    every: Literal["day", "week", "month"] | None = None
    """Again and again: each day, on weekdays of each week, or on days of each month."""
    weekdays: Annotated[Many[Weekday], Field(min_length=1, max_length=7)] | None = None
    """Of each week: on these weekdays."""
    days: Annotated[Many[MonthDay], Field(min_length=1, max_length=32)] | None = None
    """Of each month: on these days, 1 to 31 or `last`. One that a month lacks is its last."""
    at: TimeOfDay | None = None
    """At this time of day."""
    zone: Zone = "company"
    """Whose clock it is: `company`, `local` (the person's), or the name of a zone."""
    starts: Instant | None = None
    """From this instant on; of the clock in `zone` where it has no offset."""
    ends: Instant | None = None
    """Before this instant; of the clock in `zone` where it has no offset."""
    times: Annotated[int, Field(ge=1, le=MOST_TIMES, strict=True)] | None = None
    """So many occurrences and no more."""

    @model_validator(mode="after")
    def _in_time(self) -> Self:
        self._fits()
        self._complete()
        if self.zone == "local":
            for name in ("once", "starts", "ends"):
                written = getattr(self, name)
                if written is not None and written.tzinfo is not None:
                    message = f"`{name}` has an offset, so it is one instant everywhere, and no local time"
                    raise wrong("J107", message, "remove the offset, or write zone: company", at=(name,))
        if self.starts and self.ends and self.starts.tzinfo == self.ends.tzinfo and self.starts >= self.ends:
            raise wrong("J107", "the entry window ends before it starts", at=("ends",))
        return self

    def _fits(self) -> None:
        """Raises where a key stands beside a way of entry that it does not go with."""
        for name, (allowed, hint) in _BESIDE.items():
            default = type(self).model_fields[name].default
            if getattr(self, name) != default and self._way not in allowed:
                said = f"with `{self._way}`" if self._way != "another" else "here"
                raise wrong("J104", f"`{name}` cannot be used {said}", hint, at=(name,))

    def _complete(self) -> None:
        """Raises where a schedule that repeats does not say when."""
        if self.every == "week" and self.weekdays is None:
            raise wrong("J102", "a weekly schedule needs weekdays", "write weekdays: [monday]", at=("every",))
        if self.every == "month" and self.days is None:
            raise wrong("J102", "a monthly schedule needs days", "write days: [1, last]", at=("every",))
        if self.every is not None and self.at is None:
            raise wrong(
                "J102", "a schedule that repeats needs a time of day", 'write at: "09:00"', at=("every",)
            )

    @property
    def _way(self) -> str:
        """The way of letting people in by the clock, with how often it repeats; `another` where an event or the API does."""
        if self.every is not None:
            return f"every: {self.every}"
        return "once" if self.once is not None else "at_launch" if self.at_launch else "another"

    @property
    def by_clock(self) -> bool:
        """Whether the clock lets people in."""
        return self._way != "another"


_EVERY = ("every: day", "every: week", "every: month")
_BESIDE = {
    "weekdays": (("every: week",), "write every: week"),
    "days": (("every: month",), "write every: month"),
    "at": (_EVERY, "it is for `every`; `once` has the time of day in itself"),
    "zone": ((*_EVERY, "once"), "it is for `once` and `every`; remove it"),
    "starts": ((*_EVERY, "another"), "remove it"),
    "ends": ((*_EVERY, "another"), "remove it"),
    "times": (_EVERY, "it is for `every`; remove it"),
}
"""Which ways of entry a key goes with, and what is advised elsewhere."""


@dataclass(frozen=True, slots=True)
class ScheduledOccurrence:
    """One of the times at which a schedule lets people in: its number, from 1, and what the clock on the wall shows.

    `instant` is the same for everybody; None where it is each person's own clock (ENT-2).
    """

    no: int
    wall: datetime
    instant: datetime | None = None

    def at(self, zone: str) -> datetime:
        """When it comes for the people of this zone."""
        return localized(self.wall, zone) if self.instant is None else self.instant  # ENT-2, ENT-10

    @property
    def first(self) -> datetime:
        """When it comes in the zone where it comes first."""
        return self.at(EARLIEST_ZONE)

    @property
    def last(self) -> datetime:
        """When it comes in the zone where it comes last."""
        return self.at(LATEST_ZONE)


def occurrences(
    table: Timetable,
    company: str,
    launched: datetime,
    after: datetime | None = None,
    *,
    since: ScheduledOccurrence | None = None,
) -> Iterator[ScheduledOccurrence]:
    """The occurrences of a schedule from its launch on, in order, to the end of the last year; none where it has no clock.

    `company`: the name of the company's zone. Numbers and `times` count from the launch; one whose time has come in
    every zone before it is none (ENT-5), and one that is past in some zones counts for the others (ENT-8). With `after`
    only those that come somewhere later than it; with `since`, one of them, those after that one, found without those before.
    """
    launched = utc(launched)
    if table.every:
        found = _repeated(table, company, launched, since)
    else:
        found = _single(table, company, launched) if since is None else iter(())
    return (each for each in found if after is None or each.last > after)


def once_more(
    table: Timetable, company: str, launched: datetime, planned: ScheduledOccurrence
) -> ScheduledOccurrence | None:
    """An occurrence that was planned, as the schedule has it now: the company may have another zone. None: there is none."""
    before = ScheduledOccurrence(planned.no - 1, planned.wall - planned.wall.resolution)
    found = next(occurrences(table, company, launched, since=before if table.every else None), None)
    return found if found is not None and found.no == planned.no else None


def instants(
    table: Timetable, company: str, launched: datetime, zone: str, after: datetime | None = None
) -> Iterator[datetime]:
    """When the people of a zone are let in, from the launch on: each instant later than the one before it.

    An occurrence by each person's own clock whose time is past in this zone at the launch is left out (ENT-8).
    """
    launched, previous = utc(launched), after
    for each in occurrences(table, company, launched, after):
        at = each.at(zone)
        # ENT-8; the instant of a launch is up to five minutes before it: ENT-4
        here = each.instant is not None or at >= launched
        if here and (previous is None or at > previous):  # ENT-8
            yield at
            previous = at


def by_instant(occurrence: ScheduledOccurrence, zones: Iterable[str]) -> list[tuple[datetime, list[str]]]:
    """The instants of an occurrence in these zones, in order, each with its zones."""
    found: dict[datetime, list[str]] = {}
    for zone in sorted(set(zones)):
        found.setdefault(occurrence.at(zone), []).append(zone)
    return sorted(found.items())


def never_within(table: Timetable) -> bool:
    """Whether no occurrence lies between `starts` and `ends`, where they are times on the wall."""
    starts, ends = table.starts, table.ends
    if not table.every or starts is None or ends is None or starts.tzinfo or ends.tzinfo:
        return False
    before = takewhile(lambda wall: wall < ends, _walls(table, starts.date()))
    return not any(starts <= wall for wall in before)


def _single(table: Timetable, company: str, launched: datetime) -> Iterator[ScheduledOccurrence]:
    """The one occurrence of a schedule that does not repeat."""
    zone = _named(table, company)
    if table.at_launch:
        wall = wall_of(launched, company)
        instant = launched - (wall - wall.min) % GRID  # ENT-4
        yield ScheduledOccurrence(1, wall_of(instant, company), instant)
    elif table.once is not None:
        local = table.zone == "local"
        wall = table.once if table.once.tzinfo is None else wall_of(table.once, zone)
        found = ScheduledOccurrence(1, wall, None if local else localized(table.once, zone))  # ENT-2, ENT-10
        if found.last >= launched:  # ENT-5
            yield found


def _repeated(
    table: Timetable, company: str, launched: datetime, since: ScheduledOccurrence | None
) -> Iterator[ScheduledOccurrence]:
    """The occurrences of a schedule that repeats, of which those up to `since` are not walked through again."""
    zone, local = _named(table, company), table.zone == "local"
    no, previous = (0, None) if since is None else (since.no, since.instant)
    first = _first_day(table, zone, launched) if since is None else since.wall.date()
    for wall in _walls(table, first):
        if since is not None and wall <= since.wall:
            continue
        found = ScheduledOccurrence(no + 1, wall, None if local else localized(wall, zone))  # ENT-2, ENT-10
        if found.last < launched or _before(table.starts, found):  # ENT-5, ENT-1
            continue
        if table.ends is not None and not _before(table.ends, found):  # ENT-1
            return
        if found.instant is not None and found.instant == previous:  # a day that the zone skipped altogether
            continue
        if table.times is not None and no == table.times:  # ENT-1
            return
        no, previous = found.no, found.instant
        yield found


def _first_day(table: Timetable, zone: str, launched: datetime) -> date:
    """A day before which nothing comes: two before the launch, or that of `starts` where it is later."""
    day = wall_of(launched, LATEST_ZONE if table.zone == "local" else zone).date() - timedelta(days=2)
    if table.starts is None:
        return day
    written = table.starts if table.starts.tzinfo is None else wall_of(table.starts, zone)
    return max(day, written.date() - timedelta(days=2))


def _before(bound: datetime | None, found: ScheduledOccurrence) -> bool:
    """Whether an occurrence comes before a bound: by what the clock shows where the bound has no offset."""
    if bound is None:
        return False
    if bound.tzinfo is None:
        return found.wall < bound
    assert found.instant is not None, "with `zone: local` no bound has an offset"
    return found.instant < bound


def _named(table: Timetable, company: str) -> str:
    """The name of the zone whose clock counts; that of the company where it is each person's own."""
    return company if table.zone in ("company", "local") else table.zone


def _walls(table: Timetable, first: date) -> Iterator[datetime]:
    """What the clock shows at each occurrence from a day on, in order, whatever the zone."""
    assert table.at is not None, "a schedule that repeats has a time of day"
    days = _month_days(table, first) if table.every == "month" else _week_days(table, first)
    for day in days:
        yield datetime.combine(day, table.at)


def _week_days(table: Timetable, first: date) -> Iterator[date]:
    weekdays = WEEKDAYS if table.weekdays is None else table.weekdays
    day = first
    while day.year <= LAST_YEAR:
        if WEEKDAYS[day.weekday()] in weekdays:  # ENT-1
            yield day
        day += timedelta(days=1)


def _month_days(table: Timetable, first: date) -> Iterator[date]:
    assert table.days is not None, "a monthly schedule has days"
    for month in range(first.year * 12 + first.month - 1, (LAST_YEAR + 1) * 12):
        year, length = month // 12, monthrange(month // 12, month % 12 + 1)[1]
        chosen = {length if day == "last" else min(day, length) for day in table.days}  # ENT-1, ENT-3
        for day in sorted(chosen):
            found = date(year, month % 12 + 1, day)
            if found >= first:
                yield found
