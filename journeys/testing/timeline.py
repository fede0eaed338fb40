"""The timeline of a test: what is planned, in the order of its instants, and the clock that goes along with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from itertools import count

from journeys.canvas.times import span
from journeys.testing.memory import VirtualClock

Act = Callable[[], Awaitable[None]]
After = timedelta | str
Instant = datetime | str
CONSEQUENCE, SCRIPT, RUN = 0, 1, 2
"""At one instant, what follows from earlier things comes before what people do, and the clock lets people in last."""


class Timeline:
    """What is to happen. In an outage, consequences and runs wait for its end; what people do does not."""

    def __init__(self, starts: datetime) -> None:
        self.starts = starts
        self.clock = VirtualClock(datetime.min.replace(tzinfo=UTC))
        self.outages: list[tuple[datetime, datetime]] = []
        self._agenda: list[tuple[datetime, int, int, Act]] = []
        self._places = count()

    def plan(self, at: datetime, act: Act, rank: int = CONSEQUENCE) -> None:
        """Let something happen at an instant."""
        heappush(self._agenda, (at, rank, next(self._places), act))

    async def run(self, until: datetime | None = None) -> None:
        """Let everything happen that is planned, and what follows from it, up to an instant (None: to the end)."""
        while self._agenda and (until is None or self._agenda[0][0] <= until):
            at, rank, _, act = heappop(self._agenda)
            if rank != SCRIPT:
                back = next((end for start, end in self.outages if start <= at < end), None)
                if back is not None:
                    self.plan(back, act, rank)
                    continue
            self.clock.turn(at)
            await act()
        if until is not None:
            self.clock.turn(until)

    def moment(self, after: After | None, at: Instant | None) -> datetime:
        """The instant that is so long after the start, or this one."""
        if after is not None and at is not None:
            raise TypeError("either `after` or `at`")
        if at is not None:
            return instant(at)
        return self.starts if after is None else self.starts + _span(after)

    def end(self, until: Instant | After) -> datetime:
        """The instant that is meant by an instant, or by a span after the start."""
        written = isinstance(until, str) and until[:4].isdigit() and "-" in until
        return instant(until) if isinstance(until, datetime) or written else self.moment(until, None)  # type: ignore[arg-type]


def instant(given: Instant) -> datetime:
    """An instant from its text; one without an offset is in UTC."""
    found = datetime.fromisoformat(given) if isinstance(given, str) else given
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _span(after: After) -> timedelta:
    return -span(after[1:].strip()) if isinstance(after, str) and after.startswith("-") else span(after)
