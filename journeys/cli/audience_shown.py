"""Who the audience of a canvas is, how a person stands to it, and how many can be reached by which channel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from journeys.canvas.in_words import in_words
from journeys.channels.base import channel_of, kinds
from journeys.cli.console import bar
from journeys.cli.entries import said_value
from journeys.engine.audience.kept_out import looked_up
from journeys.engine.audience.match import needs
from journeys.engine.core.gates import period_of
from journeys.engine.delivery.reach import Reach, channels_of, reach_of
from journeys.engine.entries.entry_counters import taken
from journeys.engine.people.profiles import history, load
from journeys.engine.store.database import Database
from journeys.engine.workspaces.published import Publication, Running


async def gates_of(db: Database, publication: Publication, running: Running, now: datetime) -> dict[str, Any]:
    """Who may enter: the audience in words, and how many places of its entry limit are taken now."""
    canvas = running.plan.canvas
    said: dict[str, Any] = {
        "audience": None if canvas.audience is None else in_words(canvas.audience),
    }
    if canvas.entry_limit is not None and canvas.entry_limit.per != "run":
        limit = canvas.entry_limit
        period = period_of(limit, now, publication.zone)
        count = await taken(db.pool, publication.workspace, running.name, period)
        said["entry_limit"] = {"entries": limit.entries, "per": limit.per, "taken": count}
    return said


async def looked_up_in(
    db: Database, publication: Publication, running: Running, identity: UUID, now: datetime
) -> dict[str, Any]:
    """A person held against the audience of a canvas, and whether the global control group keeps them out (AUD-6)."""
    audience, of = running.plan.canvas.audience, publication.workspace
    profile = (await load(db.pool, of, [identity], consents=True))[identity]
    wanted = needs([] if audience is None else [audience], publication.segments)
    past = (await history(db.pool, of, {identity: (wanted, now)})).get(identity)
    person = profile.as_person(publication.zone, past)
    judged = None
    if audience is not None:
        judged = asdict(
            looked_up(audience, person, now=now, segments=publication.segments, canvas=running.name)
        )
    return {
        "id": str(identity),
        "audience": judged,
        "held_out": profile.bucket in publication.held_out(running.plan),
    }


async def reach_in(db: Database, publication: Publication, running: Running, now: datetime) -> Reach:
    """How many the canvas reaches, with a bar while they are counted."""
    channels = {name: channel_of(name) for name in channels_of(running.plan) if name in kinds()}
    people = await db.pool.fetchval("select count(*) from people where workspace = $1", publication.workspace)
    with bar("counting", people) as progress:
        return await reach_of(db, publication, running.plan, channels, now, progress)


def lines(found: dict[str, Any], typed: str) -> Iterator[str]:
    """What was found, in words. `typed`: the name by which the person was asked for."""
    yield f"audience: {found['audience'] or 'everybody'}"
    if limit := found.get("entry_limit"):
        per = "in all" if limit["per"] == "lifetime" else f"in each {limit['per']}"
        yield f"entry limit: {limit['entries']:,} {per}, {limit['taken']:,} taken now"
    if person := found.get("person"):
        inside = person["audience"] is None or person["audience"]["holds"]
        yield f"{typed} is {'' if inside else 'not '}in the audience"
        if person["audience"] is not None:
            yield from _judged(person["audience"], 1)
        if person["held_out"]:
            yield "the global control group keeps them out"
    if reach := found.get("reach"):
        yield f"audience of {reach['people']:,} people: {reach['audience']:,}"
        if reach["held_out"]:
            yield f"kept out by the global control group: {reach['held_out']:,}"
        for channel, count in reach["reached"].items():
            yield f"can be reached by {channel}: {count:,}"


def _judged(one: dict[str, Any], depth: int) -> Iterator[str]:
    saw = "" if one["parts"] else f"; saw {said_value(one['saw'])}"
    yield f"{'  ' * depth}{'yes' if one['holds'] else 'no '}  {one['filter']}{saw}"
    for part in one["parts"]:
        yield from _judged(part, depth + 1)
