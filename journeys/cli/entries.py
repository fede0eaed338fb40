"""`entries`: a person's entries, with the step, the reasons and the messages of each, what waits, and the refusals."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from rich.markup import escape
from rich.table import Table

from journeys.canvas.events_and_commands import Entry, ZonesAnswer
from journeys.canvas.wall_clock import wall_of
from journeys.cli.addresses import database, workspace
from journeys.cli.console import out, print_json, run
from journeys.cli.options import AsJson, Workspace
from journeys.cli.stop import Stop
from journeys.engine.core.life import Change, current
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
    e.told >= e.turn as told, e.plan, e.entry_key as key, (
        select c.status from canvases c where (c.workspace, c.name) = (e.workspace, e.canvas) and e.ended is null) as status
from entries e where e.workspace = $1 and e.person = $2 order by e.entered, e.id
"""
CHANGES = """
select e.id, e.change, l.no, l.kind, l.at, l.stored, l.data->>'timers' as timers from entries e
join canvas_changes l on (l.workspace, l.canvas) = (e.workspace, e.canvas) and l.no > e.change
where e.workspace = $1 and e.person = $2 and e.ended is null order by e.id, l.no
"""
"""Those that the rows of open entries do not have behind them."""
REFUSALS = """
select at, canvas, gate, seen, times from refusals where workspace = $1 and person = $2
union all
select at, canvas, data ->> 'reason', data - 'reason', 1 from facts
where workspace = $1 and person = $2 and fact = 'refused'
order by at, canvas
"""
"""With those of earlier versions, which are facts."""
WAITING = """
select entry, step, channel, at, state, attempts, waits, greatest(not_before, case when claim is not null then lease end) as next
from dispatches where workspace = $1 and person = $2
union all
select entry, step, null, at, 'asks', tries, 0, not_before from fetches where workspace = $1 and person = $2
order by at, step
"""
ZONE = """
select coalesce(p.zone, w.zone) from people p join workspaces w on w.id = p.workspace where p.workspace = $1 and p.id = $2
"""


def entries(
    person: str,
    *,
    name: Workspace = "default",
    as_json: AsJson = False,
) -> int:
    """Show a person's entries: the step of each, what was sent or waits to be, and which canvases refused them and why.

    Times are UTC, with what the person's clock shows beside them.

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
                await _move_deadlines(db, publication, found)
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
    return None if identity is None else await story_of(db, workspace_id, identity)


async def story_of(db: Database, workspace_id: int, identity: UUID) -> dict[str, Any]:
    """What happened to this person, as data. The zone is the company's where the person has none."""
    of = workspace_id, identity
    facts = await db.pool.fetch(FACTS, *of)
    waiting = await db.pool.fetch(WAITING, *of)
    return {
        "person": str(identity),
        "zone": await db.pool.fetchval(ZONE, *of),
        "entries": [
            {
                **{key: value for key, value in dict(row).items() if key != "id"},
                "id": str(row["id"]),
                "facts": [_fact(fact) for fact in facts if fact["entry"] == row["id"]],
                "waiting": [
                    {key: value for key, value in one.items() if key != "entry"}
                    for one in waiting
                    if one["entry"] == row["id"]
                ],
            }
            for row in await db.pool.fetch(ENTRIES, *of)
        ],
        "refused": [dict(row) for row in await db.pool.fetch(REFUSALS, *of)],
    }


async def _move_deadlines(db: Database, publication: Publication, found: dict[str, Any]) -> None:
    """Say until when each entry waits after the pauses of its canvas, which its row has behind it at its next burst."""
    published, zones = Published(db), ZonesAnswer(publication.zone, found["zone"])
    changes: dict[str, list[Any]] = {}
    for row in await db.pool.fetch(CHANGES, publication.workspace, UUID(found["person"])):
        changes.setdefault(str(row["id"]), []).append(row)
    for one in found["entries"]:
        if one["id"] in changes:
            with suppress(Unknown, NotUnderstood):
                plan = await published.plan(publication.workspace, one["plan"])
                log = [Change(*tuple(row)[2:]) for row in changes[one["id"]]]
                there = Entry(
                    id=one["id"],
                    canvas=one["canvas"],
                    person=found["person"],
                    moved=one["entered"],
                    **{
                        name: one[name]
                        for name in ("entered", "variant", "step", "begun", "wake_at", "phase")
                    },
                )
                present = current(plan, there, changes[one["id"]][0]["change"], log, zones)
                one["wake_at"] = present.entry.wake_at or one["wake_at"]


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


def called(entry: dict[str, Any]) -> str:
    """An entry by its canvas, its key where it has one, and its variant."""
    of = "" if entry["key"] is None else f" for {entry['key']}"
    return f"{entry['canvas']}{of} ({entry['variant'] or '…'})"


def state_of(entry: dict[str, Any], zone: str = "UTC") -> str:
    """The state of an entry, in words."""
    if entry["ended"]:
        when = f" on {clock(entry['ended_at'], zone)}" if entry["ended_at"] else ""
        return f"ended: {entry['ended']}{when}"
    if entry["begun"] is None:
        told = "is informed" if entry["told"] else "is not informed yet"
        said = f"entered on {clock(entry['entered'], zone)}, not started yet; its workflow {told}"
    else:
        said = f"in {entry['step']} since {clock(entry['begun'], zone)}"
    if entry["wake_at"]:
        said += f", until {clock(entry['wake_at'], zone)}"
    if entry.get("status") in ("stopped", "paused"):
        said += f"; its canvas is {entry['status']}"
    if entry["leaving"]:
        said += f"; will leave at the end of the step: {entry['leaving']}"
    if entry.get("not_understood"):
        said += f"; it waits: this version does not understand its canvas: {entry['not_understood']}"
    return said


def show_story(found: dict[str, Any]) -> None:
    """Print what happened to a person."""
    zone = found["zone"]
    for entry in found["entries"]:
        title = f"{called(entry)}: {state_of(entry, zone)}"
        if entry["facts"]:
            out.print(_facts(title, entry["facts"], zone))
        else:
            out.print(title, markup=False, style="italic")
        for one in entry["waiting"]:
            out.print(f"  {_waits(one)}", markup=False, soft_wrap=True)
    for one in found["refused"]:
        often = f"; {one['times']} times, this is the last" if one["times"] > 1 else ""
        out.print(
            f"{clock(one['at'], zone)}  refused by {one['canvas']}: {one['gate']}{_seen(one['seen'])}{often}",
            markup=False,
            soft_wrap=True,
        )
    if not found["entries"] and not found["refused"]:
        out.print("this person has not entered any canvas")


def _facts(title: str, facts: list[dict[str, Any]], zone: str) -> Table:
    local = zone != "UTC"
    table = Table(title=title, title_justify="left")
    for column in ("when (UTC)", *([f"in {zone}"] if local else []), "what", "step", "details"):
        table.add_column(column)
    for fact in facts:
        details = ", ".join(f"{key} {value}" for key, value in fact["data"].items())
        there = [_local(fact["at"], zone, "%Y-%m-%d %H:%M:%S")] if local else []
        when = f"{fact['at']:%Y-%m-%d %H:%M:%S}"
        table.add_row(when, *there, fact["fact"], fact["step"] or "", escape(details))
    return table


def clock(at: datetime, zone: str) -> str:
    """An instant to the minute, with what the clock on the wall shows in the zone."""
    said = f"{at:%Y-%m-%d %H:%M} UTC"
    day = "%H:%M" if _local(at, zone, "%d") == f"{at:%d}" else "%Y-%m-%d %H:%M"
    return said if zone == "UTC" else f"{said} ({_local(at, zone, day)} in {zone})"


def _local(at: datetime, zone: str, form: str) -> str:
    return wall_of(at, zone).strftime(form)


def _waits(one: dict[str, Any]) -> str:
    """What waits to be delivered, or for the answer of a web service, and how often it was tried."""
    what = "waits for a web service" if one["state"] == "asks" else f"waits to leave by {one['channel']}"
    said = [f"{one['step']}: {what}"]
    if one["state"] in ("claimed", "calling"):
        said.append("a worker has it" if one["state"] == "claimed" else "its provider is being called")
    tried = one["attempts"]
    said.append(f"tried {tried} time{'' if tried == 1 else 's'}" if tried else "not tried yet")
    if one["waits"]:
        said.append(f"rendered again {one['waits']} times, since a web service did not answer")
    if one["next"]:
        said.append(f"not before {one['next']:%Y-%m-%d %H:%M:%S} UTC")
    return ", ".join(said)


def _seen(seen: dict[str, Any]) -> str:
    """What a gate saw."""
    if "filter" in seen:
        within = f" (of the segment {seen['segment']})" if "segment" in seen else ""
        return f": {seen['filter']}{within}; saw {said_value(seen['saw'])}"
    if "limit" in seen:
        per = "in all" if seen["per"] == "lifetime" else f"in each {seen['per']}"
        again = f", there are places again from {seen['until']} on" if "until" in seen else ""
        return f": {seen['limit']:,} {per} have entered{again}"
    more = ", ".join(
        f"{name.replace('_', ' ')} {'nothing' if value is None else value}" for name, value in seen.items()
    )
    return f" ({more})" if more else ""


def said_value(saw: Any) -> str:
    """What a filter saw, in words."""
    match saw:
        case None | {"times": 0}:
            return "nothing"
        case {"times": times, "last": last}:
            return f"it {times} time{'' if times == 1 else 's'}, last on {last}"
        case {"last": last}:
            return f"it, last on {last}"
    return msgspec.json.encode(saw).decode()
