"""Runs that are planned: the next occurrence of a schedule, written down before it comes, with the alarm that begins it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

from journeys.canvas.occurrences import ScheduledOccurrence, occurrences, once_more
from journeys.canvas.plan import Plan
from journeys.engine.core.life import runs_may
from journeys.engine.ports import PendingAlarm
from journeys.engine.store.entry_writes import SHARED_ALARM
from journeys.engine.workspaces.stored_plans import plan_of

BATCH_PRIORITY = 3
"""Temporal's priority of runs, and of entries that come by one: after those that came alone."""

INSERT = """
insert into runs (workspace, id, canvas, kind, launched, occurrence, wall, instant, at, wake_at, audience, recipients, context, best_time)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10, $11, $12, $13) on conflict do nothing returning id
"""
ALARM = f"""
insert into alarms (workspace, id, kind, canvas, plan, priority, at) values ($1, $2, 'run', $3, $4, {BATCH_PRIORITY}, $5)
on conflict (workspace, id) do update set turn = alarms.turn + 1, at = excluded.at, moved = clock_timestamp()
returning {SHARED_ALARM}
"""  # noqa: S608 - constants
LATEST = """
select occurrence, wall, instant from runs where workspace = $1 and canvas = $2 and launched = $3 and state <> 'withdrawn'
order by occurrence desc limit 1
"""
WAITING = """
select id, launched, occurrence, wall, instant, at from runs
where workspace = $1 and canvas = $2 and kind = 'schedule' and state = 'waiting' for update
"""
MOVED = """
update runs set wall = $3, instant = $4, at = $5, wake_at = $5, best_time = $6 where workspace = $1 and id = $2
"""
WITHDRAW = """
with gone as (
    update runs set state = 'withdrawn', ended = clock_timestamp(), reason = $3, recipients = null
    where workspace = $1 and id = $2 and ended is null
    returning id)
delete from alarms a using gone g where a.workspace = $1 and a.id = g.id
"""
COUNTED = "select launched, launched_schedule as schedule from canvases where workspace = $1 and name = $2"
COUNT = "update canvases set launched = $3, launched_schedule = $4 where workspace = $1 and name = $2"
SCHEDULED = """
select c.name, c.status, c.launched, p.id as plan, p.body from canvases c join plans p on (p.workspace, p.id) = (c.workspace, c.plan)
where c.workspace = $1 and ($2::text is null or c.name = $2) and c.launched is not null and (
    exists (select from runs r where (r.workspace, r.canvas) = (c.workspace, c.name) and r.state = 'waiting')
    or jsonb_path_exists(p.body, '$.schedule ? (@.at_launch == true || @.once != null || @.every != null)'))
order by c.name
"""
"""The canvases that have a schedule by the clock, or had one."""
NUDGE = """
update alarms a set turn = a.turn + 1, moved = clock_timestamp() - interval '1 second'
from runs r where r.workspace = $1 and r.canvas = $2 and r.ended is null and (a.workspace, a.id) = (r.workspace, r.id)
"""


def run_id(workspace: int, canvas: str, launched: datetime, no: int) -> UUID:
    """The id of an occurrence: the same occurrence of the same launch is one run, however often it is planned."""
    return uuid5(NAMESPACE_OID, f"{workspace}/{canvas}/{launched.isoformat()}/{no}")


def occurrence_of(row: Mapping[str, Any]) -> ScheduledOccurrence:
    """The occurrence of a run, as it was written down."""
    return ScheduledOccurrence(row["occurrence"], row["wall"], row["instant"])


def following(
    plan: Plan, company: str, launched: datetime, after: ScheduledOccurrence | None
) -> ScheduledOccurrence | None:
    """The occurrence of a schedule after this one (None: the first); None: it was the last.

    It takes the same time however many there were before.
    """
    return next(occurrences(plan.canvas.schedule, company, launched, since=after), None)


async def plan_run(
    connection: Any,
    workspace: int,
    plan: Plan,
    identity: UUID,
    kind: str,
    occurrence: ScheduledOccurrence,
    *,
    launched: datetime | None = None,
    audience: Any = None,
    recipients: Any = None,
    context: Any = None,
    best_time: str | None = None,
) -> list[PendingAlarm]:
    """Write a run down, unless it is there, and the alarm that begins it; the caller tells of that after the commit."""
    at = occurrence.first
    canvas = plan.canvas.name
    new = await connection.fetchval(
        INSERT, workspace, identity, canvas, kind, launched, occurrence.no, occurrence.wall, occurrence.instant, at,
        audience, recipients, context or {}, best_time,
    )  # fmt: skip
    if new is None:
        return []
    return [PendingAlarm(*await connection.fetchrow(ALARM, workspace, identity, canvas, plan.id, at))]


async def plan_next(
    connection: Any,
    workspace: int,
    company: str,
    plan: Plan,
    launched: datetime,
    after: ScheduledOccurrence | None,
) -> list[PendingAlarm]:
    """Write down the next run of a schedule, after this occurrence; the first where there was none."""
    found = following(plan, company, launched, after)
    if found is None:
        return []
    identity = run_id(workspace, plan.canvas.name, launched, found.no)
    return await plan_run(connection, workspace, plan, identity, "schedule", found, launched=launched)


async def count_from(connection: Any, workspace: int, plan: Plan, at: datetime, *, anew: bool) -> None:
    """Let the schedule of a canvas count from this instant on, where it is another one than before, or `anew`."""
    before = await connection.fetchrow(COUNTED, workspace, plan.canvas.name)
    schedule = plan.canvas.schedule.model_dump(mode="json")
    if anew or before["launched"] is None or before["schedule"] != schedule:
        await connection.execute(COUNT, workspace, plan.canvas.name, at, schedule)


async def arrange_runs(connection: Any, workspace: int, canvas: str | None = None) -> None:
    """Bring what is planned into line with what is published, of all canvases or of one: after a publication or a change.

    What was planned by another schedule is withdrawn, what comes at another instant now is moved, and the next run is
    written down where there is none. The sweep tells of their alarms.
    """
    company = await connection.fetchval("select zone from workspaces where id = $1", workspace)
    for row in await connection.fetch(SCHEDULED, workspace, canvas):
        plan = plan_of(row["name"], row["plan"], row["body"])
        if isinstance(plan, Plan):
            await _arrange(connection, workspace, company, plan, row["launched"], row["status"])


async def _arrange(
    connection: Any, workspace: int, company: str, plan: Plan, launched: datetime, status: str
) -> None:
    canvas = plan.canvas.name
    scheduled = plan.canvas.schedule.by_clock
    for row in await connection.fetch(WAITING, workspace, canvas):
        found = None
        if status == "archived":
            await connection.execute(WITHDRAW, workspace, row["id"], "the canvas is archived")
            continue
        if scheduled and row["launched"] == launched:
            found = once_more(plan.canvas.schedule, company, launched, occurrence_of(row))
        if found is None:
            await connection.execute(WITHDRAW, workspace, row["id"], "its schedule was changed")
        elif found.first != row["at"]:
            await connection.execute(
                MOVED, workspace, row["id"], found.wall, found.instant, found.first, None
            )
            await connection.execute(ALARM, workspace, row["id"], canvas, plan.id, found.first)
    if scheduled and runs_may(status) != "end":
        last = await connection.fetchrow(LATEST, workspace, canvas, launched)
        waits = await connection.fetchrow(WAITING, workspace, canvas)
        if waits is None:
            await plan_next(connection, workspace, company, plan, launched, last and occurrence_of(last))


async def nudge_runs(connection: Any, workspace: int, canvas: str) -> None:
    """Let the open runs of a canvas look at it: its status has changed. The sweep tells their workflows."""
    await connection.execute(NUDGE, workspace, canvas)
