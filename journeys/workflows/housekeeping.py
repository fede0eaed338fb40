"""Housekeeping of each process: sweeps, the watchdog, derived events, partitions, and deletion of what is past its time.

Nothing here needs to be durable: every process runs all of it, and all of it is idempotent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import asyncpg
from apscheduler.executors.asyncio import AsyncIOExecutor
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from temporalio.service import RPCError

from journeys.engine.clock import Clock, ClockOff
from journeys.engine.entries.derived_events import route_derived_events
from journeys.engine.entries.entry_counters import forget as forget_counters
from journeys.engine.entries.following_changes import FollowingChanges
from journeys.engine.exports.exporting import Exporter
from journeys.engine.intake.broadcasts import take_over_broadcasts
from journeys.engine.logs import logger
from journeys.engine.metrics import OVERDUE as OVERDUE_FOUND
from journeys.engine.outages import DATABASE, OUTAGES, TEMPORAL
from journeys.engine.ports import Notifier, PendingAlarm
from journeys.engine.sources.promotions import forget as forget_promotions
from journeys.engine.store.database import Database, away
from journeys.engine.store.entry_writes import PENDING_ALARM, SHARED_ALARM
from journeys.engine.store.expiry import delete_older
from journeys.engine.workspaces.published import Published
from journeys.engine.workspaces.retention import drop_expired
from journeys.workflows.alarm_sync import TemporalAlarmSync

OVERDUE = timedelta(seconds=60)
"""How long after its alarm, in real time, an entry counts as overdue."""

UNHEARD_OF = timedelta(minutes=5)
"""How long after it was told, in real time, an entry that was never driven counts as overdue."""

KEPT = timedelta(days=30)
"""How long the digests are kept that refuse doubles of an event."""

REPEATED = timedelta(hours=24)
"""How long the answer to a call that carried an `Idempotency-Key` is given again."""

RUNS = """
not exists (select from canvases c where (c.workspace, c.name) = (entries.workspace, entries.canvas)
    and (c.status <> 'active' or c.settled < c.change))
"""
"""Who sleeps in a stopped or paused canvas is left alone; who slept in one is woken by what follows its changes."""

DUE = f"""
(select {PENDING_ALARM}, 'entry' as kind from entries
    where ended is null and alarm = id and alarm_at < $1 and moved < clock_timestamp() - $2::interval
    and {RUNS} order by alarm_at limit $4)
union all
(select {PENDING_ALARM}, 'entry' from entries where ended is null and alarm_at is null and told >= turn
    and moved < clock_timestamp() - $3::interval and {RUNS} limit $4)
limit $4
"""  # noqa: S608 - constants

DUE_TOGETHER = f"""
select {SHARED_ALARM} from alarms where moved < clock_timestamp() - $2::interval and id in (
    select alarm from entries where ended is null and alarm <> id and alarm_at < $1
        and moved < clock_timestamp() - $2::interval and {RUNS} group by alarm limit $3)
"""  # noqa: S608 - constants
"""An alarm of several is seen to once, however many of them are overdue."""

RAISE_TOGETHER = """
update alarms set generation = generation + 1, told = 0, turn = turn + 1, moved = clock_timestamp()
where (workspace, id) = ($1, $2) and generation = $3
"""

RUNS_DUE = f"""
select {SHARED_ALARM} from alarms where (workspace, id) in (
    select r.workspace, r.id from runs r join canvases c on (c.workspace, c.name) = (r.workspace, r.canvas)
    where r.ended is null and not r.held and r.wake_at < $1 and r.moved < clock_timestamp() - $2::interval
        and c.status = 'active' limit 100)
    and moved < clock_timestamp() - $2::interval
"""  # noqa: S608 - constants
"""Runs that should be at work, and are not."""

FORGET_ALARMS = """
delete from alarms a where kind = 'entries' and moved < clock_timestamp() - interval '1 hour'
    and not exists (select from entries e where e.alarm = a.id and e.ended is null)
"""

RAISE = """
with raised as (
    update entries set generation = generation + 1, told = 0, turn = turn + 1, moved = clock_timestamp()
    where (workspace, person, id) = ($1, $2, $3) and generation = $4 and ended is null returning *)
insert into facts (workspace, person, shard, fact, at, canvas, entry, step, data)
select workspace, person, shard, 'overdue', $5, canvas, id, step,
    jsonb_build_object('due', alarm_at, 'generation', generation) from raised
"""

GROWN = """
select relname from pg_stat_user_tables where schemaname = current_schema()
    and n_mod_since_analyze > 500 + 2 * greatest(n_live_tup - n_mod_since_analyze, 0)
"""

log = logger(__name__)


class Jobs(AsyncIOExecutor):  # type: ignore[misc]  # the library has no types
    """Runs the jobs; one that is cancelled since the process stops is no error."""

    def _run_job_error(self, job_id: str, exc: BaseException, traceback: Any = None) -> None:
        if not isinstance(exc, asyncio.CancelledError):
            super()._run_job_error(job_id, exc, traceback)


class Housekeeping:
    """The housekeeping of one process. `start` and `stop` it with the worker."""

    def __init__(
        self,
        db: Database,
        published: Published,
        clock: Clock,
        alarm_sync: TemporalAlarmSync,
        notifier: Notifier,
        following: FollowingChanges,
        *,
        closed: Callable[[str], Awaitable[bool]],
        exporter: Exporter | None = None,
    ) -> None:
        self._db = db
        self._published = published
        self._clock = clock
        self._alarm_sync = alarm_sync
        self._notifier = notifier
        self._closed = closed
        self._exporter = exporter
        self._scheduler = AsyncIOScheduler(timezone="UTC", executors={"default": Jobs()})
        self._following = following
        self.overdue = 0
        """How many overdue entries the watchdog has met."""

    def start(self) -> None:
        """Begin; the jobs run on the present event loop."""
        self._every(1, self.sweep)
        self._every(1, self.derived_events)
        self._every(5, self.broadcasts)
        self._every(2, self.exports)
        self._every(2, self._following.unsettled)
        self._every(10, self.watch)
        self._every(10, self.watch_runs)
        self._every(3600, self.prepare)
        self._every(15, self.weigh)
        self._every(600, self.forget)
        self._every(1800, self.drop)
        self._scheduler.start()

    def stop(self) -> None:
        """Begin no further job."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def _every(self, seconds: float, job: Callable[[], Awaitable[object]]) -> None:
        busy = False
        options = {
            "max_instances": 2,  # the one at work, and one that sees that it is: more than that would be a warning
            "coalesce": True,
            "misfire_grace_time": None,
            "name": getattr(job, "__name__", ""),
        }

        async def once() -> None:
            nonlocal busy
            if busy:  # the machine is; the next one does the work
                return
            busy = True
            try:
                await job()
            except asyncio.CancelledError:
                return  # the process stops; another one continues
            except RPCError as error:
                OUTAGES.gone(TEMPORAL, error.status.name)
            except Exception as error:
                if away(error):
                    OUTAGES.gone(DATABASE, error)
                elif not isinstance(error, ClockOff):  # that is logged where it is measured
                    log.exception("housekeeping_failed", job=options["name"])
            else:
                OUTAGES.back(DATABASE)
            finally:
                busy = False

        self._scheduler.add_job(once, "interval", seconds=seconds, **options)

    async def sweep(self) -> int:
        """Inform Temporal of pending alarms."""
        return await self._alarm_sync.sweep()

    async def derived_events(self) -> int:
        """Let events be heard that canvases made."""
        heard = 0
        while some := await route_derived_events(
            self._db, self._published, self._clock, self._alarm_sync, self._notifier
        ):
            heard += some
        return heard

    async def broadcasts(self) -> int:
        """Take over as runs the broadcasts that a process of a former version has recorded."""
        return await take_over_broadcasts(self._db, self._alarm_sync)

    async def exports(self) -> int:
        """Write the exports of people that wait; how many."""
        done = 0
        while self._exporter is not None and await self._exporter.drain_once():
            done += 1
        return done

    async def watch_runs(self) -> int:
        """Repair runs that should go on and do not, as `watch` does entries."""
        due = self._clock.now() - self._clock.span(OVERDUE)
        rows = [PendingAlarm(*row) for row in await self._db.pool.fetch(RUNS_DUE, due, OVERDUE)]
        for one in rows:
            log.warning("run_overdue", run=str(one.alarm), canvas=one.canvas, generation=one.generation)
            await self._wake(one)
        return len(rows)

    async def watch(self) -> int:
        """Repair overdue entries: nudge them, or raise their generation if the workflow was terminated."""
        due = self._clock.now() - self._clock.span(OVERDUE)
        rows = [PendingAlarm(*row) for row in await self._db.pool.fetch(DUE, due, OVERDUE, UNHEARD_OF, 500)]
        shared = await self._db.pool.fetch(DUE_TOGETHER, due, OVERDUE, 100)
        for one in [*rows, *(PendingAlarm(*row) for row in shared)]:
            self.overdue += 1
            OVERDUE_FOUND.inc()
            log.warning(
                "overdue", entry=str(one.entry), alarm_at=str(one.alarm_at), generation=one.generation
            )
            await self._wake(one)
        return len(rows) + len(shared)

    async def _wake(self, one: PendingAlarm) -> None:
        """Nudge the workflow of an alarm that is overdue; where it was closed, the next generation begins."""
        if not await self._closed(f"{one.alarm}:{one.generation}"):
            self._alarm_sync.nudge(one)
        elif one.kind == "entry":
            place = (one.workspace, one.person, one.entry, one.generation)
            await self._db.pool.execute(RAISE, *place, self._clock.now())
        else:
            await self._db.pool.execute(RAISE_TOGETHER, one.workspace, one.alarm, one.generation)

    async def prepare(self) -> None:
        """Make the partitions of the months ahead; where a table is in use for long, the next time."""
        with suppress(asyncpg.LockNotAvailableError):
            async with self._db.transaction() as connection:
                await connection.execute("set local lock_timeout = '1s'")
                await connection.execute("select ensure_partitions(3)")

    async def weigh(self) -> int:
        """Let the planner know of tables that have grown: until it does, it reads whole young tables."""
        grown = [row["relname"] for row in await self._db.pool.fetch(GROWN)]
        for table in grown:
            await self._db.pool.execute(f'analyze "{table}"')
        return len(grown)

    async def forget(self) -> None:
        """Delete digests, hearings, replies, promotion codes and counters that are past their time, and alarms of nobody."""
        await self._db.pool.execute(FORGET_ALARMS)
        await delete_older(self._db.pool, "seen", KEPT)
        await delete_older(self._db.pool, "hearings", KEPT)
        await delete_older(self._db.pool, "replies", REPEATED)
        await forget_promotions(self._db.pool, self._clock.now())
        await forget_counters(self._db.pool, self._clock.now())

    async def drop(self) -> None:
        """Delete what the workspaces keep no longer."""
        await drop_expired(self._db, self._clock)
