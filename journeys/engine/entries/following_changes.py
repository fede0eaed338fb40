"""Applies a change of a canvas to its entries: after a resume those that were due are woken, an archive ends them.

`core/life.py` decides what a change means when an entry is read; this file makes sure that it is read soon. It works in
pages, in the command that makes the change and, if that dies, in the housekeeping of any process.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Any
from uuid import UUID

from journeys.engine.clock import Clock
from journeys.engine.entries.burst import Bursts
from journeys.engine.entries.burst_calls import Call
from journeys.engine.logs import logger
from journeys.engine.people.profiles import lock
from journeys.engine.ports import AlarmSync, PendingAlarm
from journeys.engine.store.database import PASSING, Database
from journeys.engine.store.entry_writes import PENDING_ALARM

PAGE = 200
"""How many people are locked at once."""

SOON = timedelta(minutes=1)
"""Entries that are due within this real time are woken as well: clocks differ, and one nudge too many costs a burst."""

NOBODY = UUID(int=0)

FOLLOWS = "select pg_advisory_xact_lock(hashtextextended('canvas change ' || $1::int || ' ' || $2::text, 0))"
FOLLOWED = (
    "select pg_try_advisory_xact_lock(hashtextextended('canvas change ' || $1::int || ' ' || $2::text, 0))"
)
STANDS = "select status, change from canvases where workspace = $1 and name = $2 and settled < change"
UNSETTLED = "select workspace, name from canvases where settled < change order by workspace, name limit 20"
SETTLED = "update canvases set settled = $3 where workspace = $1 and name = $2 and settled < $3"
SLEPT = """
from entries e where e.workspace = $1 and e.canvas = $2 and e.ended is null and (e.alarm_at is null or e.alarm_at <= $3
    or exists (select from inbox i where (i.workspace, i.person, i.entry) = (e.workspace, e.person, e.id)))
"""
PEOPLE = f"select e.person {SLEPT} and e.person > $4 group by e.person order by e.person limit {PAGE}"
WAKE = f"""
with woken as (
    update entries t set turn = t.turn + 1, moved = clock_timestamp(),
        told = case when t.alarm = t.id then t.told else 0 end, alarm = t.id
    from (select e.workspace, e.person, e.id {SLEPT} and e.person = any($4::uuid[])) s
    where (t.workspace, t.person, t.id) = (s.workspace, s.person, s.id) returning t.*)
select {PENDING_ALARM} from woken
"""  # noqa: S608 - constants
INSIDE = f"""
select e.person, array_agg(e.alarm) as alarms from entries e
where e.workspace = $1 and e.canvas = $2 and e.ended is null and e.person > $3 group by e.person order by e.person limit {PAGE}
"""  # noqa: S608 - constants

Progress = Callable[[int], None]

log = logger(__name__)


class FollowingChanges:
    """Applies changes of canvases. `bursts` ends the entries of an archived one."""

    def __init__(self, db: Database, bursts: Bursts, clock: Clock, alarm_sync: AlarmSync) -> None:
        self._db = db
        self._bursts = bursts
        self._clock = clock
        self._alarm_sync = alarm_sync

    async def unsettled(self) -> int:
        """See to the canvases that nobody sees to at this moment; returns how many entries that concerned."""
        count = 0
        for row in await self._db.pool.fetch(UNSETTLED):
            count += await self.follow(row["workspace"], row["name"], wait=False)
        return count

    async def follow(
        self, workspace: int, canvas: str, *, wait: bool = True, progress: Progress = lambda _: None
    ) -> int:
        """See to those inside a canvas after its last change; returns how many entries that concerned.

        One process at a time does it: another one waits, or with `wait=False` leaves it to that one.
        """
        async with self._db.transaction() as alone:
            if wait:
                await alone.execute(FOLLOWS, workspace, canvas)
            elif not await alone.fetchval(FOLLOWED, workspace, canvas):
                return 0
            row = await alone.fetchrow(STANDS, workspace, canvas)
            if row is None:
                return 0
            count = 0
            if row["status"] == "active":
                count = await self._wake(workspace, canvas, progress)
            elif row["status"] == "archived":
                count = await self._end(workspace, canvas, progress)  # STA-1
            await self._db.pool.execute(SETTLED, workspace, canvas, row["change"])
            return count

    async def _wake(self, workspace: int, canvas: str, progress: Progress) -> int:
        """Nudge those whose alarm rang while the canvas was stopped or paused, or who have something to hear."""
        after, count = NOBODY, 0
        due = self._clock.now() + self._clock.span(SOON)
        while True:
            rows = await self._db.pool.fetch(PEOPLE, workspace, canvas, due, after)
            if not rows:
                return count
            people = [row["person"] for row in rows]
            async with self._db.transaction() as connection:
                await lock(connection, workspace, people)
                woken: list[Any] = await connection.fetch(WAKE, workspace, canvas, due, people)
            self._alarm_sync.sync([PendingAlarm(*one) for one in woken])
            after, count = people[-1], count + len(woken)
            progress(count)

    async def _end(self, workspace: int, canvas: str, progress: Progress) -> int:
        """Let bursts end those inside; their turn is none, so that the sweep tells the workflows.

        One that fails is left: it ends when it is read next, and the log tells.
        """
        after, count = NOBODY, 0
        while True:
            rows = await self._db.pool.fetch(INSIDE, workspace, canvas, after)
            if not rows:
                return count
            alarms = {alarm for row in rows for alarm in row["alarms"]}
            await self._burst(alarms)
            after, count = rows[-1]["person"], count + len(alarms)
            progress(count)

    async def _burst(self, alarms: Collection[UUID]) -> None:
        call = Call(-1, self._clock.now())
        try:
            await self._bursts.run(dict.fromkeys(alarms, call))
        except PASSING:
            raise
        except Exception as error:  # noqa: BLE001 - one entry's failure stops no other's
            if len(alarms) == 1:
                log.warning("not_ended", alarm=str(*alarms), error=type(error).__name__)
                return
            for one in alarms:
                await self._burst([one])
