"""Looks at runs, and holds, resumes and stops them: for operators. Workers hear of it within a second or two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from journeys.engine.store.database import Database
from journeys.engine.workspaces.planned_runs import arrange_runs

Word = Literal["hold", "resume", "stop"]

OPEN = ("waiting", "running")

COLUMNS = """
id, canvas, kind, occurrence, wall, instant, at, case when held and ended is null then 'held' else state end as state,
    members, entered, refused, failed, gone, merged, gates, reason, began, ended, stored, clock_timestamp() as now
"""
LIST = f"""
select {COLUMNS} from runs where workspace = $1 and ($2::text is null or canvas = $2)
order by ended is not null, case when ended is null then at end, ended desc limit 100
"""  # noqa: S608 - constants
ONE = f"select {COLUMNS} from runs where workspace = $1 and id = $2"  # noqa: S608 - constants
BEGINS = "select id from runs where workspace = $1 and starts_with(id::text, $2) limit 2"
HOLD = "update runs set held = true, moved = clock_timestamp() where workspace = $1 and id = $2 and ended is null"
RESUME = """
update runs set held = false, state = case when ended is null then state else 'running' end, tries = 0, reason = null,
    ended = null, moved = clock_timestamp() where workspace = $1 and id = $2
"""
STOP = """
update runs set state = 'stopped', held = false, recipients = null, ended = clock_timestamp(), moved = clock_timestamp(),
    reason = $3 where workspace = $1 and id = $2 and ended is null
"""
NUDGE = """
insert into alarms (workspace, id, kind, canvas, plan, priority, at)
select r.workspace, r.id, 'run', r.canvas, c.plan, 3, r.wake_at from runs r join canvases c on (c.workspace, c.name) = (r.workspace, r.canvas)
where r.workspace = $1 and r.id = $2
on conflict (workspace, id) do update set turn = alarms.turn + 1, moved = clock_timestamp() - interval '1 second'
"""


class NoRun(LookupError):
    """There is no run of that id; the text is for people."""


class NotPossible(ValueError):
    """The run is in no state for it; the text is for people."""


@dataclass(frozen=True, slots=True)
class RunStatus:
    """A run as people look at it. `state`: waiting, running, held, done, stopped, missed, withdrawn or set_aside.

    `rate`: people a second so far; `seconds_left`: until its end at this rate, where that can be said.
    """

    id: UUID
    canvas: str
    kind: str
    state: str
    at: datetime
    wall: datetime | None
    local: bool
    members: int
    outcomes: Mapping[str, int]
    gates: Mapping[str, int]
    reason: str | None
    began: datetime | None
    ended: datetime | None
    rate: float | None = None
    seconds_left: float | None = None
    done: int = field(default=0)


async def runs_of(db: Database, workspace: int, canvas: str | None = None) -> list[RunStatus]:
    """The latest hundred runs of a workspace, or of one canvas: those to come and at work first."""
    return [_status(row) for row in await db.pool.fetch(LIST, workspace, canvas)]


async def run_of(db: Database, workspace: int, identity: str) -> RunStatus:
    """One run by its id, or the beginning of it. Raises `NoRun`."""
    return _status(await db.pool.fetchrow(ONE, workspace, await _id(db.pool, workspace, identity)))


async def control(db: Database, workspace: int, identity: str, word: Word, who: str = "") -> RunStatus:
    """Hold a run, resume one that is held or was set aside, or stop it; returns how it stands then.

    Nobody enters by a run once its hold or stop is committed. Raises `NoRun` and `NotPossible`.
    """
    async with db.transaction() as connection:
        run = await _id(connection, workspace, identity)
        row = await connection.fetchrow(
            "select state, held, canvas from runs where workspace = $1 and id = $2 for update", workspace, run
        )
        again = word == "resume" and row["state"] == "set_aside"
        if row["state"] not in OPEN and not again:
            raise NotPossible(f"the run is over: it is {row['state']}")
        if word == "hold":
            await connection.execute(HOLD, workspace, run)
        elif word == "resume":
            await connection.execute(RESUME, workspace, run)
        else:
            await connection.execute(
                STOP, workspace, run, f"stopped by {who}" if who else "stopped by an operator"
            )
            await arrange_runs(connection, workspace, row["canvas"])  # the next occurrence comes as planned
        await connection.execute(NUDGE, workspace, run)
    return await run_of(db, workspace, identity)


async def _id(connection: Any, workspace: int, text: str) -> UUID:
    """The run that is meant by its id, or by the beginning of it where no other begins so."""
    found = await connection.fetch(BEGINS, workspace, text.lower()) if text else []
    if len(found) > 1:
        raise NoRun(f"several runs have an id that begins with “{text}”: write more of it")
    if not found:
        raise NoRun(f"no run has an id that begins with “{text}”: `journeys runs` lists them")
    return UUID(str(found[0]["id"]))


def _status(row: Mapping[str, Any]) -> RunStatus:
    outcomes = {name: row[name] for name in ("entered", "refused", "failed", "gone", "merged")}
    done = sum(outcomes.values())
    rate = left = None
    if row["began"] is not None:
        seconds = ((row["ended"] or row["now"]) - row["began"]).total_seconds()
        rate = done / seconds if seconds > 0 else None
        if row["state"] == "running" and rate:
            left = (row["members"] - done) / rate
    return RunStatus(
        row["id"], row["canvas"], row["kind"], row["state"], row["at"], row["wall"], row["instant"] is None, row["members"],
        outcomes, row["gates"], row["reason"], row["began"], row["ended"], rate, left, done,
    )  # fmt: skip
