"""`publish`, `keys`, `import`, `trigger`, `entries`: what one does with a workspace."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import uuid4

from cyclopts import Parameter
from rich.table import Table

from journeys.channels.base import kinds
from journeys.cli.console import Stop, bar, err, out, print_json, run, show_problems
from journeys.cli.places import database, workspace
from journeys.engine.catalogs.schema import Conflict
from journeys.engine.clock import Clock
from journeys.engine.intake.csv import Imported, Unusable, import_file
from journeys.engine.keys import ALL, Taken, UnknownPermission, create_key
from journeys.engine.ports import Silent
from journeys.engine.published import Published
from journeys.engine.publishing import publish as run_publication
from journeys.engine.publishing import workspace_of
from journeys.engine.store.database import Database
from journeys.engine.triggering import Trigger, Wanted
from journeys.engine.validate import validate as run_checks


def publish(*paths: Path, name: Annotated[str, Parameter(["--workspace", "-w"])] = "default") -> int:
    """Put definitions into a workspace, which is made if new: all of them, or none where something is wrong.

    Parameters
    ----------
    paths
        Files and folders, YAML and Python; `definitions` where none is given.
    name
        The workspace.
    """
    found = run_checks(list(paths) or [Path("definitions")], kinds())
    wrong = [problem for problem in found.problems if not problem.warning]
    show_problems(found.problems)
    if wrong:
        raise Stop(f"nothing was published: {len(wrong)} problem{'s' if len(wrong) > 1 else ''}")

    async def work(_: asyncio.Event) -> int:
        async with database() as db:
            try:
                changes = await run_publication(db, name, found)
            except Conflict as conflict:
                raise Stop(f"nothing was published: {conflict}") from conflict
        for word, names in (("new", changes.new), ("changed", changes.changed)):
            for kind, one in names:
                out.print(f"{word:<8} {kind:<13} {one}")
        out.print(
            f"published to {name}: {len(changes.new)} new, {len(changes.changed)} changed, {changes.same} as they were"
        )
        return 0

    return run(work)


def keys_create(
    *,
    name: str,
    workspace_name: Annotated[str, Parameter(["--workspace", "-w"])] = "default",
    every: Annotated[bool, Parameter("--all")] = False,
    permission: tuple[str, ...] = (),
) -> int:
    """Make an API key and print it, once: nobody can read it again.

    Parameters
    ----------
    name
        What it is for.
    workspace_name
        The workspace that it belongs to, made if new.
    every
        It may do everything.
    permission
        What it may do: users.track, canvas.trigger.send …
    """
    if not every and not permission:
        raise Stop("say what the key may do: --all, or --permission users.track", 2)

    async def work(_: asyncio.Event) -> int:
        async with database() as db:
            identity = await workspace_of(db, workspace_name)
            try:
                key = await create_key(db, identity, name, [ALL] if every else permission)
            except (Taken, UnknownPermission) as taken:
                raise Stop(str(taken)) from taken
        print(key)
        return 0

    return run(work)


def import_(
    path: Path,
    *,
    name: Annotated[str, Parameter(["--workspace", "-w"])] = "default",
    kind: Literal["attributes", "events"] = "attributes",
    report: Path | None = None,
    after_line: int = 0,
) -> int:
    """Import people (or what they did) from a CSV file. Wrong rows are reported and stop no other.

    The report has the refused rows with line and reason; mend it and import it.

    Parameters
    ----------
    path
        The file: UTF-8, a header, a column that says who.
    name
        The workspace.
    kind
        What its rows are.
    report
        Where to write the refused rows; beside the file where nothing is said.
    after_line
        Go on after this line, where an import was stopped.
    """

    async def work(stop: asyncio.Event) -> int:
        async with database() as db:
            publication = await workspace(db, name)
            parts = (db, Published(db), Clock(), Silent(), Silent())
            size = path.stat().st_size if path.exists() else 0
            refused = report or path.with_suffix(".refused.csv")
            try:
                with bar(path.name, size) as progress:
                    result = await import_file(
                        parts,
                        publication.workspace,
                        path,
                        kind=kind,
                        report=refused,
                        progress=progress,
                        stop=stop,
                        after_line=after_line,
                    )
            except Unusable as error:
                raise Stop(str(error), 2) from error
        _told(result, path, refused)
        return 130 if result.stopped else 1 if result.refusals else 0

    return run(work)


def _told(result: Imported, path: Path, report: Path) -> None:
    out.print(
        f"{path.name}: {result.rows:,} rows, {result.taken:,} taken ({result.created:,} people created, "
        f"{result.updated:,} updated), {result.refusals:,} refused"
    )
    for line, text in result.warnings[:10]:
        err.print(f"  line {line}: {text}", markup=False)
    if result.refusals:
        err.print("refused:")
        for line, reason in result.refused[:5]:
            err.print(f"  line {line}: {reason}", markup=False)
        err.print(f"all refused rows: {report}", markup=False)
    if result.stopped:
        err.print(
            f"stopped after line {result.line}: go on with --after-line {result.line}, or import it again"
        )


def trigger(
    canvas: str,
    *people: str,
    name: Annotated[str, Parameter(["--workspace", "-w"])] = "default",
    context: str = "{}",
) -> int:
    """Let people into a canvas that is triggered by API; a running worker carries them on.

    Parameters
    ----------
    canvas
        The canvas.
    people
        External ids.
    name
        The workspace.
    context
        Entry properties as JSON.
    """
    import json

    from journeys.engine.people.identify import Identifier

    try:
        carried = json.loads(context)
    except ValueError as error:
        raise Stop(f"--context is not JSON: {error}", 2) from error
    if not people:
        raise Stop("say whom: journeys trigger CANVAS EXTERNAL_ID …", 2)

    async def work(_: asyncio.Event) -> int:
        async with database() as db:
            publication = await workspace(db, name)
            running = publication.canvas(canvas)
            if running is None or running.plan.canvas.schedule.api is None:
                known = [one.name for one in publication.running.values() if one.plan.canvas.schedule.api]
                raise Stop(
                    f"there is no canvas “{canvas}” for the API: there is {', '.join(known) or 'none'}", 2
                )
            parts = Trigger(db, Published(db), Clock(), Silent(), Silent())
            wanted = [Wanted(Identifier("external_id", person), carried) for person in people]
            done = await parts.named(publication, running, str(uuid4()), wanted, None)
        out.print(f"{done.entered} entered, {len(people) - done.entered - len(done.refused)} unknown")
        for person, reason in done.refused:
            err.print(f"refused: {person}: {reason}")
        return 0 if done.entered == len(people) else 1

    return run(work)


FACTS = """
select f.at, f.canvas, f.entry, f.fact, f.step, f.data from facts f
where f.workspace = $1 and f.person = $2 order by f.stored, f.no
"""
ENTRIES = """
select e.id, e.canvas, e.variant, e.step, e.begun, e.wake_at, e.ended, e.entered, e.phase from entries e
where e.workspace = $1 and e.person = $2 order by e.entered
"""


def entries(
    person: str,
    *,
    name: Annotated[str, Parameter(["--workspace", "-w"])] = "default",
    as_json: Annotated[bool, Parameter("--json")] = False,
) -> int:
    """Show a person's entries: where she stands and since when, what was sent, and where she did not get in and why.

    Parameters
    ----------
    person
        Her external id, email, or our id.
    name
        The workspace.
    as_json
        Print it as JSON.
    """

    async def work(_: asyncio.Event) -> int:
        async with database() as db:
            publication = await workspace(db, name)
            found = await story(db, publication.workspace, person)
        if found is None:
            raise Stop(f"nobody in {name} is called “{person}”", 1)
        if as_json:
            print_json(found)
        else:
            show_story(found)
        return 0

    return run(work)


async def story(db: Database, workspace_id: int, person: str) -> dict[str, Any] | None:
    """What happened to a person, as data; None where nobody is called so."""
    identity = await db.pool.fetchval(
        "select id from people where workspace = $1 and (external_id = $2 or email = $2 or id::text = $2) "
        "order by external_id = $2 desc nulls last limit 1",
        *(workspace_id, person),
    )
    if identity is None:
        return None
    facts = await db.pool.fetch(FACTS, workspace_id, identity)
    rows = await db.pool.fetch(ENTRIES, workspace_id, identity)
    return {
        "person": str(identity),
        "entries": [
            {
                **{key: value for key, value in dict(row).items() if key != "id"},
                "id": str(row["id"]),
                "facts": [_fact(fact) for fact in facts if fact["entry"] == row["id"]],
            }
            for row in rows
        ],
        "refused": [_fact(fact) | {"canvas": fact["canvas"]} for fact in facts if fact["fact"] == "refused"],
    }


def _fact(row: Any) -> dict[str, Any]:
    return {"at": row["at"], "fact": row["fact"], "step": row["step"], "data": row["data"]}


def show_story(found: dict[str, Any]) -> None:
    """Print what happened to a person."""
    for entry in found["entries"]:
        state = (
            f"ended: {entry['ended']}"
            if entry["ended"]
            else f"in {entry['step']} since {entry['begun']:%Y-%m-%d %H:%M}"
        )
        if entry["wake_at"]:
            state += f", until {entry['wake_at']:%Y-%m-%d %H:%M}"
        table = Table(title=f"{entry['canvas']} ({entry['variant'] or '…'}): {state}", title_justify="left")
        for column in ("when (UTC)", "what", "step", "details"):
            table.add_column(column)
        for fact in entry["facts"]:
            details = ", ".join(f"{key} {value}" for key, value in fact["data"].items())
            table.add_row(f"{fact['at']:%Y-%m-%d %H:%M:%S}", fact["fact"], fact["step"] or "", details)
        out.print(table)
    for fact in found["refused"]:
        out.print(
            f"{fact['at']:%Y-%m-%d %H:%M:%S}  not let into {fact['canvas']}: {fact['data'].get('reason')}"
        )
    if not found["entries"] and not found["refused"]:
        out.print("no canvas has met this person yet")
