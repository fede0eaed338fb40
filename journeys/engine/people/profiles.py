"""Profiles: a row of `people`, and the part of the person's history that a question needs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from operator import itemgetter
from types import MappingProxyType
from typing import Any
from uuid import UUID

from journeys.canvas.events_and_commands import Occurrence
from journeys.canvas.wall_clock import plus
from journeys.engine.audience.match import Needs, Person, Said
from journeys.engine.audience.operators import lookup
from journeys.engine.audience.tallies import Tallies
from journeys.engine.people.event_counts import tallies
from journeys.engine.store.tables import SHARDS

COLUMNS = (
    "id", "shard", "external_id", "anonymous_id", "email", "phone", "first_name", "last_name", "language",
    "country", "zone", "bucket", "standard", "attributes", "summary", "created",
)  # fmt: skip
SELECT = ", ".join(f"p.{column}" for column in COLUMNS).replace(
    "p.attributes", "p.attributes::json as attributes"
)
"""Custom attributes may be large, and most who load people do not look at them."""

MOST_BYTES = 4 * 1024 * 1024
"""Bytes of custom attributes at which no more people are read at once: as Python values they take many times as much."""

BYTES = """
case when pg_column_compression(p.attributes) is null then pg_column_size(p.attributes)
    else octet_length(p.attributes::text) end
"""
"""About the bytes of a person's custom attributes; what is stored compressed is unpacked for it."""

AT_MOST = (
    "pg_column_size(p.attributes) * case when pg_column_compression(p.attributes) is null then 1 else 90 end"
)
"""The bytes that they may have at most: compression makes nothing 90 times smaller. Nothing is unpacked for it."""


class History(dict[tuple[str, str], Sequence[Occurrence]]):
    """What the person did, by kind and name, in order, only what was asked for; and what was asked to be counted."""

    tallies: Tallies = MappingProxyType({})


def shard_of(person: UUID) -> int:
    """The shard of a person: a hash of the id, not to be confused with the random bucket."""
    return int.from_bytes(blake2b(person.bytes, digest_size=2).digest(), "big") % SHARDS


@dataclass(slots=True)
class Profile:
    """What is known of one person. Changes to `standard` and `attributes` are made by replacing them."""

    workspace: int
    id: UUID
    shard: int
    external_id: str | None
    anonymous_id: str | None
    email: str | None
    phone: str | None
    first_name: str | None
    last_name: str | None
    language: str | None
    country: str | None
    zone: str | None
    bucket: int
    standard: Mapping[str, Any]
    attributes: Mapping[str, Any]
    summary: Mapping[str, Any]
    created: datetime
    consents: Mapping[str, str] = field(default_factory=dict)
    subscriptions: Mapping[str, Said] = field(default_factory=dict)
    bounced: frozenset[str] = frozenset()
    """The channels on which their address does not exist."""

    @property
    def standards(self) -> dict[str, Any]:
        """The standard attributes under their API names (data.md 1.4), those that are set."""
        named = {
            "external_id": self.external_id,
            "email": self.email,
            "phone": self.phone,
            "first_name": self.first_name,
            "last_name": self.last_name,
            "language": self.language,
            "country": self.country,
            "time_zone": self.zone,
        }
        return {**self.standard, **{name: value for name, value in named.items() if value is not None}}

    def values(self, path: str) -> list[Any]:
        """The values that an attribute's path leads to, as for a filter."""
        return lookup(self.standards, path) or lookup(self.attributes, path)

    def as_person(self, company_zone: str, history: History | None = None) -> Person:
        """The pure value that filters use. The zone is the company's if the person has none."""
        return Person(
            id=str(self.id),
            zone=self.zone or company_zone,  # DLY-5
            bucket=self.bucket,
            standard=self.standards,
            custom=self.attributes,
            history=history or {},
            consents=self.consents,
            tallies={} if history is None else history.tallies,
            subscriptions=self.subscriptions,
            bounced=self.bounced,
        )


_IN_ORDER = itemgetter(*COLUMNS)


def profile_of(workspace: int, row: Mapping[str, Any]) -> Profile:
    """A profile from a row that has COLUMNS."""
    return Profile(workspace, *_IN_ORDER(row))


LOAD = f"select {SELECT} from people p where p.workspace = $1 and p.id = any($2::uuid[])"  # noqa: S608 - constants
CONSENTS = """
select person, null as name, channel, state from consents where workspace = $1 and person = any($2::uuid[])
union all
select person, name, channel, state from subscriptions where workspace = $1 and person = any($2::uuid[])
union all
select p.id, null, a.channel, null from people p join addresses a on (a.workspace, a.address) = (p.workspace, p.email)
where p.workspace = $1 and p.id = any($2::uuid[]) and a.channel = 'email' and a.bounced is not null
union all
select p.id, null, a.channel, null from people p join addresses a on (a.workspace, a.address) = (p.workspace, p.phone)
where p.workspace = $1 and p.id = any($2::uuid[]) and a.channel <> 'email' and a.bounced is not null
"""
"""Consents by channel, states in groups, and without a state the channels whose address does not exist."""


async def load(
    connection: Any,
    workspace: int,
    ids: Iterable[UUID],
    *,
    consents: bool = False,
    attributes: Collection[str] | None = None,
) -> dict[UUID, Profile]:
    """The profiles of these people, with their consents where asked for. Locks nothing.

    `attributes`: the custom attributes that are to be read, at most 50; None: all. Such a profile is to be shown, never
    to be stored.
    """
    wanted = list(ids)
    named = [] if attributes is None else sorted(attributes)
    query = LOAD if attributes is None else _loading(len(named))
    found = {
        row["id"]: profile_of(workspace, row)
        for row in await connection.fetch(query, workspace, wanted, *named)
    }
    if attributes is not None:
        for profile in found.values():
            profile.attributes = {
                name: value for name, value in profile.attributes.items() if value is not None
            }
    if consents and found:
        await read_consents(connection, workspace, found.values())
    return found


async def read_consents(connection: Any, workspace: int, profiles: Iterable[Profile]) -> None:
    """Give these profiles their consents, their states in subscription groups, and what is known of their addresses."""
    people = {profile.id: profile for profile in profiles}
    for profile in people.values():
        profile.consents, profile.subscriptions, profile.bounced = {}, {}, frozenset()
    for row in await connection.fetch(CONSENTS, workspace, list(people)):
        profile = people[row["person"]]
        if row["state"] is None:
            profile.bounced |= {row["channel"]}
        elif row["name"] is None:
            profile.consents = {**profile.consents, row["channel"]: row["state"]}
        else:
            said = Said(row["channel"], row["state"])
            profile.subscriptions = {**profile.subscriptions, row["name"]: said}


@lru_cache(maxsize=64)
def _loading(names: int) -> str:
    """The statement that reads so many custom attributes by their names, which are parameters."""
    pairs = ", ".join(f"${number}::text, p.attributes -> ${number}" for number in range(3, 3 + names))
    return LOAD.replace("p.attributes::json as attributes", f"jsonb_build_object({pairs}) as attributes")


LOCK = """
select p.id from people p where p.workspace = $1 and p.id = any($2::uuid[])
order by p.workspace, p.id for no key update
"""
LOCK_FREE = f"{LOCK} skip locked"


async def lock(connection: Any, workspace: int, ids: Iterable[UUID]) -> None:
    """Lock these people, ascending by id: the first lock of a transaction, in a statement of its own."""
    await connection.fetch(LOCK, workspace, list(ids))


def _reading(name: str) -> str:
    """The statement that reads histories, each person's of a kind and name up to an instant."""
    return f"""
select w.person, w.kind, e.name, e.no, e.at, e.properties, e.compared
from unnest($2::uuid[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::bigint[])
    as w(person, kind, name, since, until, most)
cross join lateral (
    select e.name, e.no, e.at, e.properties, e.compared from events e
    where (e.workspace, e.person, e.kind) = ($1, w.person, w.kind) {name}
        and e.at >= coalesce(w.since, '-infinity') and e.at <= w.until
    order by e.at desc limit w.most) e
order by w.person, e.no
"""  # noqa: S608 - constants


HISTORY = _reading("and e.name = w.name")
ANY_NAME = _reading("")
"""Of a filter on any purchase."""


async def history(
    connection: Any,
    workspace: int,
    asked: Mapping[UUID, tuple[Needs, datetime]],
    but: Mapping[UUID, int | None] = MappingProxyType({}),
) -> dict[UUID, History]:
    """What these people had done by an instant of each, as far as it is needed, in the order in which it was stored.

    It reads no more than that, whatever else they did. `but`: the number of an event of each that is not counted (ENT-16).
    """
    found = await _happened(connection, workspace, asked)
    counted = [
        (person, kind, name, until, but.get(person))
        for person, (needs, until) in asked.items()
        for kind, name in sorted(needs.counted, key=str)
    ]
    for person, several in (await tallies(connection, workspace, counted)).items():
        found.setdefault(person, History()).tallies = several
    return found


async def _happened(
    connection: Any, workspace: int, asked: Mapping[UUID, tuple[Needs, datetime]]
) -> dict[UUID, History]:
    wanted = [
        (person, kind, name, None if past.since is None else plus(until, -past.since), until, past.most)
        for person, (needs, until) in asked.items()
        for (kind, name), past in needs.history.items()
    ]
    if not wanted:
        return {}
    rows: dict[tuple[UUID, int], Any] = {}
    for query, some in ((HISTORY, wanted), (ANY_NAME, [one for one in wanted if one[2] is None])):
        if some:
            found_rows = await connection.fetch(query, workspace, *map(list, zip(*some, strict=True)))
            rows |= {(row["person"], row["no"]): row for row in found_rows}
    found: dict[UUID, dict[tuple[str, str], list[Occurrence]]] = {}
    for _, row in sorted(rows.items()):
        occurrence = Occurrence(
            no=row["no"],
            kind=row["kind"],
            name=row["name"],
            at=row["at"],
            properties=row["properties"],
            compared=row["compared"] or {},
        )
        found.setdefault(row["person"], {}).setdefault((row["kind"], row["name"]), []).append(occurrence)
    return {person: History(several) for person, several in found.items()}
