"""`journeys canvas`: lists and shows canvases, and stops, pauses, resumes and archives them."""

from __future__ import annotations

import asyncio
import getpass
from typing import Annotated

from cyclopts import Parameter
from rich.table import Table

from journeys.cli.addresses import database, workspace
from journeys.cli.console import bar, err, out, print_json, run
from journeys.cli.options import AsJson, Workspace
from journeys.cli.stop import Stop
from journeys.engine.clock import Clock
from journeys.engine.core.life import Timers, Word
from journeys.engine.entries.burst import Bursts
from journeys.engine.entries.following_changes import FollowingChanges
from journeys.engine.ports import NullNotifier
from journeys.engine.store.database import Database
from journeys.engine.store.shared_clock import read_clock
from journeys.engine.workspaces.canvas_changes import (
    CanvasStatus,
    NoCanvas,
    NotPossible,
    canvases_of,
    change,
    waiting,
)
from journeys.engine.workspaces.published import Published

MOST_CHANGES = 1000
"""Changes that `show` prints."""


def list_(
    *,
    workspace_name: Workspace = "default",
    every: Annotated[bool, Parameter("--all")] = False,
    as_json: AsJson = False,
) -> int:
    """List the canvases of a workspace: the status and since when, and the number of entries that have not ended.

    Parameters
    ----------
    workspace_name
        The workspace.
    every
        Show archived canvases too.
    as_json
        Print them as JSON.
    """

    async def work(_: asyncio.Event) -> int:
        async with database() as db:
            publication = await workspace(db, workspace_name)
            now = (await read_clock(db)).now()
            found = await canvases_of(db, publication, now)
        shown = [one for one in found if every or one.status != "archived"]  # STA-1
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
        out.print(table if shown else "there are no canvases")
        for error in publication.aside.values():
            err.print(str(error), markup=False, soft_wrap=True)
        if hidden := len(found) - len(shown):
            out.print(f"{many(hidden, 'archived canvas', 'archived canvases')} not shown: --all shows them")
        return 0

    return run(work)


def stop(name: str, *, workspace_name: Workspace = "default") -> int:
    """Stop a canvas: no one enters, no entry advances, no message is sent. Entries wait until the canvas is resumed.

    An entry that is due before the resume ends then, and a message that is due before it is dropped.

    Parameters
    ----------
    name
        The canvas.
    workspace_name
        The workspace.
    """
    return _halt(
        name,
        "stop",
        workspace_name,
        "continue with `journeys canvas resume {name}`, end with `journeys canvas archive {name}`",
    )


def pause(name: str, *, workspace_name: Workspace = "default") -> int:
    """Pause a canvas: who enters by event or API waits before their first step, no entry advances, no message is sent.

    What is done with what falls due meanwhile is said at the resume.

    Parameters
    ----------
    name
        The canvas.
    workspace_name
        The workspace.
    """
    return _halt(
        name,
        "pause",
        workspace_name,
        "continue with `journeys canvas resume {name} --timers shift`, or send, or skip",
    )


def resume(name: str, *, timers: Timers | None = None, workspace_name: Workspace = "default") -> int:
    """Resume a canvas that is stopped or paused, or launch a draft.

    After a stop, entries that were due meanwhile leave the canvas, and the others go on as planned.

    Parameters
    ----------
    name
        The canvas.
    timers
        After a pause, what is done with what fell due meanwhile. shift (the default): all waits become longer by the pause;
        send: it goes on at once; skip: messages whose instant fell into the pause are not sent.
    workspace_name
        The workspace.
    """

    async def work(_: asyncio.Event) -> int:
        async with database() as db:
            clock = await read_clock(db)
            identity, changed = await _changed(db, workspace_name, name, "resume", clock, timers)
            await followed(db, clock, identity, changed.name)
        out.print(_said(changed))
        if changed.timers:
            out.print(f"what fell due during the pause: {TIMERS[changed.timers]}")
        return 0

    return run(work)


def archive(name: str, *, workspace_name: Workspace = "default") -> int:
    """Archive a canvas: its entries end, unsent messages are withdrawn, and no one enters it any more.

    `journeys publish --restore` with its definition makes a draft of it, for new entries once it is launched.

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
            identity, changed = await _changed(db, workspace_name, name, "archive", clock)
            ended = await followed(db, clock, identity, changed.name)
        out.print(_said(changed))
        if ended:
            out.print(f"{many(ended, 'entry has', 'entries have')} ended")
        return 0

    return run(work)


async def followed(db: Database, clock: Clock, workspace_id: int, name: str) -> int:
    """Bring the entries of a canvas up to date after its last change; the workers inform their workflows."""
    none = NullNotifier()
    following = FollowingChanges(db, Bursts(db, Published(db), clock, none), clock, none)
    inside, _ = await waiting(db, workspace_id, name)
    with bar(name, inside) as progress:
        return await following.follow(workspace_id, name, progress=progress)


def user_name() -> str:
    """The user who runs this command, by the name of the system account."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""


TIMERS = {
    "shift": "it comes later, by what was waited of the pause",
    "send": "it goes on at once",
    "skip": "its messages are not sent, and the entries go on",
}
"""What is said of each choice."""


def _halt(name: str, word: Word, workspace_name: str, then: str) -> int:
    """Stop or pause a canvas, and say what waits in it and what to do `then` with `{name}`."""

    async def work(_: asyncio.Event) -> int:
        async with database() as db:
            clock = await read_clock(db)
            identity, changed = await _changed(db, workspace_name, name, word, clock)
            inside, messages = await waiting(db, identity, changed.name)
        out.print(_said(changed))
        out.print(
            f"inside: {many(inside, 'entry', 'entries')}; not sent: {many(messages, 'message', 'messages')}; "
            + then.format(name=changed.name),
            markup=False,
        )
        return 0

    return run(work)


async def _changed(
    db: Database, workspace_name: str, name: str, word: Word, clock: Clock, timers: Timers | None = None
) -> tuple[int, CanvasStatus]:
    publication = await workspace(db, workspace_name)
    try:
        changed = await change(
            db, publication.workspace, name, word, at=clock.now(), who=user_name(), timers=timers
        )
    except (NoCanvas, NotPossible) as error:
        raise Stop(str(error), 2) from error
    return publication.workspace, changed


def _said(changed: CanvasStatus) -> str:
    again = "" if changed.new else " (unchanged)"
    return f"{changed.name} is {changed.status} since {changed.since:%Y-%m-%d %H:%M} UTC{again}"


def many(count: int, one: str, several: str) -> str:
    """A count with its noun."""
    return f"{count:,} {one if count == 1 else several}"
