"""Stores what people did, once where it has an id of its sender, and routes it to those who wait for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Any
from uuid import UUID

import msgspec

from journeys.canvas.events_and_commands import Kind, Occurrence
from journeys.engine.clock import Clock
from journeys.engine.core.changes import Change
from journeys.engine.entries.routing import PersonEvent, Routed, route
from journeys.engine.metrics import EVENTS, counted
from journeys.engine.people.carts import store_carts
from journeys.engine.people.profiles import Profile
from journeys.engine.workspaces.published import Publication, Published


@dataclass(
    slots=True, kw_only=True
)  # not frozen, which makes them three times as slowly: there are very many
class NewEvent:
    """Something that a locked person did. `event_id` is the sender's own id of it, where there is one."""

    profile: Profile
    kind: Kind
    name: str
    at: datetime
    properties: Mapping[str, Any] = field(default_factory=dict)
    event_id: str | None = None

    @classmethod
    def of(cls, profile: Profile, change: Change, at: datetime) -> NewEvent:
        """What changed of a person, as something that happened (TRK-9)."""
        return cls(profile=profile, kind=change.kind, name=change.name, at=at, properties=change.properties)

    @property
    def digest(self) -> bytes | None:
        """What refuses a double: the event's id; None where it has none, and so is no double of another."""
        if self.event_id is None:  # EVT-5
            return None
        said = ["id", self.kind, self.event_id]  # EVT-5
        return blake2b(msgspec.json.encode(said), digest_size=16).digest()


SEEN = """
insert into seen (workspace, person, digest) select $1, * from unnest($2::uuid[], $3::bytea[])
on conflict do nothing returning person, digest
"""
STORE = """
insert into events (workspace, person, shard, kind, name, at, properties, compared)
select $1, s.person, s.shard, s.kind, s.name, s.at, s.properties, s.compared
from unnest($2::uuid[], $3::int[], $4::text[], $5::text[], $6::timestamptz[], $7::jsonb[], $8::jsonb[])
    with ordinality as s(person, shard, kind, name, at, properties, compared, place)
order by s.place returning no
"""


async def record(
    connection: Any, publication: Publication, published: Published, clock: Clock, news: Sequence[NewEvent]
) -> Routed:
    """Store these in their order, refuse doubles, and let them be heard. The people are locked by the caller."""
    firsts = await _firsts(connection, publication.workspace, news)
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
        [publication.compared_values(new.profile, new.kind, new.name) for new in firsts],
    )
    for kind, count in Counter(new.kind for new in firsts).items():
        counted(EVENTS, count, kind=kind)
    await store_carts(connection, publication.workspace, firsts)
    events = [
        PersonEvent(
            new.profile,
            Occurrence(no=row["no"], kind=new.kind, name=new.name, at=new.at, properties=new.properties),
        )
        for new, row in zip(firsts, stored, strict=True)
    ]
    return await route(connection, publication, published, clock, events)


async def _firsts(connection: Any, workspace: int, news: Sequence[NewEvent]) -> list[NewEvent]:
    """Those that are stored, in their order: all without an id, and of those with the same id the first there ever was."""
    keys = [(new.profile.id, new.digest) for new in news]
    asked = sorted({(person.bytes, digest) for person, digest in keys if digest is not None})
    if not asked:
        return list(news)
    people = [UUID(bytes=person) for person, _ in asked]
    rows = await connection.fetch(SEEN, workspace, people, [digest for _, digest in asked])
    fresh = {(row["person"], row["digest"]) for row in rows}
    firsts = []
    for new, key in zip(news, keys, strict=True):
        if key[1] is None or key in fresh:  # EVT-5
            firsts.append(new)
            fresh.discard(key)
    return firsts
