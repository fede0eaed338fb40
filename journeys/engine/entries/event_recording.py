"""Stores what people did, without duplicates, and routes it to those who wait for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Any

import msgspec

from journeys.canvas.events_and_commands import Kind, Occurrence
from journeys.engine.clock import Clock
from journeys.engine.entries.routing import PersonEvent, Routed, route
from journeys.engine.people.carts import store_carts
from journeys.engine.people.profiles import Profile
from journeys.engine.workspaces.published import Publication, Published


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """Something that a locked person did. `event_id` is the sender's own id of it, where there is one."""

    profile: Profile
    kind: Kind
    name: str
    at: datetime
    properties: Mapping[str, Any] = field(default_factory=dict)
    event_id: str | None = None

    @property
    def digest(self) -> bytes:
        """What refuses a double: the event's id where it has one, else its content and time."""
        said: Any = ["id", self.kind, self.event_id]  # EVT-5
        if self.event_id is None:
            said = [self.kind, self.name, self.at.isoformat(), self.properties]  # EVT-5
        return blake2b(msgspec.json.encode(said, order="sorted"), digest_size=16).digest()


SEEN = """
insert into seen (workspace, person, digest) select $1, * from unnest($2::uuid[], $3::bytea[])
on conflict do nothing returning person, digest
"""
STORE = """
insert into events (workspace, person, shard, kind, name, at, properties)
select $1, s.person, s.shard, s.kind, s.name, s.at, s.properties
from unnest($2::uuid[], $3::int[], $4::text[], $5::text[], $6::timestamptz[], $7::jsonb[])
    with ordinality as s(person, shard, kind, name, at, properties, place)
order by s.place returning no
"""


async def record(
    connection: Any, publication: Publication, published: Published, clock: Clock, news: Sequence[NewEvent]
) -> Routed:
    """Store these in their order, refuse doubles, and let them be heard. The people are locked by the caller."""
    if not news:
        return Routed()
    digests = {(new.profile.id, new.digest): new for new in news}
    keys = sorted(digests, key=lambda key: (key[0].bytes, key[1]))
    rows = await connection.fetch(
        SEEN, publication.workspace, [key[0] for key in keys], [key[1] for key in keys]
    )
    fresh = {(row["person"], row["digest"]) for row in rows}
    firsts = [new for key, new in digests.items() if key in fresh]  # EVT-5
    if not firsts:
        return Routed()
    stored = await connection.fetch(
        STORE,
        publication.workspace,
        [new.profile.id for new in firsts],
        [new.profile.shard for new in firsts],
        [new.kind for new in firsts],
        [new.name for new in firsts],
        [new.at for new in firsts],
        [dict(new.properties) for new in firsts],
    )
    await store_carts(connection, publication.workspace, firsts)
    events = [
        PersonEvent(
            new.profile,
            Occurrence(no=row["no"], kind=new.kind, name=new.name, at=new.at, properties=new.properties),
        )
        for new, row in zip(firsts, stored, strict=True)
    ]
    return await route(connection, publication, published, clock, events)
