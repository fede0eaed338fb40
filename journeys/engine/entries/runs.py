"""Runs: begun when their time comes, held, resumed and stopped; what each comes to lies in its row.

`look` is all that decides: it is asked before each stretch of work, in a transaction of its own, and reads the status and
the plan of that moment. The next occurrence is written down in the transaction that begins one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import cache, lru_cache
from typing import Any
from uuid import UUID
from zoneinfo import available_timezones

from journeys.canvas.filters import Filter
from journeys.canvas.occurrences import ScheduledOccurrence, by_instant, once_more
from journeys.canvas.plan import Plan
from journeys.canvas.steps import Message
from journeys.engine.clock import Clock
from journeys.engine.core.life import runs_may
from journeys.engine.entries.audience_reading import FILTER
from journeys.engine.entries.run_members import BestInstants
from journeys.engine.ports import PendingAlarm
from journeys.engine.store.database import Database
from journeys.engine.workspaces.planned_runs import following, occurrence_of, plan_next
from journeys.engine.workspaces.published import Publication, Published, Running

FAR = timedelta(hours=12)
"""After so long, in real time, a run that is held looks again; a nudge lets it look at once."""

MOST_TRIES = 10
"""A run whose next page fails so often in a row is set aside; so is one that takes its process with it."""

OPEN = "select * from runs where workspace = $1 and id = $2 and ended is null for update"
CANVAS = "select status, plan, launched from canvases where workspace = $1 and name = $2"
BEGIN = """
update runs set state = 'running', began = clock_timestamp(), moved = clock_timestamp(), wall = $3, instant = $4, at = $5
where workspace = $1 and id = $2
"""
TRY = "update runs set tries = tries + 1 where workspace = $1 and id = $2 returning tries"
END = """
with ended as (
    update runs set state = $3, reason = $4, ended = clock_timestamp(), moved = clock_timestamp(), held = false, tries = 0,
        recipients = case when $3 = 'set_aside' then recipients end
    where workspace = $1 and id = $2 returning id)
delete from alarms a using ended e where a.workspace = $1 and a.id = e.id
"""
ASKED = """
update runs set due = $3, moved = clock_timestamp(),
    members = (select count(*) from run_members m where (m.workspace, m.run) = ($1, $2))
where workspace = $1 and id = $2
"""


@dataclass(frozen=True, slots=True)
class Slice:
    """Some zones of a run whose time has come at one instant; None: everybody."""

    at: datetime
    zones: tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a run has to do now. `over`: nothing, for ever; else `until` (canvas time), or work.

    `slices` are those whose audience is to be asked, in order; `following` the instant of the next of them, or of the end.
    """

    over: bool = False
    until: datetime | None = None
    row: Mapping[str, Any] | None = None
    publication: Publication | None = None
    running: Running | None = None
    slices: tuple[Slice, ...] = ()
    following: datetime | None = None
    pending_alarms: tuple[PendingAlarm, ...] = ()


@cache
def _zones() -> tuple[str, ...]:
    return tuple(sorted(available_timezones()))


@lru_cache(maxsize=128)
def _in_all_zones(occurrence: ScheduledOccurrence) -> tuple[tuple[datetime, tuple[str, ...]], ...]:
    """The instants at which a local time comes somewhere in the world, each with its zones."""
    return tuple((at, tuple(zones)) for at, zones in by_instant(occurrence, _zones()))


def slices_of(
    occurrence: ScheduledOccurrence,
    later: ScheduledOccurrence | None,
    now: datetime,
    launched: datetime | None = None,
) -> tuple[list[Slice], list[datetime]]:
    """What of an occurrence has come by now, without the zones whose next occurrence has come too; and what comes.

    Each person's own clock counts at the instant of their zone (ENT-2): a person who moves meanwhile is in once, and whose
    hour has passed is out (ENT-8), also by the launch.
    """
    if occurrence.instant is not None:
        missed = later is not None and later.first <= now
        at = occurrence.instant
        return ([Slice(at, None)] if at <= now and not missed else []), ([at] if at > now else [])
    come, coming = [], []
    overtaken = later if later is not None and later.first <= now else None
    for at, zones in _in_all_zones(occurrence):
        if at > now:
            coming.append(at)
            continue
        if launched is not None and at < launched:  # ENT-8
            continue
        left = zones
        if overtaken is not None:
            left = tuple(zone for zone in zones if overtaken.at(zone) > now)
        if left:
            come.append(Slice(at, left))
    return come, coming


class Runs:
    """The runs of a database, as one process sees to them."""

    def __init__(self, db: Database, published: Published, clock: Clock) -> None:
        self._db = db
        self._published = published
        self._clock = clock

    async def look(self, workspace: int, run: UUID) -> Look:
        """What is to be done of a run now. Raises `NotUnderstood` where this process cannot read its canvas."""
        publication = await self._published.of(workspace)
        async with self._db.transaction() as connection:
            row = await connection.fetchrow(OPEN, workspace, run)
            if row is None:
                return Look(over=True)
            now = self._clock.now()
            if row["held"]:
                return Look(until=now + self._clock.span(FAR))
            canvas = await connection.fetchrow(CANVAS, workspace, row["canvas"])
            if canvas is None:
                return await self._end(connection, row, "stopped", f"there is no canvas “{row['canvas']}”")
            may = runs_may(canvas["status"])
            if may == "hold":
                return Look(until=now + self._clock.span(FAR))
            if (
                row["canvas"] not in publication.running
                or publication.running[row["canvas"]].plan.id != canvas["plan"]
            ):
                publication = await self._published.newest(workspace, connection)
            running = publication.stands(row["canvas"])
            if may == "end":
                return await self._not_running(connection, publication, running.plan, row, canvas, now)
            return await self._now(connection, publication, running, row, canvas, now)

    async def _not_running(
        self,
        connection: Any,
        publication: Publication,
        plan: Plan,
        row: Mapping[str, Any],
        canvas: Mapping[str, Any],
        now: datetime,
    ) -> Look:
        """Of a canvas that is stopped: what has begun ends, and what comes meanwhile is missed (STA-2)."""
        reason = f"the canvas is {canvas['status']}"
        if row["state"] == "running" or row["kind"] != "schedule":
            return await self._end(connection, row, "stopped", reason)
        if canvas["status"] == "archived":
            return await self._end(connection, row, "withdrawn", reason)
        if row["at"] > now:
            return Look(until=row["at"])
        alarms = await self._plan_next(connection, publication, plan, row)
        ended = await self._end(connection, row, "missed", reason)
        return Look(over=ended.over, pending_alarms=tuple(alarms))

    async def _now(
        self,
        connection: Any,
        publication: Publication,
        running: Running,
        row: Mapping[str, Any],
        canvas: Mapping[str, Any],
        now: datetime,
    ) -> Look:
        occurrence, later = occurrence_of(row), None
        alarms: list[PendingAlarm] = []
        if row["kind"] == "schedule":
            launched, zone = row["launched"], publication.zone
            same = running.plan.canvas.schedule.by_clock and canvas["launched"] == launched
            if row["state"] == "waiting":
                schedule = running.plan.canvas.schedule
                found = once_more(schedule, zone, launched, occurrence) if same else None
                if found is None:
                    return await self._end(connection, row, "withdrawn", "its schedule was changed")
                occurrence = found
            later = following(running.plan, zone, launched, occurrence) if same else None
        if occurrence.first > now:
            return Look(until=occurrence.first)
        slices, coming = slices_of(occurrence, later, now, row["launched"])
        if row["state"] == "waiting":
            if row["kind"] == "schedule":
                alarms = await self._plan_next(connection, publication, running.plan, row)
            if not slices and not coming:
                ended = await self._end(connection, row, "missed", "the next occurrence had come")
                return Look(over=ended.over, pending_alarms=tuple(alarms))
            await connection.execute(
                BEGIN, row["workspace"], row["id"], occurrence.wall, occurrence.instant, occurrence.first
            )
        asked = row["due"]
        if occurrence.instant is None:
            coming.append(occurrence.last)  # who moves to the last zone is still in
        return Look(
            row=row,
            publication=publication,
            running=running,
            slices=tuple(each for each in slices if asked is None or each.at > asked),
            following=next((at for at in coming if at > now), None),
            pending_alarms=tuple(alarms),
        )

    async def asked(self, workspace: int, run: UUID, at: datetime) -> None:
        """The audience was asked up to this instant."""
        await self._db.pool.execute(ASKED, workspace, run, at)

    async def begin_try(self, workspace: int, run: UUID) -> int:
        """Count a try of the next page; returns how many there were since the last that went well."""
        return int(await self._db.pool.fetchval(TRY, workspace, run) or 0)

    async def end(self, workspace: int, run: UUID, state: str, reason: str | None = None) -> None:
        """The run is over."""
        await self._db.pool.execute(END, workspace, run, state, reason)

    async def _plan_next(
        self, connection: Any, publication: Publication, plan: Plan, row: Mapping[str, Any]
    ) -> list[PendingAlarm]:
        if not plan.canvas.schedule.by_clock:
            return []
        return await plan_next(
            connection, publication.workspace, publication.zone, plan, row["launched"], occurrence_of(row)
        )

    async def _end(self, connection: Any, row: Mapping[str, Any], state: str, reason: str) -> Look:
        await connection.execute(END, row["workspace"], row["id"], state, reason)
        return Look(over=True)


def best_instants(row: Mapping[str, Any], plan: Plan) -> BestInstants | None:
    """When the people of a run are let in, where each has a time of their own; the channel is that of the first message."""
    if row["best_time"] is None:
        return None
    channel = next((step.channel for step in plan.steps.values() if isinstance(step, Message)), "email")
    return BestInstants(row["wall"].date(), channel, time.fromisoformat(row["best_time"]))


def audience_of(row: Mapping[str, Any], plan: Plan) -> list[Filter]:
    """Whom a run is for: who matches what the call said, and the audience of the canvas (ENT-22)."""
    said = [] if row["audience"] is None else [FILTER.validate_python(row["audience"])]
    return said + ([] if plan.canvas.audience is None else [plan.canvas.audience])
