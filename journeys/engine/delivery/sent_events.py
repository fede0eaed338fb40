"""Routes the event “sent” to the entries that wait for it, in the transaction that settles the message."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from journeys.canvas.events_and_commands import Occurrence
from journeys.engine.clock import Clock
from journeys.engine.entries.routing import PersonEvent, Routed, route
from journeys.engine.people.profiles import load
from journeys.engine.people.user_updates import MOST_HOPS
from journeys.engine.workspaces.published import Publication, Published

JUST_SENT = """
select v.person, v.no, v.at, v.properties, v.shard, coalesce(t.hops, 0) + 1 as hops
from unnest($2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[]) as s(person, entry, key, at)
join events v on (v.workspace, v.person) = ($1, s.person) and v.kind = 'message' and v.name = 'sent' and v.at = s.at
    and v.properties ->> 'dispatch' = s.key and v.xmin = pg_current_xact_id()::xid
left join entries t on (t.workspace, t.person, t.id) = ($1, s.person, s.entry)
order by v.no
"""
CUT = """
insert into facts (workspace, person, shard, fact, at, data)
select $1, person, shard, 'hops_exceeded', at, jsonb_build_object('event', 'message sent')
from unnest($2::uuid[], $3::int[], $4::timestamptz[]) as s(person, shard, at)
"""


async def route_sent(
    connection: Any,
    publication: Publication,
    published: Published,
    clock: Clock,
    sent: Sequence[tuple[Any, Any, str, datetime]],
) -> Routed:
    """Conversions, exits, waits and new entries by `message: sent`. The people are locked, the events stored.

    `sent` are person, entry, key and instant of each dispatch; only what this very transaction has stored is heard, so that a
    settlement that came too late is heard of once. A canvas that lets in by the messages of a canvas that lets in
    by its messages is cut after twenty, with a fact that says so.
    """
    rows = await connection.fetch(JUST_SENT, publication.workspace, *map(list, zip(*sent, strict=True)))
    cut = [(row["person"], row["shard"], row["at"]) for row in rows if row["hops"] >= MOST_HOPS]
    if cut:
        await connection.execute(CUT, publication.workspace, *map(list, zip(*cut, strict=True)))
    profiles = await load(connection, publication.workspace, {row["person"] for row in rows})
    events = [
        PersonEvent(
            profiles[row["person"]],
            Occurrence(no=row["no"], kind="message", name="sent", at=row["at"], properties=row["properties"]),
            hops=row["hops"],
        )
        for row in rows
        if row["hops"] < MOST_HOPS
    ]
    return await route(connection, publication, published, clock, events)
