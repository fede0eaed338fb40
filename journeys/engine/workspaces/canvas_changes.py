"""Stops, resumes and archives canvases; each change is a row in the log `canvas_changes`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from journeys.canvas.plan import Plan
from journeys.canvas.problems import meant
from journeys.engine.core.gates import opening
from journeys.engine.core.life import AFTER, Word, shown
from journeys.engine.store.database import Database
from journeys.engine.workspaces.published import Publication
from journeys.engine.workspaces.stored_plans import plan_of


class NoCanvas(LookupError):
    """There is no canvas of that name; the text is for people."""


class Archived(ValueError):
    """The change is not possible for an archived canvas; the text is for people."""


@dataclass(frozen=True, slots=True)
class CanvasStatus:
    """The status of a canvas, and `since` when. `new`: whether this command changed it."""

    name: str
    status: str
    since: datetime
    new: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """A canvas as the list shows it. `inside` counts entries that have not ended."""

    name: str
    id: UUID
    status: str
    since: datetime
    inside: int


RECORD = """
with moved as (
    update canvases set status = $4, change = change + 1,
        settled = case when $8 and settled = change then change + 1 else settled end
    where workspace = $1 and name = $2 returning change)
insert into canvas_changes (workspace, canvas, no, at, kind, who, data)
select $1, $2, change, greatest($5::timestamptz, (select max(at) from canvas_changes where workspace = $1 and canvas = $2)),
    $3, $6, $7 from moved
returning at
"""
"""The instants of the log never go back, whichever clock they come from."""

SINCE = """
select max(l.at) from canvas_changes l where (l.workspace, l.canvas) = ($1, $2)
    and (l.no = 1 or l.kind <> 'publish' or l.data ? 'restored')
"""
STATUS = "select status from canvases where workspace = $1 and name = $2"
LIST = """
select c.name, c.id, c.status, p.body, coalesce(i.inside, 0) as inside, (
    select max(l.at) from canvas_changes l where (l.workspace, l.canvas) = (c.workspace, c.name)
        and (l.no = 1 or l.kind <> 'publish' or l.data ? 'restored')) as since
from canvases c join plans p on (p.workspace, p.id) = (c.workspace, c.plan)
left join (select canvas, count(*) as inside from entries where workspace = $1 and ended is null group by canvas) i
    on i.canvas = c.name
where c.workspace = $1 order by c.name
"""
WAITING = """
select (select count(*) from entries where workspace = $1 and canvas = $2 and ended is null) as inside,
    (select count(*) from dispatches where workspace = $1 and canvas = $2) as messages
"""


async def record(
    connection: Any,
    workspace: int,
    canvas: str,
    word: Word,
    status: str,
    at: datetime,
    who: str,
    data: Mapping[str, Any] | None = None,
) -> datetime:
    """Write a change of a canvas, and the status that it has after it; returns its instant.

    The workspace's row is locked by the caller. After a resume and an archive the entries must be brought up to date.
    """
    seen_to = word in ("publish", "stop")
    told = dict(data or {})
    return await connection.fetchval(  # type: ignore[no-any-return]
        RECORD, workspace, canvas, word, status, at, who, told, seen_to
    )


async def change(
    db: Database, workspace: int, canvas: str, word: Word, *, at: datetime, who: str = ""
) -> CanvasStatus:
    """Stop, resume or archive a canvas. Nothing is written if it has that status already.

    Raises `NoCanvas`, with the nearest name, and `Archived` where a canvas that is archived is to be stopped or resumed.
    """
    async with db.transaction() as connection:
        await connection.execute("select 1 from workspaces where id = $1 for update", workspace)
        before = await connection.fetchval(STATUS, workspace, canvas)
        if before is None:
            raise NoCanvas(await _unknown(connection, workspace, canvas))
        after = AFTER[word].get(before)
        if after is None:
            raise Archived(
                f"the canvas “{canvas}” is archived: publish its definition with `journeys publish --restore` first"
            )
        if after == before:
            return CanvasStatus(canvas, after, await connection.fetchval(SINCE, workspace, canvas), new=False)
        since = await record(connection, workspace, canvas, word, after, at, who)
        await connection.execute("update workspaces set revision = revision + 1 where id = $1", workspace)
    return CanvasStatus(canvas, after, since, new=True)


async def status_of(connection: Any, workspace: int, canvas: str) -> str:
    """The status of a canvas at this moment."""
    return str(await connection.fetchval(STATUS, workspace, canvas))


async def canvases_of(db: Database, publication: Publication, now: datetime) -> list[Listed]:
    """The canvases of a workspace by name, including archived ones, with their status at this moment."""
    found = []
    for row in await db.pool.fetch(LIST, publication.workspace):
        plan = plan_of(row["name"], row["body"])
        ends = opening(plan, publication.company).ends if isinstance(plan, Plan) else None
        over = ends is not None and ends <= now
        status = shown(row["status"], inside=row["inside"], over=over)
        found.append(Listed(row["name"], row["id"], status, row["since"], row["inside"]))
    return found


async def waiting(db: Database, workspace: int, canvas: str) -> tuple[int, int]:
    """How many entries are inside a canvas, and how many of its messages wait to leave."""
    row = await db.pool.fetchrow(WAITING, workspace, canvas)
    return row["inside"], row["messages"]


async def _unknown(connection: Any, workspace: int, canvas: str) -> str:
    rows = await connection.fetch("select name from canvases where workspace = $1", workspace)
    hint = meant(canvas, [row["name"] for row in rows])
    return f"there is no canvas “{canvas}” ({hint or 'the workspace has none'})"
