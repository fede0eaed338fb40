"""How often the API was called: by key, route and hour, and how near each limit came to its end (LIM-3, RTE-1).

A process counts in memory and writes each few seconds: a process that is killed loses what it counted since.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from journeys.engine.logs import logger
from journeys.engine.store.database import Database

NEAR = 0.8
"""The share of a limit from which on it is warned of (RTE-1)."""

KEPT = timedelta(days=90)

WRITE = """
insert into api_usage as u (workspace, hour, key, endpoint, calls, refused)
select * from unnest($1::integer[], $2::timestamptz[], $3::text[], $4::text[], $5::bigint[], $6::bigint[])
on conflict (workspace, hour, key, endpoint) do update set
    calls = u.calls + excluded.calls, refused = u.refused + excluded.refused
"""
WRITE_PEAKS = """
insert into limit_peaks as p (workspace, hour, bucket, calls, used)
select * from unnest($1::integer[], $2::timestamptz[], $3::text[], $4::bigint[], $5::bigint[])
on conflict (workspace, hour, bucket) do update set
    calls = case when excluded.used * p.calls > p.used * excluded.calls then excluded.calls else p.calls end,
    used = case when excluded.used * p.calls > p.used * excluded.calls then excluded.used else p.used end
"""
CLEAR = "delete from api_usage where hour < clock_timestamp() - $1::interval"
CLEAR_PEAKS = "delete from limit_peaks where hour < clock_timestamp() - $1::interval"

READ = """
select hour, key, endpoint, calls, refused from api_usage
where workspace = $1 and hour >= $2 and ($3::text is null or key = $3)
order by hour desc, calls desc, key, endpoint
"""
READ_PEAKS = """
select hour, bucket, calls, used from limit_peaks where workspace = $1 and hour >= $2 order by hour desc, bucket
"""

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Used:
    """The calls of a key to a route within an hour, UTC. `refused`: those of them that were too many (429)."""

    hour: datetime
    key: str
    endpoint: str
    calls: int
    refused: int


@dataclass(frozen=True, slots=True)
class Peak:
    """The window of an hour in which a limit came nearest to its end: `used` of `calls` were given out."""

    hour: datetime
    bucket: str
    calls: int
    used: int

    @property
    def near(self) -> bool:
        """Whether that is to be warned of."""
        return self.used >= NEAR * self.calls  # RTE-1


class Usage:
    """What one process has counted and not yet written."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._calls: dict[tuple[int, datetime, str, str], list[int]] = {}
        self._peaks: dict[tuple[int, datetime, str], tuple[int, int]] = {}
        self._warned: dict[tuple[int, str], datetime] = {}

    def call(self, workspace: int, key: str, endpoint: str, *, refused: bool) -> None:
        """Count a call, by the name of its key."""
        counts = self._calls.setdefault((workspace, this_hour(), key, endpoint), [0, 0])
        counts[0] += 1
        counts[1] += refused

    def window(self, workspace: int, bucket: str, calls: int, used: int) -> None:
        """Note how many calls of a window have been given out. Warns once an hour of a limit that is nearly reached."""
        hour = this_hour()
        self._peak((workspace, hour, bucket), calls, used)
        if used >= NEAR * calls and self._warned.get((workspace, bucket)) != hour:  # RTE-1
            self._warned[workspace, bucket] = hour
            log.warning("limit_nearly_reached", workspace=workspace, limit=bucket, calls=calls, used=used)

    def _peak(self, window: tuple[int, datetime, str], calls: int, used: int) -> None:
        before = self._peaks.get(window, (1, 0))
        if used * before[0] > before[1] * calls:
            self._peaks[window] = calls, used

    async def write(self) -> None:
        """Write what was counted; it is counted again where the database does not take it."""
        counted, self._calls = self._calls, {}
        peaks, self._peaks = self._peaks, {}
        try:
            async with self._db.transaction() as connection:
                if counted:
                    rows = sorted((*key, *counts) for key, counts in counted.items())
                    await connection.execute(WRITE, *map(list, zip(*rows, strict=True)))
                if peaks:
                    rows_of_peaks = sorted((*key, *peak) for key, peak in peaks.items())
                    await connection.execute(WRITE_PEAKS, *map(list, zip(*rows_of_peaks, strict=True)))
        except BaseException:
            for key, counts in counted.items():
                now = self._calls.setdefault(key, [0, 0])
                now[0] += counts[0]
                now[1] += counts[1]
            for window, peak in peaks.items():
                self._peak(window, *peak)
            raise

    async def clear(self) -> None:
        """Forget what is older than ninety days."""
        await self._db.pool.execute(CLEAR, KEPT)
        await self._db.pool.execute(CLEAR_PEAKS, KEPT)


def this_hour() -> datetime:
    """The beginning of the present hour, UTC."""
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


async def usage_of(
    db: Database, workspace: int, since: datetime, key: str | None = None
) -> tuple[Sequence[Used], Sequence[Peak]]:
    """The calls of a workspace by hour, key and route, the last hour first; and its limits by hour."""
    calls = await db.pool.fetch(READ, workspace, since, key)
    peaks = await db.pool.fetch(READ_PEAKS, workspace, since)
    return [Used(**row) for row in calls], [Peak(**row) for row in peaks]
