"""Broadcasts by API: runs that begin at once. Those that a former version has recorded are taken over as runs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from journeys.canvas.occurrences import ScheduledOccurrence
from journeys.engine.ports import AlarmSync, PendingAlarm
from journeys.engine.store.database import Database
from journeys.engine.workspaces.planned_runs import ALARM, plan_run
from journeys.engine.workspaces.published import Publication, Running

TAKE_OVER = """
with taken as (
    update broadcasts set ended = clock_timestamp(), reason = 'it goes on as a run'
    where ended is null and (lease is null or lease < clock_timestamp()) returning *)
insert into runs (workspace, id, canvas, kind, wall, instant, at, wake_at, audience, context)
select workspace, id, canvas, 'broadcast', stored at time zone 'UTC', stored, stored, stored, audience, context from taken
on conflict do nothing returning workspace, id, canvas, at
"""


async def begin(
    connection: Any,
    publication: Publication,
    running: Running,
    identity: UUID,
    audience: Any,
    context: Mapping[str, Any],
    at: datetime,
) -> list[PendingAlarm]:
    """Record a broadcast as a run that begins at this instant; the caller tells of its alarm after the commit."""
    once = ScheduledOccurrence(1, at.astimezone(UTC).replace(tzinfo=None), at)
    return await plan_run(
        connection,
        publication.workspace,
        running.plan,
        identity,
        "broadcast",
        once,
        audience=audience,
        context=dict(context),
    )


async def take_over_broadcasts(db: Database, alarm_sync: AlarmSync) -> int:
    """Let broadcasts of a former version go on as runs; returns how many. Who has entered by one enters by the other no more."""
    async with db.transaction() as connection:
        rows = await connection.fetch(TAKE_OVER)
        alarms = [
            PendingAlarm(
                *await connection.fetchrow(ALARM, row["workspace"], row["id"], row["canvas"], "", row["at"])
            )
            for row in rows
        ]
    alarm_sync.sync(alarms)
    return len(alarms)
