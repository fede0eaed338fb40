"""`journeys canvas show`: what there is to say of one canvas."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any

from rich.markup import escape
from rich.table import Table

from journeys.canvas.in_words import scheduled
from journeys.cli.addresses import database, workspace
from journeys.cli.audience_shown import gates_of, lines, looked_up_in, reach_in
from journeys.cli.canvases import MOST_CHANGES, many
from journeys.cli.console import out, print_json, run
from journeys.cli.finding import Named, the_person, typed_name
from journeys.cli.options import AsJson, Workspace
from journeys.cli.stop import Stop
from journeys.engine.store.shared_clock import read_clock
from journeys.engine.workspaces.canvas_changes import Logged, NoCanvas, canvases_of, log_of, waiting
from journeys.engine.workspaces.canvas_changes import named as canvas_named
from journeys.engine.workspaces.published import Publication
from journeys.engine.workspaces.upcoming import upcoming_of


def show(
    name: str,
    *,
    person: str | None = None,
    named: Named | None = None,
    reach: bool = False,
    workspace_name: Workspace = "default",
    as_json: AsJson = False,
) -> int:
    """Show a canvas: its status, its schedule, who may enter, the number of entries inside, and the log of its changes.

    With `--person` how each filter of its audience sees them, with `--reach` how many it reaches.

    Parameters
    ----------
    name
        The canvas, by its name or id.
    person
        The external id of a person to look up; or another name of theirs, where nobody has it as external id.
    named
        Other names.
    reach
        Count the audience, and who of it can be reached by each channel of the canvas: it looks at everybody.
    workspace_name
        The workspace.
    as_json
        Print it as JSON.
    """

    async def work(_: asyncio.Event) -> int:
        async with database() as db:
            publication = await workspace(db, workspace_name)
            now = (await read_clock(db)).now()
            try:
                known = await canvas_named(db, publication.workspace, name)
            except NoCanvas as error:
                raise Stop(str(error), 2) from error
            [one] = [each for each in await canvases_of(db, publication, now) if each.name == known]
            inside, messages = await waiting(db, publication.workspace, known)
            log = await log_of(db, publication.workspace, known, None, MOST_CHANGES)
            upcoming = await upcoming_of(db, publication, known, now)
            who: dict[str, Any] = {}
            typed = ""
            if (running := publication.running.get(known)) is not None:
                who = await gates_of(db, publication, running, now)
                if person is not None or named is not None:
                    identity = await the_person(db, publication.workspace, workspace_name, person, named)
                    who["person"] = await looked_up_in(db, publication, running, identity, now)
                    typed = typed_name(person, named)
                if reach:
                    who["reach"] = asdict(await reach_in(db, publication, running, now))
        schedule = _schedule(publication, known)
        if as_json:
            print_json({
                "name": one.name, "id": str(one.id), "status": one.status, "since": one.since,
                "schedule": schedule, "upcoming": [each.as_json() for each in upcoming], **who, "inside": inside, "not_sent": messages,
                "changes": [
                    {"no": each.no, "at": each.at, "who": each.who, "what": each.what, **each.data}
                    for each in log
                ],
            })  # fmt: skip
            return 0
        out.print(f"{one.name} is {one.status} since {one.since:%Y-%m-%d %H:%M} UTC", markup=False)
        out.print(f"enter by: {schedule}", markup=False, soft_wrap=True)
        for each in upcoming:
            out.print(f"  {each}", markup=False, soft_wrap=True)
        for line in lines(who, typed) if who else ():
            out.print(line, markup=False, soft_wrap=True)
        out.print(
            f"inside: {many(inside, 'entry', 'entries')}; not sent: {many(messages, 'message', 'messages')}"
        )
        out.print(_changes(log))
        return 0

    return run(work)


def _schedule(publication: Publication, canvas: str) -> str:
    """The schedule of a canvas in words."""
    if canvas in publication.aside:
        return f"this version does not understand the canvas: {publication.aside[canvas].reason}"
    return scheduled(publication.running[canvas].plan.canvas)


def _changes(log: list[Logged]) -> Table:
    table = Table(title="changes, the last one first", title_justify="left")
    for column in ("when (UTC)", "who", "what", "details"):
        table.add_column(column)
    for each in log:
        details = ", ".join(name if value is True else f"{name} {value}" for name, value in each.data.items())
        table.add_row(f"{each.at:%Y-%m-%d %H:%M:%S}", escape(each.who), each.what, escape(details))
    return table
