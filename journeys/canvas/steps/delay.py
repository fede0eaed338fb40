"""The step `delay`: holds an entry for a span, to a calendar day, to an instant, or to the next of some weekdays."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from journeys.canvas.events_and_commands import (
    Answered,
    End,
    Entry,
    Event,
    Go,
    Outcome,
    Query,
    Wait,
    Woke,
    Zones,
    ZonesAnswer,
)
from journeys.canvas.frozen_model import Many
from journeys.canvas.problems import wrong
from journeys.canvas.steps.base import Here, Step
from journeys.canvas.times import Instant, LongSpan, TimeOfDay, Weekday, Zone
from journeys.canvas.wall_clock import at_time, localized, next_weekday, on_or_after, plus

LONGEST = timedelta(days=730)
"""The longest delay (X6)."""

FORMS = ("duration", "calendar_days", "until", "weekdays")


class Delay(Step):
    """Hold an entry for a while.

    ```yaml
    - {type: delay, id: settle, duration: 2 days}
    ```

    `duration` counts from the arrival, a day as 24 hours (DLY-1); with `at`, to the first such time of day at or
    after it (DLY-2). `calendar_days` counts days of the calendar (DLY-3, DLY-4). `until` is an instant: whoever comes
    later leaves the canvas (DLY-7). `weekdays` is the next of these days (DLY-9); who comes on the day itself after
    the time goes on at once (`when_passed: advance`) or waits for next week. `zone` is `company` (the default),
    `local`, or a name (DLY-5). As the last step it does not hold the entry (DLY-15).
    """

    type: Literal["delay"] = "delay"
    """This step type."""
    duration: LongSpan | None = None
    """So long from the arrival."""
    calendar_days: Annotated[int, Field(ge=0)] | None = None
    """So many days of the calendar."""
    until: Instant | None = None
    """To this instant; who comes later leaves."""
    weekdays: Annotated[Many[Weekday], Field(min_length=1, max_length=7)] | None = None
    """To the next of these weekdays."""
    at: TimeOfDay | None = None
    """The time of day; midnight for calendar days where it is left out."""
    zone: Zone = "company"
    """Whose clock it is: `company`, `local` (the person's), or the name of a zone."""
    when_passed: Literal["next_week", "advance"] = "next_week"
    """On one of the weekdays after the time: wait for next week, or go on at once."""

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        used = [form for form in FORMS if getattr(self, form) is not None]
        if len(used) != 1:
            said = " and ".join(used) if used else "none"
            raise wrong("J104", f"a delay has exactly one of {', '.join(FORMS)}; it has {said}", at=used[1:2])
        if (self.calendar_days or 0) > LONGEST.days or self.longest() > LONGEST:  # X6
            raise wrong("J403", "a delay is at most 730 days long", "split it into several", at=used)
        if self.weekdays is not None and self.at is None:
            raise wrong("J102", "a delay to a weekday needs a time of day", 'write at: "10:00"')
        if self.until is not None and self.at is not None:
            raise wrong("J104", "`until` includes the time of day; `at` cannot be used with it", at=("at",))
        return self

    def arrive(self, here: Here) -> Outcome:
        """Wait to the release, which is fixed on arrival (DLY-16)."""
        if here.last:  # DLY-15
            return Go()
        if self.duration is not None and self.at is None:
            return Wait(plus(here.now, self.duration))  # DLY-1
        if self.until is not None and self.until.tzinfo is not None:
            return self._hold(here, self.until)  # DLY-6
        return Query(Zones(), phase="zones")

    def hear(self, here: Here, event: Event) -> Outcome | None:
        """The zones are known, or the time has come."""
        match event:
            case Answered(answer=ZonesAnswer() as zones) if here.entry.phase == "zones":
                return self._hold(here, self.release(here.now, zones))  # DLY-16
            case Woke():
                return Go()
        return None

    def _hold(self, here: Here, release: datetime) -> Outcome:
        if release > here.now:
            return Wait(release)  # DLY-6, DLY-16
        if self.until is not None:
            return End("delay_passed")  # DLY-7
        return Go()

    def _zone(self, zones: ZonesAnswer) -> str:
        return {"company": zones.company, "local": zones.local}.get(self.zone, self.zone)  # DLY-5

    def release(self, arrival: datetime, zones: ZonesAnswer) -> datetime:
        """The instant of release of who arrives at this instant (both UTC)."""
        zone = self._zone(zones)
        if self.until is not None:
            return localized(self.until, zone)  # DLY-6
        if self.duration is not None:
            assert self.at is not None, "a plain duration needs no zone"
            return on_or_after(plus(arrival, self.duration), self.at, zone)  # DLY-2
        if self.calendar_days is not None:
            return at_time(arrival, self.calendar_days, self.at, zone)  # DLY-3
        assert self.weekdays is not None and self.at is not None, "the delay has no other form"
        # DLY-10
        return next_weekday(arrival, self.weekdays, self.at, zone, skip_today=self.when_passed == "next_week")

    def next_occurrence(self, entry: Entry, after: datetime, zones: ZonesAnswer) -> datetime | None:
        """See base class. An instant that has passed does not come again: who waited for it goes on."""
        if self.until is not None:
            return after
        if self.duration is not None and self.at is None:
            return None
        zone = self._zone(zones)
        if self.weekdays is not None:
            assert self.at is not None, "a delay to a weekday has a time of day"
            return next_weekday(after, self.weekdays, self.at, zone, skip_today=True)
        return on_or_after(after, self.at or time(0), zone)

    def latest(self, arrival: datetime) -> datetime:
        """See base class. An instant that is written without an offset comes last in the westernmost zone."""
        if self.until is None:
            return super().latest(arrival)
        return max(arrival, localized(self.until, "Etc/GMT+12"))

    def too_late(self, now: datetime) -> bool:
        """Whether it would hold an entry that arrives now for longer than a delay may (X6)."""
        return self.latest(now) > plus(now, LONGEST + timedelta(days=1))

    def longest(self) -> timedelta:
        """See base class; of a delay until an instant nothing is known."""
        day = timedelta(days=1)
        if self.duration is not None:
            return self.duration + (day if self.at else timedelta(0))
        if self.calendar_days is not None:
            return (self.calendar_days + 1) * day
        return 7 * day if self.weekdays is not None else timedelta(0)
