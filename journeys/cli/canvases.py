"""`journeys canvas`: what runs is listed, stopped, resumed and archived."""

from __future__ import annotations

import asyncio
import getpass
from typing import Annotated

from cyclopts import Parameter
from rich.table import Table

from journeys.cli.addresses import database, workspace
from journeys.cli.console import Stop, bar, out, print_json, run
from journeys.engine.clock import Clock
from journeys.engine.core.life import Word
from journeys.engine.entries.burst import Bursts
from journeys.engine.entries.following_changes import FollowingChanges
from journeys.engine.ports import NullNotifier
from journeys.engine.store.database import Database
from journeys.engine.store.shared_clock import read_clock
from journeys.engine.workspaces.canvas_changes import (
    Archived,
    NoCanvas,
    Standing,
    canvases_of,
    change,
    waiting,
)
from journeys.engine.workspaces.published import Published

Workspace = Annotated[str, Parameter(["--workspace", "-w"])]


def list_(
    *,
    workspace_name: Workspace = "default",
    every: Annotated[bool, Parameter("--all")] = False,
    as_json: Annotated[bool, Parameter("--json")] = False,
) -> int:
    """Show the canvases of a workspace: the status, since when it is so, and how many entries are inside.

    Parameters
    ----------
    workspace_name
        The workspace.
    every
        Show the archived ones as well.
    as_json
        Print them as JSON.
    """

    async def work(_: asyncio.Event) -> int:
        async with database() as db:
            publication = await workspace(db, workspace_name)
            now = (await read_clock(db)).now()
            found = await canvases_of(db, publication, now)
        shown = [one for one in found if every or one.status != "archived"]
        if as_json:
            print_json([
                {
                    "name": one.name, "id": str(one.id), "status": one.status, "since": one.since,
                    "inside": one.inside,
                }
                for one in shown
            ])  # fmt: skip
            return 0
        table = Table()
        for column in ("canvas", "status", "since (UTC)", "inside"):
            table.add_column(column, justify="right" if column == "inside" else "left")
        for one in shown:
            table.add_row(one.name, one.status, f"{one.since:%Y-%m-%d %H:%M}", f"{one.inside:,}")
        out.print(table if shown else "there is no canvas")
        if hidden := len(found) - len(shown):
            out.print(f"{_many(hidden, 'archived canvas', 'archived canvases')} not shown: --all shows them")
        return 0

    return run(work)


def stop(name: str, *, workspace_name: Workspace = "default") -> int:
    """Stop a canvas: nobody enters, nobody advances, nothing more leaves. Who is inside stays there until it is resumed.

    What falls due until then ends its entry, and a message that falls due is dropped.

    Parameters
    ----------
    name
        The canvas.
    workspace_name
        The workspace.
    """

    async def work(_: asyncio.Event) -> int:
        async with database() as db:
            clock = await read_clock(db)
            identity, standing = await _changed(db, workspace_name, name, "stop", clock)
            inside, messages = await waiting(db, identity, name)
        out.print(_said(standing))
        out.print(
            f"inside: {_many(inside, 'entry', 'entries')}; not sent: {_many(messages, 'message', 'messages')}; "
            f"`journeys canvas resume {name}` lets them go on, `journeys canvas archive {name}` ends them",
            markup=False,
        )
        return 0

    return run(work)


def resume(name: str, *, workspace_name: Workspace = "default") -> int:
    """Let a canvas that was stopped go on. Whoever was due meanwhile leaves it, the others go on as planned.

    Parameters
    ----------
    name
        The canvas.
    workspace_name
        The workspace.
    """

    async def work(_: asyncio.Event) -> int:
        async with database() as db:
            clock = await read_clock(db)
            identity, standing = await _changed(db, workspace_name, name, "resume", clock)
            await followed(db, clock, identity, name)
        out.print(_said(standing))
        return 0

    return run(work)


def archive(name: str, *, workspace_name: Workspace = "default") -> int:
    """End a canvas: who is inside leaves it, what was not sent is withdrawn, and nobody enters it any more.

    `journeys publish --restore` with its definition lets it run again, for new entries.

    Parameters
    ----------
    name
        The canvas.
    workspace_name
        The workspace.
    """

    async def work(_: asyncio.Event) -> int:
        async with database() as db:
            clock = await read_clock(db)
            identity, standing = await _changed(db, workspace_name, name, "archive", clock)
            ended = await followed(db, clock, identity, name)
        out.print(_said(standing))
        if ended:
            out.print(f"{_many(ended, 'entry has', 'entries have')} left it")
        return 0

    return run(work)


async def followed(db: Database, clock: Clock, workspace_id: int, name: str) -> int:
    """See to those inside a canvas after its last change; the workers tell their workflows."""
    none = NullNotifier()
    following = FollowingChanges(db, Bursts(db, Published(db), clock, none), clock, none)
    inside, _ = await waiting(db, workspace_id, name)
    with bar(name, inside) as progress:
        return await following.follow(workspace_id, name, progress=progress)


def whoever() -> str:
    """Who types this, as the system calls them."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""


async def _changed(
    db: Database, workspace_name: str, name: str, word: Word, clock: Clock
) -> tuple[int, Standing]:
    publication = await workspace(db, workspace_name)
    try:
        standing = await change(db, publication.workspace, name, word, at=clock.now(), who=whoever())
    except (NoCanvas, Archived) as error:
        raise Stop(str(error), 2) from error
    return publication.workspace, standing


def _said(standing: Standing) -> str:
    again = "" if standing.new else ", as it was before"
    return f"{standing.name} is {standing.status} since {standing.since:%Y-%m-%d %H:%M} UTC{again}"


def _many(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"
