"""Reads who is inside a canvas, for the gates of one that lets a person in once at a time: in all, or for each key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from journeys.canvas.plan import Plan
from journeys.engine.audience.operators import same
from journeys.engine.entries.entry_rows import ENTRY, present_of
from journeys.engine.people.profiles import Profile
from journeys.engine.workspaces.published import Publication, Published
from journeys.engine.workspaces.stored_plans import NotUnderstood

INSIDE = f"""
select {ENTRY} from entries e
where e.workspace = $1 and e.canvas = $2 and e.person = any($3::uuid[]) and e.ended is null order by e.entered
"""  # noqa: S608 - constants

LAST_OF_KEY = """
select s.person, (select e.entered from entries e
    where (e.workspace, e.person, e.canvas) = ($1, s.person, $2) and e.entry_key = s.key order by e.entered desc limit 1)
from unnest($3::uuid[], $4::jsonb[]) as s(person, key) where s.key is not null
"""


@dataclass(frozen=True, slots=True)
class Before:
    """The instants of the latest entry of a person, and of the latest that has not ended; with a key, of that key."""

    last: datetime | None
    inside: datetime | None = None


async def entered_before(
    connection: Any,
    published: Published,
    publication: Publication,
    plan: Plan,
    profiles: Mapping[UUID, Profile],
    known: Mapping[UUID, Before],
    asked: Mapping[UUID, Any],
) -> dict[UUID, Before]:
    """What the gates ask of these people, who are locked, each with the key of what brings them in.

    An entry that a change of its canvas ends at its next burst has ended. One that this process does not understand has not.
    """
    workspace, canvas, found = publication.workspace, plan.canvas.name, dict(known)
    if plan.canvas.key is not None:
        rows = await connection.fetch(LAST_OF_KEY, workspace, canvas, list(asked), list(asked.values()))
        found |= {person: Before(None) for person in asked}
        found |= {person: Before(last) for person, last in rows}
    for row in await connection.fetch(INSIDE, workspace, canvas, list(asked)):
        person = row["person"]
        if plan.canvas.key is not None and not same(row["entry_key"], asked[person]):
            continue
        if await _open(published, publication, row, profiles[person]):
            found[person] = replace(found[person], inside=row["entered"])
    return found


async def _open(published: Published, publication: Publication, row: Any, profile: Profile) -> bool:
    try:
        plan = await published.plan(publication.workspace, row["plan"])
    except NotUnderstood:
        return True
    return present_of(row, plan, profile, publication.zone).entry.ended is None
