"""The clock of a process: the canvas' time, which may run faster than real time.

All processes go by one clock, the database's: each knows how far its own is from it (`store/clock_check.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta


def _now() -> datetime:
    return datetime.now(UTC)


TOO_FAR = timedelta(minutes=1)
"""A process whose own clock is further from the database's admits no one and delivers nothing."""


class ClockOff(RuntimeError):
    """This process's clock is too far from the database's; the text is for people."""


@dataclass(slots=True)
class Skew:
    """How far the database's clock is ahead of this process's own. `told`: what was logged of it."""

    ahead: timedelta = timedelta(0)
    told: timedelta = timedelta(0)

    @property
    def too_far(self) -> bool:
        """Whether it is so far that something must be wrong."""
        return abs(self.ahead) > TOO_FAR


@dataclass(frozen=True)
class Clock:
    """Virtual time: `begins + (real - start) × scale`. With the scale 1, its default, it is real time.

    `start` is a real instant, `begins` the canvas' time at it: the same, unless the clock goes on from an earlier one.

    Everything that a canvas means by time goes by `now()`; it is translated where an alarm is handed to Temporal
    (`real`). Leases, retries and time-outs stay in real time: `span` says how much virtual time they are.

    Example:
        >>> clock = Clock(scale=43_200, start=datetime(2026, 12, 1, tzinfo=UTC))     # one day in two seconds
        >>> clock.real(clock.start + timedelta(days=3)) - clock.start
        datetime.timedelta(seconds=6)
    """

    scale: float = 1.0
    start: datetime = field(default_factory=_now)
    begins: datetime | None = None
    skew: Skew = field(default_factory=Skew, compare=False, repr=False)

    @property
    def real_time(self) -> bool:
        """Whether the canvas' time is the real one."""
        return self.scale == 1.0 and self._begins == self.start

    @property
    def _begins(self) -> datetime:
        return self.start if self.begins is None else self.begins

    def now(self) -> datetime:
        """The present instant in the canvas' time, UTC."""
        return self.virtual(self.present())

    def present(self) -> datetime:
        """The present real instant, on the clock that all processes share."""
        return self.own() + self.skew.ahead

    def own(self) -> datetime:
        """The present real instant on this process's own clock: for measurements alone."""
        return _now()

    def check(self) -> None:
        """Raise `ClockOff` where this process's clock is too far from the one that all share."""
        if self.skew.too_far:
            off = self.skew.ahead.total_seconds()
            raise ClockOff(
                f"the clock of this process is {abs(off):.0f} s {'behind' if off > 0 else 'ahead of'} the database's: "
                "it admits no one and delivers nothing until that is put right"
            )

    def virtual(self, at: datetime) -> datetime:
        """The canvas' time at a real instant."""
        return at if self.real_time else self._begins + (at - self.start) * self.scale

    def real(self, at: datetime) -> datetime:
        """The real instant at which the canvas' time is `at`."""
        return at if self.real_time else self.start + (at - self._begins) / self.scale

    def span(self, real: timedelta) -> timedelta:
        """How much of the canvas' time goes by in this much real time."""
        return real * self.scale
