"""`entries`: a person's entries, with the step, the reasons and the messages of each, and the refusals."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from cyclopts import Parameter
from rich.markup import escape
from rich.table import Table

from journeys.cli.addresses import database, workspace
from journeys.cli.console import Stop, out, print_json, run
from journeys.engine.intake.track_objects import identifier_of
from journeys.engine.people.identity import Identifier, find
from journeys.engine.store.database import Database
from journeys.engine.workspaces.published import Publication, Published, Unknown
from journeys.engine.workspaces.stored_plans import NotUnderstood

NAMED = "select label from aliases where workspace = $1 and name = $2 order by label limit 3"
FACTS = """
select f.at, f.canvas, f.entry, f.fact, f.step, f.data from facts f
where f.workspace = $1 and f.person = $2 order by f.stored, f.no
"""
ENTRIES = """
select e.id, e.canvas, e.variant, e.step, e.entered, e.begun, e.wake_at, e.phase, e.leaving, e.ended, e.ended_at,
    e.told >= e.turn as told, e.plan
from entries e where e.workspace = $1 and e.person = $2 order by e.entered, e.id
"""


def entries(
    person: str,
    *,
    name: Annotated[str, Parameter(["--workspace", "-w"])] = "default",
    as_json: Annotated[bool, Parameter("--json")] = False,
) -> int:
    """Show a person's entries: the step of each and since when, what was sent, and which canvases refused them and why.

    Parameters
    ----------
    person
        The person's external id, alias (`name`, or `label:name`), internal id, anonymous id, email or phone number.
    name
        The workspace.
    as_json
        Print it as JSON.
    """

    async def work(_: asyncio.Event) -> int:
        async with database() as db:
            publication = await workspace(db, name)
            found = await story(db, publication.workspace, person)
            if found is not None:
                await _name_unread(Published(db), publication, found)
        if found is None:
            raise Stop(f"there is no person “{person}” in {name}", 1)
        if as_json:
            print_json(found)
        else:
            show_story(found)
        return 0

    return run(work)


async def person_named(db: Database, workspace_id: int, given: str) -> UUID | None:
    """The person whom this text names: by external id first, then by what is weaker (IDN-6). None where it names nobody.

    Stops where it is an alias of several people.
    """
    labels = [row["label"] for row in await db.pool.fetch(NAMED, workspace_id, given)]
    aliases = [f"{label}\x1f{given}" for label in labels]
    if ":" in given:
        aliases.append(given.replace(":", "\x1f", 1))
    named: list[Identifier] = []
    for sort in ("external_id", "user_alias", "braze_id", "anonymous_id", "email", "phone"):
        if sort == "user_alias":
            named += [Identifier("user_alias", alias) for alias in aliases]
        elif isinstance(who := identifier_of({sort: given}), Identifier):
            named.append(who)
    async with db.pool.acquire() as connection:
        found = await find(connection, workspace_id, named)
    several = {found[one] for one in named if one.sort == "user_alias" and one in found}
    if len(several) > 1 and not any(one.sort == "external_id" for one in found):
        raise Stop(
            f"“{given}” is an alias of several people: write label:{given}, with {' or '.join(labels)}", 2
        )
    return next((found[one] for one in named if one in found), None)


async def story(db: Database, workspace_id: int, person: str) -> dict[str, Any] | None:
    """What happened to a person, as data; None for an unknown person."""
    identity = await person_named(db, workspace_id, person)
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


async def _name_unread(published: Published, publication: Publication, found: dict[str, Any]) -> None:
    """Say of each entry that waits for a process that understands its canvas why this one does not."""
    await published.of(publication.workspace)  # what it does not understand of segments and templates
    for entry in found["entries"]:
        plan = entry.pop("plan")
        if entry["ended"] is None:
            with suppress(Unknown):
                try:
                    await published.plan(publication.workspace, plan)
                except NotUnderstood as error:
                    entry["not_understood"] = error.reason


def _fact(row: Any) -> dict[str, Any]:
    return {"at": row["at"], "fact": row["fact"], "step": row["step"], "data": row["data"]}


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"


def state_of(entry: dict[str, Any]) -> str:
    """The state of an entry, in words."""
    if entry["ended"]:
        when = f" on {_minute(entry['ended_at'])}" if entry["ended_at"] else ""
        return f"ended: {entry['ended']}{when}"
    if entry["begun"] is None:
        told = "is informed" if entry["told"] else "is not informed yet"
        said = f"entered on {_minute(entry['entered'])}, not started yet; its workflow {told}"
    else:
        said = f"in {entry['step']} since {_minute(entry['begun'])}"
    if entry["wake_at"]:
        said += f", until {_minute(entry['wake_at'])}"
    if entry["leaving"]:
        said += f"; will leave at the end of the step: {entry['leaving']}"
    if entry.get("not_understood"):
        said += f"; it waits: this version does not understand its canvas: {entry['not_understood']}"
    return said


def show_story(found: dict[str, Any]) -> None:
    """Print what happened to a person."""
    for entry in found["entries"]:
        title = f"{entry['canvas']} ({entry['variant'] or '…'}): {state_of(entry)}"
        if not entry["facts"]:
            out.print(title, markup=False, style="italic")
            continue
        table = Table(title=title, title_justify="left")
        for column in ("when (UTC)", "what", "step", "details"):
            table.add_column(column)
        for fact in entry["facts"]:
            details = ", ".join(f"{key} {value}" for key, value in fact["data"].items())
            table.add_row(
                f"{fact['at']:%Y-%m-%d %H:%M:%S}", fact["fact"], fact["step"] or "", escape(details)
            )
        out.print(table)
    for fact in found["refused"]:
        out.print(
            f"{fact['at']:%Y-%m-%d %H:%M:%S}  refused by {fact['canvas']}: {fact['data'].get('reason')}{_more(fact['data'])}",
            markup=False,
        )
    if not found["entries"] and not found["refused"]:
        out.print("this person has not entered any canvas")


def _more(data: dict[str, Any]) -> str:
    """The details of a refusal besides its reason."""
    more = ", ".join(f"{key} {value}" for key, value in data.items() if key != "reason")
    return f" ({more})" if more else ""
