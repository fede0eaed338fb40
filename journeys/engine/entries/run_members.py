"""Who is in a run: the people of its audience at the instant of its occurrence, written down before they are let in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any
from uuid import UUID

from journeys.canvas.filters import AllOf, Filter
from journeys.canvas.wall_clock import localized
from journeys.engine.core.best_time import LEARNS, learn
from journeys.engine.entries.audience_reading import matching
from journeys.engine.people.audience_sql import to_sql
from journeys.engine.people.finding import page_of
from journeys.engine.people.profiles import MOST_BYTES, Profile, history, load
from journeys.engine.store.database import Database
from journeys.engine.workspaces.published import Publication

PAGE = 5_000
"""How many people are written down at once, at most."""

JUDGED = 500
"""How many are judged at once, where SQL alone cannot say whether they match."""

CHOSEN = """
insert into run_members (workspace, person, run, at)
select p.workspace, p.id, $2, $3 from people p
where p.workspace = $1 and p.id = any($6::uuid[]) and ($4::text[] is null or coalesce(p.zone, $5) = any($4))
on conflict do nothing
"""
ADD = """
insert into run_members (workspace, person, run, at, context) select $1, s.person, $2, s.at, s.context
from unnest($3::uuid[], $4::timestamptz[], $5::jsonb[]) as s(person, at, context)
on conflict do nothing
"""


@dataclass(frozen=True, slots=True)
class BestInstants:
    """When people are best reached on a day on a channel; at `otherwise` those of whom nothing is known."""

    day: date
    channel: str
    otherwise: time

    async def of(
        self, connection: Any, publication: Publication, profiles: Sequence[Profile], until: datetime
    ) -> dict[UUID, datetime]:
        """The instant of each of them on that day of their own clock, learnt from what they did before `until`."""
        pasts = await history(
            connection, publication.workspace, {each.id: (LEARNS, until) for each in profiles}
        )
        found = {}
        for each in profiles:
            person = each.as_person(publication.zone, pasts.get(each.id))
            minute = learn(person, self.channel)
            at = self.otherwise if minute is None else time(minute // 60, minute % 60)
            found[each.id] = localized(datetime.combine(self.day, at), person.zone)
        return found


async def add(
    connection: Any,
    workspace: int,
    run: UUID,
    members: Mapping[UUID, tuple[datetime, Mapping[str, Any] | None]],
) -> None:
    """Write these people down, each with the instant of their occurrence and their own context, unless they are there."""
    if members:
        instants, contexts = zip(*members.values(), strict=True)
        await connection.execute(ADD, workspace, run, list(members), instants, contexts)


async def collect(
    db: Database,
    publication: Publication,
    run: UUID,
    audience: Sequence[Filter],
    at: datetime,
    canvas: str,
    zones: Sequence[str] | None = None,
    best: BestInstants | None = None,
) -> None:
    """Write down who of the workspace matches all of the filters at an instant; of those zones alone, where they are given.

    SQL says who they are, as far as it can. A filter on a step's message means the `canvas`' own where it names no other. Who is in the run already stays as they are (ENT-8). `best`: each comes at
    their best time of the day that begins at that instant. Done again after a crash, it adds who is missing.
    """
    workspace = publication.workspace
    wanted = AllOf(all=tuple(audience)) if audience else None
    exact = wanted is None or to_sql(wanted, now=at, segments=publication.segments, canvas=canvas).exact
    place = workspace, run, at, zones, publication.zone
    after: UUID | None = None
    while True:
        page = await page_of(
            db.pool,
            workspace,
            wanted,
            now=at,
            segments=publication.segments,
            canvas=canvas,
            after=after,
            most=PAGE if exact and best is None else JUDGED,
            most_bytes=MOST_BYTES,
        )
        people = page.people
        if page.unsure is not None:
            sure = await matching(db.pool, publication, wanted, page.unsure, at, canvas)
            people = [each.id for each in sure]
        if best is None:
            await db.pool.execute(CHOSEN, *place, people)
        else:
            found = (await load(db.pool, workspace, people)).values()
            there = [each for each in found if zones is None or (each.zone or publication.zone) in zones]
            instants = await best.of(db.pool, publication, there, at)
            await add(db.pool, workspace, run, {person: (when, None) for person, when in instants.items()})
        if page.after is None:
            return
        after = page.after
