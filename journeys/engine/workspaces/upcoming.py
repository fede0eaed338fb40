"""The occurrences of a canvas that are to come, as people look at them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from journeys.canvas.occurrences import ScheduledOccurrence, occurrences
from journeys.engine.core.life import runs_may
from journeys.engine.store.database import Database
from journeys.engine.workspaces.published import Publication

SHOWN = 10

LONG_AGO = timedelta(days=3)
"""What comes anywhere in the world from now on has a date on the wall that is less long ago."""

LAUNCHED = "select status, launched from canvases where workspace = $1 and name = $2"


@dataclass(frozen=True, slots=True)
class Upcoming:
    """An occurrence: what the clock on the wall shows, and from when to when it comes, UTC: in one zone and in the others."""

    wall: datetime
    first: datetime
    last: datetime

    def __str__(self) -> str:
        shown = f"{self.wall:%a %Y-%m-%d %H:%M}"
        if self.first == self.last:
            return f"{shown}  {self.first:%Y-%m-%d %H:%M} UTC"
        return f"{shown}  by each person's own clock, from {self.first:%Y-%m-%d %H:%M} to {self.last:%Y-%m-%d %H:%M} UTC"

    def as_json(self) -> Mapping[str, Any]:
        """The same for a program."""
        return {"wall": self.wall, "first": self.first, "last": self.last}


async def upcoming_of(db: Database, publication: Publication, canvas: str, now: datetime) -> list[Upcoming]:
    """The next ten occurrences of a canvas; none where its status lets no run come, or it has no schedule by the clock."""
    running = publication.running.get(canvas)
    row = await db.pool.fetchrow(LAUNCHED, publication.workspace, canvas)
    if running is None or row["launched"] is None or runs_may(row["status"]) == "end":
        return []
    schedule, since = running.plan.canvas.schedule, None
    if (
        schedule.every and schedule.times is None and now - row["launched"] > LONG_AGO
    ):  # their numbers are not shown
        since = ScheduledOccurrence(0, (now - LONG_AGO).replace(tzinfo=None))
    found = occurrences(schedule, publication.zone, row["launched"], now, since=since)
    return [Upcoming(each.wall, each.first, each.last) for each in islice(found, SHOWN)]
