"""`journeys runs`: lists runs, shows one, and holds, resumes and stops it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

from cyclopts import Parameter
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from journeys.cli.addresses import database, workspace
from journeys.cli.canvases import user_name
from journeys.cli.console import bar, err, out, print_json, run
from journeys.cli.options import AsJson, Workspace
from journeys.cli.stop import Stop
from journeys.engine.store.database import Database
from journeys.engine.workspaces.canvas_changes import NoCanvas, named
from journeys.engine.workspaces.run_control import (
    NoRun,
    NotPossible,
    RunStatus,
    Word,
    control,
    run_of,
    runs_of,
)

BETWEEN = 1.0
"""Seconds between two looks at a run that is followed."""


def list_(
    canvas: str | None = None,
    *,
    follow: Annotated[bool, Parameter("--follow")] = False,
    workspace_name: Workspace = "default",
    as_json: AsJson = False,
) -> int:
    """List the latest runs: those to come and at work first, with how far they are and what became of their people.

    Parameters
    ----------
    canvas
        Only those of this canvas.
    follow
        Go on until none of them is at work: with their rate, when they end at this rate, and who was kept out by which gate.
    workspace_name
        The workspace.
    as_json
        Print them as JSON.
    """

    async def work(stop: asyncio.Event) -> int:
        async with database() as db:
            publication = await workspace(db, workspace_name)
            try:
                known = None if canvas is None else await named(db, publication.workspace, canvas)
            except NoCanvas as error:
                raise Stop(str(error), 2) from error
            found = await runs_of(db, publication.workspace, known)
            with Live(console=err, transient=True, auto_refresh=False) as live:
                while follow and any(one.state == "running" for one in found) and not stop.is_set():
                    if err.is_terminal:
                        live.update(_table(found, following=True), refresh=True)
                    await asyncio.wait({asyncio.ensure_future(stop.wait())}, timeout=BETWEEN)
                    found = await runs_of(db, publication.workspace, known)
        if as_json:
            print_json([_plain(one) for one in found])
        else:
            out.print(_table(found, following=follow) if found else "there are no runs")
        return 0

    return run(work)


def _table(found: Sequence[RunStatus], *, following: bool) -> Table:
    table = Table()
    for column in (*COLUMNS, *(FOLLOWED if following else ())):
        table.add_column(column, justify="right" if column in NUMBERS else "left", no_wrap=column == "id")
    for one in found:
        numbers = (
            one.members,
            one.done,
            one.outcomes["entered"],
            one.outcomes["refused"],
            one.outcomes["failed"],
        )
        followed = (
            "" if one.rate is None else f"{one.rate:,.0f}",
            "" if one.seconds_left is None else f"{one.seconds_left:,.0f} s",
            ", ".join(f"{gate} ({count:,})" for gate, count in sorted(one.gates.items())),
        )
        table.add_row(
            str(one.id),
            escape(one.canvas),
            f"{one.wall:%Y-%m-%d %H:%M} local" if one.local and one.wall else f"{one.at:%Y-%m-%d %H:%M} UTC",
            one.state,
            *map("{:,}".format, numbers),
            *(followed if following else ()),
        )
    return table


COLUMNS = ("id", "canvas", "begins", "state", "people", "done", "entered", "refused", "failed")
FOLLOWED = ("a second", "left", "kept out by")
NUMBERS = {"people", "done", "entered", "refused", "failed", "a second", "left"}


def show(
    identity: str,
    *,
    follow: Annotated[bool, Parameter("--follow")] = False,
    workspace_name: Workspace = "default",
    as_json: AsJson = False,
) -> int:
    """Show a run: how far it is, how fast, when it ends at this rate, and what became of its people, by outcome and gate.

    Parameters
    ----------
    identity
        The id of the run.
    follow
        Go on until it is over.
    workspace_name
        The workspace.
    as_json
        Print it as JSON.
    """

    async def work(stop: asyncio.Event) -> int:
        async with database() as db:
            publication = await workspace(db, workspace_name)
            found = await _one(db, publication.workspace, identity)
            with bar(found.canvas, found.members) as progress:
                while follow and found.ended is None and not stop.is_set():
                    progress(found.done, found.members)  # none until its audience is asked
                    await asyncio.wait({asyncio.ensure_future(stop.wait())}, timeout=BETWEEN)
                    found = await _one(db, publication.workspace, identity)
        if as_json:
            print_json(_plain(found))
        else:
            _print(found)
        return 0

    return run(work)


def hold(identity: str, *, workspace_name: Workspace = "default") -> int:
    """Hold a run: nobody enters by it until it is resumed.

    Parameters
    ----------
    identity
        The id of the run.
    workspace_name
        The workspace.
    """
    return _change(identity, "hold", workspace_name)


def resume(identity: str, *, workspace_name: Workspace = "default") -> int:
    """Resume a run that is held, or one that was set aside because it failed again and again.

    Parameters
    ----------
    identity
        The id of the run.
    workspace_name
        The workspace.
    """
    return _change(identity, "resume", workspace_name)


def stop(identity: str, *, workspace_name: Workspace = "default") -> int:
    """Stop a run for good: who has not entered by it does not enter. The next occurrence of a schedule comes as planned.

    Parameters
    ----------
    identity
        The id of the run.
    workspace_name
        The workspace.
    """
    return _change(identity, "stop", workspace_name)


def _change(identity: str, word: Word, workspace_name: str) -> int:
    async def work(_: asyncio.Event) -> int:
        async with database() as db:
            publication = await workspace(db, workspace_name)
            try:
                found = await control(db, publication.workspace, identity, word, user_name())
            except (NoRun, NotPossible) as error:
                raise Stop(str(error), 2) from error
        _print(found)
        return 0

    return run(work)


async def _one(db: Database, workspace_id: int, identity: str) -> RunStatus:
    try:
        return await run_of(db, workspace_id, identity)
    except NoRun as error:
        raise Stop(str(error), 2) from error


def _print(one: RunStatus) -> None:
    begins = (
        f"{one.wall:%Y-%m-%d %H:%M} by each person's own clock"
        if one.local and one.wall
        else f"{one.at:%Y-%m-%d %H:%M} UTC"
    )
    lines = [f"run {one.id} of {one.canvas}: {one.state}, {'began' if one.began else 'begins'} {begins}"]
    if one.reason:
        lines.append(f"because {one.reason}")
    came = ", ".join(f"{count:,} {outcome}" for outcome, count in one.outcomes.items() if count)
    if one.began is None and not one.members:
        lines.append(f"its audience {'was' if one.ended else 'is'} not asked{'' if one.ended else ' yet'}")
    else:
        lines.append(f"{one.done:,} of {one.members:,} people" + _speed(one))
        lines.append(came or ("nobody" if one.ended else "nobody yet"))
    if one.gates:
        lines.append(
            "kept out by " + ", ".join(f"{gate} ({count:,})" for gate, count in sorted(one.gates.items()))
        )
    for line in lines:
        out.print(line, markup=False, soft_wrap=True)


def _speed(one: RunStatus) -> str:
    said = "" if one.rate is None else f", {one.rate:,.0f} a second"
    return said if one.seconds_left is None else f"{said}, about {one.seconds_left:,.0f} s left"


def _plain(one: RunStatus) -> dict[str, Any]:
    return {**asdict(one), "id": str(one.id)}
