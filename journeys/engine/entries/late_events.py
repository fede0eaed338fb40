"""Events that arrive after the step that listened to them is left: they have no effect, and a fact records it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from journeys.canvas.events_and_commands import NOTHING, Occurrence
from journeys.engine.audience.match import heard
from journeys.engine.clock import Clock
from journeys.engine.entries.burst import GRACE
from journeys.engine.people.profiles import Profile
from journeys.engine.workspaces.published import Publication, Published
from journeys.engine.workspaces.stored_plans import NotUnderstood

STAYS = """
with asked as (select * from unnest($2::uuid[], $3::bigint[], $4::timestamptz[]) as a(person, no, at)),
inside as (
    select distinct e.person, e.id, e.plan, e.entry_key from asked a cross join lateral (
        select o.person, o.id, o.plan, o.entered, o.entry_key from entries o
        where o.workspace = $1 and o.person = a.person and o.ended is null
        union all (
        select o.person, o.id, o.plan, o.entered, o.entry_key from entries o
        where o.workspace = $1 and o.person = a.person and o.ended is not null and o.ended_at > a.at
        order by o.ended_at limit 200)) e
    where e.entered <= a.at),
stays as (
    select i.plan, i.entry_key, f.person, f.shard, f.entry, f.canvas, f.fact, f.step, f.at,
        lead(f.at) over (partition by f.entry order by f.no) as left_at
    from inside i cross join lateral (
        select * from facts f where (f.workspace, f.person, f.entry) = ($1, i.person, i.id)
            and f.fact in ('reached', 'ended')) f)
select a.no, s.person, s.shard, s.entry, s.canvas, s.step, s.plan, s.left_at, s.entry_key
from stays s join asked a on a.person = s.person and s.fact = 'reached' and s.at <= a.at and a.at < s.left_at
"""
"""Of the entries that have ended since, the first two hundred count."""

LATE = """
insert into facts (workspace, person, shard, fact, at, canvas, entry, step, data)
select $1, * from unnest($2::uuid[], $3::int[], $4::text[], $5::timestamptz[], $6::text[], $7::uuid[], $8::text[], $9::jsonb[])
"""


async def note_late(
    connection: Any,
    publication: Publication,
    published: Published,
    clock: Clock,
    happened: Sequence[tuple[Profile, Occurrence]],
) -> None:
    """Write a fact `late_event` for each step that would have heard one of these, had it come before the step was left.

    What is younger than the grace of a listening step's alarm cannot be late, and costs nothing here.
    """
    now, grace = clock.now(), clock.span(GRACE)
    old = {
        what.no: (profile, what)
        for profile, what in happened
        if now - what.at > grace and publication.listens(what.kind, what.name)
    }
    if not old:
        return
    asked = [(profile.id, what.no, what.at) for profile, what in old.values()]
    rows = await connection.fetch(STAYS, publication.workspace, *map(list, zip(*asked, strict=True)))
    late = []
    for row in rows:
        try:
            plan = await published.plan(publication.workspace, row["plan"])
        except NotUnderstood:
            continue
        profile, what = old[row["no"]]
        person = profile.as_person(publication.zone)
        step, key = plan.steps[row["step"]], row["entry_key"]
        path = heard(step, what, person, NOTHING, canvas=row["canvas"], key=key)
        if path is not None:
            data = {"event": what.name, "path": path, "left": row["left_at"].isoformat()}
            late.append((
                row["person"], row["shard"], "late_event", what.at, row["canvas"], row["entry"], row["step"], data,
            ))  # fmt: skip
    if late:
        await connection.execute(LATE, publication.workspace, *map(list, zip(*late, strict=True)))
