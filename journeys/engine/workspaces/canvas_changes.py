"""Stops, pauses, resumes and archives canvases; each change is a row in the log `canvas_changes`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from journeys.canvas.plan import Plan
from journeys.canvas.problems import meant
from journeys.engine.core.gates import opening
from journeys.engine.core.life import AFTER, Timers, Word, shown
from journeys.engine.store.database import Database
from journeys.engine.workspaces.definition_rows import raise_revision
from journeys.engine.workspaces.planned_runs import arrange_runs, nudge_runs
from journeys.engine.workspaces.published import Publication
from journeys.engine.workspaces.stored_plans import plan_of


class NoCanvas(LookupError):
    """There is no canvas of that name; the text is for people."""


class NotPossible(ValueError):
    """The change is not possible for a canvas of this status; the text is for people."""


@dataclass(frozen=True, slots=True)
class CanvasStatus:
    """The status of a canvas, and `since` when. `new`: whether this command changed it.

    `timers`: what a resume does with what fell due during the pause before it; None where there was none.
    """

    name: str
    id: UUID
    status: str
    since: datetime
    new: bool
    timers: str | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """A canvas as the list shows it. `inside` counts entries that have not ended."""

    name: str
    id: UUID
    status: str
    since: datetime
    inside: int


@dataclass(frozen=True, slots=True)
class Logged:
    """A row of the log of a canvas' changes: when, by whom, what, and what it says beside that."""

    no: int
    at: datetime
    who: str
    what: str
    data: Mapping[str, Any]


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
    and (l.no = 1 or l.kind <> 'publish' or l.data ?| '{restored,launched}')
"""
STATUS = "select status from canvases where workspace = $1 and name = $2"
NAMED = """
select name, id, status from canvases where workspace = $1 and (name = $2 or id::text = $2) order by name = $2 desc limit 1
"""
LAUNCH = "update canvases set published = $3, launched = $3 where workspace = $1 and name = $2"
"""What happened before the launch lets nobody in (ENT-17)."""

PAUSED = """
select kind = 'pause' from canvas_changes where workspace = $1 and canvas = $2 and kind in ('pause', 'resume', 'archive')
order by no desc limit 1
"""
"""Whether a pause lasts, in which the canvas may have been stopped since."""

LOG = """
select no, at, who, kind, data from canvas_changes
where workspace = $1 and canvas = $2 and ($3::int is null or no < $3) order by no desc limit $4
"""
LIST = """
select c.name, c.id, c.status, c.plan, p.body, coalesce(i.inside, 0) as inside, (
    select max(l.at) from canvas_changes l where (l.workspace, l.canvas) = (c.workspace, c.name)
        and (l.no = 1 or l.kind <> 'publish' or l.data ?| '{restored,launched}')) as since
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
    seen_to = word in ("publish", "stop", "pause")
    told = dict(data or {})
    return await connection.fetchval(  # type: ignore[no-any-return]
        RECORD, workspace, canvas, word, status, at, who, told, seen_to
    )


async def change(
    db: Database,
    workspace: int,
    canvas: str,
    word: Word,
    *,
    at: datetime,
    who: str = "",
    timers: Timers | None = None,
) -> CanvasStatus:
    """Stop, pause, resume or archive a canvas, named by its name or id. Nothing is written if it has that status already.

    `timers`: what the resume after a pause does with what fell due meanwhile: `shift` where nothing is said. Raises
    `NoCanvas`, with the nearest name, and `NotPossible` where the status of the canvas does not allow it.
    """
    async with db.transaction() as connection:
        await connection.execute("select 1 from workspaces where id = $1 for update", workspace)
        row = await connection.fetchrow(NAMED, workspace, canvas)
        if row is None:
            raise NoCanvas(await _unknown(connection, workspace, canvas))
        name, before = row["name"], row["status"]
        after = AFTER[word].get(before)
        if after is None:
            raise NotPossible(f"the canvas “{name}” is {NOT_NOW[before]}")
        if after == before:
            since = await connection.fetchval(SINCE, workspace, name)
            return CanvasStatus(name, row["id"], after, since, new=False)
        chosen: Timers | None = None
        if word == "resume" and await connection.fetchval(PAUSED, workspace, name):
            chosen = timers or "shift"
        elif timers is not None:
            raise NotPossible(
                f"the canvas “{name}” was not paused: timers are chosen at the resume after a pause"
            )
        data = {} if chosen is None else {"timers": chosen}
        since = await record(connection, workspace, name, word, after, at, who, data)
        if before == "draft" and after == "active":
            await launch(connection, workspace, name, since)
        await arrange_runs(connection, workspace, name)
        await nudge_runs(connection, workspace, name)
        await raise_revision(connection, workspace)
    return CanvasStatus(name, row["id"], after, since, new=True, timers=chosen)


NOT_NOW = {
    "archived": "archived: publish its definition with `journeys publish --restore` first",
    "draft": "a draft, with nobody inside: publish or resume it to launch it, or archive it",
    "stopped": "stopped already: resume it first",
}
"""Why a change is not possible, by the status of the canvas."""


async def launch(connection: Any, workspace: int, canvas: str, at: datetime) -> None:
    """Let a draft begin at this instant; its status is recorded by the caller."""
    await connection.execute(LAUNCH, workspace, canvas, at)


async def log_of(db: Database, workspace: int, canvas: str, before: int | None, most: int) -> list[Logged]:
    """The changes of a canvas, the last one first; with `before`, those before the change of this number."""
    return [Logged(*row) for row in await db.pool.fetch(LOG, workspace, canvas, before, most)]


async def named(db: Database, workspace: int, canvas: str) -> str:
    """The name of a canvas that is named by its name or id. Raises `NoCanvas`, with the nearest name."""
    async with db.pool.acquire() as connection:
        row = await connection.fetchrow(NAMED, workspace, canvas)
        if row is None:
            raise NoCanvas(await _unknown(connection, workspace, canvas))
    return str(row["name"])


async def status_of(connection: Any, workspace: int, canvas: str) -> str:
    """The status of a canvas at this moment."""
    return str(await connection.fetchval(STATUS, workspace, canvas))


async def canvases_of(db: Database, publication: Publication, now: datetime) -> list[Listed]:
    """The canvases of a workspace by name, including archived ones, with their status at this moment."""
    found = []
    for row in await db.pool.fetch(LIST, publication.workspace):
        plan = plan_of(row["name"], row["plan"], row["body"])
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
