"""Broadcasts: stored before the response, carried out in the background page by page, and resumed after a crash."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from journeys.engine.intake.api_audience import FILTER
from journeys.engine.intake.triggering import Trigger
from journeys.engine.logs import logger
from journeys.engine.store.database import Database
from journeys.engine.workspaces.published import Publication, Running

BEGIN = """
insert into broadcasts (workspace, id, canvas, audience, context) values ($1, $2, $3, $4, $5)
on conflict do nothing
"""
TAKE = """
update broadcasts set lease = clock_timestamp() + interval '30 seconds' where (workspace, id) = (
    select workspace, id from broadcasts where ended is null and (lease is null or lease < clock_timestamp())
    order by stored limit 1 for update skip locked)
returning workspace, id, canvas, audience, context, after
"""
MOVE = """
update broadcasts set after = $3, entered = entered + $4, lease = clock_timestamp() + interval '30 seconds',
    ended = case when $5 then clock_timestamp() end
where workspace = $1 and id = $2 and ended is null and after is not distinct from $6 returning id
"""
GONE = "update broadcasts set ended = clock_timestamp() where workspace = $1 and id = $2"

log = logger(__name__)


async def begin(
    connection: Any,
    publication: Publication,
    running: Running,
    identity: UUID,
    audience: Any,
    context: Mapping[str, Any],
) -> None:
    """Record a broadcast; some process carries it on from here."""
    await connection.execute(BEGIN, publication.workspace, identity, running.name, audience, dict(context))


async def carry_on(trigger: Trigger, db: Database) -> int:
    """Take one broadcast that nobody carries at this moment to its end; returns how many entered, 0 where there is none.

    It ends where its canvas is stopped: whoever was not reached by then does not enter later either (STA-2).
    """
    row = await db.pool.fetchrow(TAKE)
    if row is None:
        return 0
    publication = await trigger.published.of(row["workspace"])
    running = publication.running.get(row["canvas"])
    if running is None:
        log.warning("broadcast_without_canvas", canvas=row["canvas"], dispatch=str(row["id"]))
        await db.pool.execute(GONE, row["workspace"], row["id"])
        return 1
    audience = None if row["audience"] is None else FILTER.validate_python(row["audience"])
    after, entered = row["after"], 0
    while True:
        before = after
        page, after = await trigger.page(
            publication, running, str(row["id"]), audience, row["context"], before
        )
        entered += page.entered
        place = row["workspace"], row["id"]
        moved = await db.pool.fetchval(MOVE, *place, after, page.entered, after is None, before)
        if after is None or moved is None:  # or somebody else carries it, because this process was slow
            return max(entered, 1)
        if page.status != "active":
            log.info("broadcast_ended", canvas=running.name, dispatch=str(row["id"]), status=page.status)
            await db.pool.execute(GONE, *place)
            return max(entered, 1)
