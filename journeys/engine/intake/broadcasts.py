"""Broadcasts: stored before the response, carried out in the background page by page, and resumed after a crash."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from journeys.engine.core.life import runs_may
from journeys.engine.intake.api_audience import FILTER
from journeys.engine.intake.triggering import Trigger
from journeys.engine.logs import logger
from journeys.engine.store.database import PASSING, Database
from journeys.engine.workspaces.published import Publication, Running
from journeys.engine.workspaces.stored_plans import NotUnderstood

BEGIN = """
insert into broadcasts (workspace, id, canvas, audience, context) values ($1, $2, $3, $4, $5)
on conflict do nothing
"""
TAKE = """
update broadcasts set tries = tries + 1, lease = clock_timestamp() + interval '30 seconds' where (workspace, id) = (
    select workspace, id from broadcasts where ended is null and (lease is null or lease < clock_timestamp())
        and not exists (select from canvases c where (c.workspace, c.name) = (broadcasts.workspace, broadcasts.canvas)
            and c.status = 'paused')
    order by array_position($1::int[], workspace) nulls first, tries > 0, stored limit 1 for update skip locked)
returning workspace, id, canvas, audience, context, after, tries
"""
"""`$1` are the workspaces that had a turn here, the last one last: the one that has waited longest is next.

Those of a canvas that is paused are held.
"""

MOVE = """
update broadcasts set after = $3, entered = entered + $4, tries = 0, lease = null,
    ended = case when $5 then clock_timestamp() end
where workspace = $1 and id = $2 and ended is null and after is not distinct from $6 returning id
"""
GONE = "update broadcasts set ended = clock_timestamp(), reason = $3 where workspace = $1 and id = $2"
LATER = """
update broadcasts set lease = clock_timestamp() + $3::interval, reason = $4 where workspace = $1 and id = $2 and ended is null
"""
PASSES = "update broadcasts set tries = greatest(tries - 1, 0) where workspace = $1 and id = $2"

MOST_TRIES = 10
"""A broadcast whose next page fails so often in a row is set aside; so is one that takes its process with it."""

LONGEST_PAUSE = 60.0

UNREAD = timedelta(seconds=10)
"""After so long a broadcast is looked at again whose canvas this process does not understand."""

Turns = dict[int, None]
"""The workspaces whose broadcasts had a turn, the last one last."""

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


async def carry_on(trigger: Trigger, db: Database, turns: Turns | None = None) -> int:
    """Carry on all broadcasts that nobody carries at this moment; returns how many entered, 0 where there is none.

    The workspaces take turns, page by page: nobody waits for the end of another's. A broadcast ends where its canvas is
    stopped: whoever was not reached by then does not enter later either (STA-2). A pause holds it.
    """
    turns = {} if turns is None else turns
    took, entered = False, 0
    if trigger.clock.skew.too_far:
        return 0
    while (row := await db.pool.fetchrow(TAKE, list(turns))) is not None:
        turns.pop(row["workspace"], None)
        turns[row["workspace"]] = None
        took = True
        entered += await _turn(trigger, db, row)
    return max(entered, int(took))


async def _turn(trigger: Trigger, db: Database, row: Any) -> int:
    """One page of a broadcast. One that fails is tried again after a pause, and set aside where it fails every time."""
    place = row["workspace"], row["id"]
    try:
        if row["tries"] > MOST_TRIES:
            raise RuntimeError("its process did not survive it")
        return await _page(trigger, db, row)
    except PASSING:
        await db.pool.execute(PASSES, *place)
        raise
    except (
        NotUnderstood
    ) as error:  # however long it takes: a process that understands the canvas carries it on
        await db.pool.execute(PASSES, *place)
        await db.pool.execute(LATER, *place, UNREAD, str(error)[:500])
        return 0
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"[:500].replace("\0", "")
        told = {"workspace": place[0], "dispatch": str(place[1]), "canvas": row["canvas"], "reason": reason}
        if row["tries"] < MOST_TRIES:
            log.warning("broadcast_failed", tries=row["tries"], **told)
            pause = min(2.0 ** (row["tries"] - 1), LONGEST_PAUSE)
            await db.pool.execute(LATER, *place, timedelta(seconds=pause), reason)
        else:
            log.exception("broadcast_set_aside", **told)
            await db.pool.execute(GONE, *place, reason)
        return 0


async def _page(trigger: Trigger, db: Database, row: Any) -> int:
    place = row["workspace"], row["id"]
    publication = await trigger.published.of(row["workspace"])
    known = row["canvas"] in publication.running or row["canvas"] in publication.aside
    if not known:
        log.warning("broadcast_without_canvas", canvas=row["canvas"], dispatch=str(row["id"]))
        await db.pool.execute(GONE, *place, f"there is no canvas “{row['canvas']}”")
        return 0
    running = publication.stands(row["canvas"])
    audience = None if row["audience"] is None else FILTER.validate_python(row["audience"])
    page, after = await trigger.page(
        publication, running, str(row["id"]), audience, row["context"], row["after"]
    )
    await db.pool.execute(MOVE, *place, after, page.entered, after is None, row["after"])
    if runs_may(page.status) == "end":
        log.info("broadcast_ended", canvas=running.name, dispatch=str(row["id"]), status=page.status)
        await db.pool.execute(GONE, *place, f"the canvas is {page.status}")
    return page.entered
