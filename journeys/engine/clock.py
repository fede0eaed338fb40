"""The clock of a process: the canvas' time, which may run faster than real time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta


def _now() -> datetime:
    return datetime.now(UTC)


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

    @property
    def real_time(self) -> bool:
        """Whether the canvas' time is the real one."""
        return self.scale == 1.0 and self._begins == self.start

    @property
    def _begins(self) -> datetime:
        return self.start if self.begins is None else self.begins

    def now(self) -> datetime:
        """The present instant in the canvas' time, UTC."""
        return self.virtual(_now())

    def virtual(self, at: datetime) -> datetime:
        """The canvas' time at a real instant."""
        return at if self.real_time else self._begins + (at - self.start) * self.scale

    def real(self, at: datetime) -> datetime:
        """The real instant at which the canvas' time is `at`."""
        return at if self.real_time else self.start + (at - self._begins) / self.scale

    def span(self, real: timedelta) -> timedelta:
        """How much of the canvas' time goes by in this much real time."""
        return real * self.scale
