"""Counts whom a canvas reaches: its audience, and by each of its channels those of it who can be written to (AUD-6).

SQL counts, some thousands of people in a statement, where it can say who is in the audience and who has an address; whom it
cannot judge is looked at one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from journeys.canvas.filters import AllOf, AnyOf, ConsentFilter, Filter, SubscriptionFilter
from journeys.canvas.plan import Plan
from journeys.canvas.steps import Message
from journeys.engine.core.limits import agreed, groups_asked, in_a_group, states_asked, unusable
from journeys.engine.delivery.channel import Channel
from journeys.engine.entries.audience_reading import matching
from journeys.engine.people.audience_sql import PeopleCondition, to_sql
from journeys.engine.people.finding import FIRST, LAST, page_of, window_of
from journeys.engine.people.profiles import MOST_BYTES, load, read_consents
from journeys.engine.store.database import Database
from journeys.engine.workspaces.published import Publication

JUDGED = 500
"""How many people are looked at together, where SQL cannot say whether they match."""

BOUNCED = """
exists (select from addresses a where (a.workspace, a.address, a.channel) = (p.workspace, p.email, 'email') and a.bounced is not null)
"""
HAS_ADDRESS: Mapping[str, str] = {"email": f"p.email is not null and not {BOUNCED}", "webhook": "true"}
"""By channel, who has an address: of others their package alone knows."""

UNMARKED = "not p.standard ? 'marked_email_as_spam_at'"

PEOPLE = "select count(*) from people where workspace = $1"


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
    """Count exactly, people as they are now; `progress` gets how many were looked at.

    `channels`: those of the canvas that are installed here; by others nobody can be reached.
    """
    found = Reach(reached=dict.fromkeys(channels_of(plan), 0))
    audience, inside = plan.canvas.audience, PeopleCondition("true", (), exact=True, parts=1)
    if audience is not None:
        inside = to_sql(audience, now=now, segments=publication.segments, canvas=plan.canvas.name, first=5)
    known = [name for name in found.reached if name in channels]
    if inside.exact and set(known) <= HAS_ADDRESS.keys():
        await _by_sql(db, publication, plan, known, now, inside, found, progress)
    else:
        await _one_by_one(db, publication, plan, channels, now, found)
        progress(found.people)
    return found


async def _by_sql(
    db: Database,
    publication: Publication,
    plan: Plan,
    channels: list[str],
    now: datetime,
    inside: PeopleCondition,
    found: Reach,
    progress: Callable[[int], None],
) -> None:
    """Let SQL count, a window of people after the other, so that no statement takes long."""
    values: list[Any] = [
        publication.workspace,
        None,
        None,
        sorted(publication.held_out(plan)),
        *inside.parameters,
    ]
    columns = [f"({inside.text}) as inside", "p.bucket = any($4::int[]) as held_out"]
    for place, name in enumerate(channels):
        may = UNMARKED if name == "email" and plan.canvas.send.subscription != "all" else "true"
        if asked := _asked(plan, name):
            consent = to_sql(AllOf(all=asked), now=now, first=len(values) + 1)
            values += consent.parameters
            may += f" and {consent.text}"
        columns.append(f"({HAS_ADDRESS[name]} and {may}) as by_{place}")
    counts = [
        f"count(*) filter (where inside and not held_out and by_{place})" for place in range(len(channels))
    ]
    query = f"""
select count(*), count(*) filter (where inside), {", ".join(["count(*) filter (where inside and held_out)", *counts])}
from (select {", ".join(columns)} from people p where p.workspace = $1 and p.id > $2 and p.id <= $3) s
"""  # noqa: S608 - constants, and conditions with parameters
    attributes = "p.attributes" in query
    first: UUID = FIRST
    more = True
    while more:
        last, more = await window_of(
            db.pool, publication.workspace, first, inside.parts, attributes=attributes
        )
        values[1:3] = [first, last if more else LAST]
        people, audience, held_out, *reached = await db.pool.fetchrow(query, *values)
        found.people += people
        found.audience += audience
        found.held_out += held_out
        for name, count in zip(channels, reached, strict=True):
            found.reached[name] += count
        first = last
        progress(found.people)


def _asked(plan: Plan, channel: str) -> tuple[Filter, ...]:
    """What must hold of a person whom a message on the channel reaches (SUB-1, SUB-3)."""
    found: list[Filter] = []
    if (states := states_asked(plan, channel)) is not None:
        found.append(ConsentFilter(consent=channel, one_of=states))
    if (groups := groups_asked(plan, channel)) is not None:
        found.append(AnyOf(any=[SubscriptionFilter(subscription=one, equals="subscribed") for one in groups]))
    return tuple(found)


async def _one_by_one(
    db: Database,
    publication: Publication,
    plan: Plan,
    channels: Mapping[str, Channel],
    now: datetime,
    found: Reach,
) -> None:
    """Look at those who may be in the audience, of whom SQL finds the next page."""
    audience, workspace = plan.canvas.audience, publication.workspace
    found.people = await db.pool.fetchval(PEOPLE, workspace)
    held_out = publication.held_out(plan)
    after: UUID | None = None
    while True:
        page = await page_of(
            db.pool,
            workspace,
            audience,
            now=now,
            segments=publication.segments,
            canvas=plan.canvas.name,
            after=after,
            most=JUDGED,
            most_bytes=MOST_BYTES,
        )
        profiles = page.unsure
        if profiles is None:
            profiles = list((await load(db.pool, workspace, page.people)).values())
        else:
            profiles = await matching(db.pool, publication, audience, profiles, now, plan.canvas.name)
        await read_consents(db.pool, workspace, profiles)
        for profile in profiles:
            person = profile.as_person(publication.zone)
            found.audience += 1
            if person.bucket in held_out:
                found.held_out += 1
                continue
            for name in found.reached:
                may = agreed(plan, name, person) and in_a_group(plan, name, person)
                may = may and unusable(plan, name, person) is None
                if name in channels and channels[name].address_of(profile) and may:
                    found.reached[name] += 1
        if page.after is None:
            return
        after = page.after
