"""Counts whom a canvas reaches: its audience, and by each of its channels those of it who can be written to (AUD-6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from journeys.canvas.plan import Plan
from journeys.canvas.steps import Message
from journeys.engine.audience.match import matches, needs
from journeys.engine.core.limits import agreed
from journeys.engine.delivery.channel import Channel
from journeys.engine.people.profiles import history, load
from journeys.engine.store.database import Database
from journeys.engine.workspaces.published import Publication

PAGE = 500
"""How many people are looked at together."""

NEXT = "select id from people where workspace = $1 and ($2::uuid is null or id > $2) order by id limit $3"


@dataclass(slots=True)
class Reach:
    """Of so many `people` the `audience`; of that the `held_out` by the global control group, and who can be reached how.

    `reached`: by channel those of the others who have an address there, and whose consent allows a message.
    """

    people: int = 0
    audience: int = 0
    held_out: int = 0
    reached: dict[str, int] = field(default_factory=dict)


def channels_of(plan: Plan) -> list[str]:
    """The channels by which the canvas writes, in the order in which it does."""
    return list(dict.fromkeys(step.channel for step in plan.steps.values() if isinstance(step, Message)))


async def reach_of(
    db: Database,
    publication: Publication,
    plan: Plan,
    channels: Mapping[str, Channel],
    now: datetime,
    progress: Callable[[int], None] = lambda _: None,
) -> Reach:
    """Count exactly, by looking at everybody as they are now; `progress` gets how many were looked at.

    `channels`: those of the canvas that are installed here; by others nobody can be reached.
    """
    found = Reach(reached=dict.fromkeys(channels_of(plan), 0))
    after: UUID | None = None
    while rows := await db.pool.fetch(NEXT, publication.workspace, after, PAGE):
        after = rows[-1]["id"]
        await _count(db, publication, plan, channels, now, [row["id"] for row in rows], found)
        progress(found.people)
    return found


async def _count(
    db: Database,
    publication: Publication,
    plan: Plan,
    channels: Mapping[str, Channel],
    now: datetime,
    people: list[UUID],
    found: Reach,
) -> None:
    audience, segments = plan.canvas.audience, publication.segments
    profiles = await load(db.pool, publication.workspace, people, consents=True)
    asked = (
        {person: (needs([audience], segments), now) for person in profiles} if audience is not None else {}
    )
    pasts: Mapping[UUID, Any] = await history(db.pool, publication.workspace, asked) if asked else {}
    held_out = publication.held_out(plan)
    for identity, profile in profiles.items():
        person = profile.as_person(publication.zone, pasts.get(identity))
        found.people += 1
        if audience is not None and not matches(
            audience, person, now=now, segments=segments, canvas=plan.canvas.name
        ):
            continue
        found.audience += 1
        if person.bucket in held_out:
            found.held_out += 1
            continue
        for name in found.reached:
            if name in channels and channels[name].address_of(profile) and agreed(plan, name, person):
                found.reached[name] += 1
