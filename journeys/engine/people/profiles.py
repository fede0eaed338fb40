"""Profiles: a row of `people`, and the part of the person's history that a question needs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Any
from uuid import UUID

from journeys.canvas.events_and_commands import Occurrence
from journeys.engine.audience.match import Needs, Person
from journeys.engine.store.tables import SHARDS

COLUMNS = (
    "id", "shard", "external_id", "anonymous_id", "email", "phone", "first_name", "last_name", "language",
    "country", "zone", "bucket", "standard", "attributes", "summary", "created",
)  # fmt: skip
SELECT = ", ".join(f"p.{column}" for column in COLUMNS)

History = Mapping[tuple[str, str], Sequence[Occurrence]]
"""What the person did, by kind and name, in order; only what was asked for."""


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
        )


def profile_of(workspace: int, row: Mapping[str, Any]) -> Profile:
    """A profile from a row that has COLUMNS."""
    return Profile(workspace, *(row[column] for column in COLUMNS))


LOAD = f"select {SELECT} from people p where p.workspace = $1 and p.id = any($2::uuid[])"  # noqa: S608 - constants
CONSENTS = "select person, channel, state from consents where workspace = $1 and person = any($2::uuid[])"


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
    """Give these profiles their consents."""
    people = {profile.id: profile for profile in profiles}
    for profile in people.values():
        profile.consents = {}
    for row in await connection.fetch(CONSENTS, workspace, list(people)):
        profile = people[row["person"]]
        profile.consents = {**profile.consents, row["channel"]: row["state"]}


@lru_cache(maxsize=64)
def _loading(names: int) -> str:
    """The statement that reads so many custom attributes by their names, which are parameters."""
    pairs = ", ".join(f"${number}::text, p.attributes -> ${number}" for number in range(3, 3 + names))
    return LOAD.replace("p.attributes", f"jsonb_build_object({pairs}) as attributes")


LOCK = """
select p.id from people p where p.workspace = $1 and p.id = any($2::uuid[])
order by p.workspace, p.id for no key update
"""


async def lock(connection: Any, workspace: int, ids: Iterable[UUID]) -> None:
    """Lock these people, ascending by id: the first lock of a transaction, in a statement of its own."""
    await connection.fetch(LOCK, workspace, list(ids))


HISTORY = """
select e.person, e.kind, e.name, e.no, e.at, e.properties, e.compared from events e
join unnest($3::text[], $4::text[]) as wanted(kind, name) on e.kind = wanted.kind and (wanted.name is null or e.name = wanted.name)
where e.workspace = $1 and e.person = any($2::uuid[]) and ($5::timestamptz is null or e.at >= $5)
order by e.person, e.no
"""

WHOLE_KINDS = """
select e.person, e.kind, e.name, e.no, e.at, e.properties, e.compared from events e
where e.workspace = $1 and e.person = any($2::uuid[]) and e.kind = any($3::text[]) and ($4::timestamptz is null or e.at >= $4)
order by e.person, e.no
"""
"""Of a filter on any purchase."""


async def history(
    connection: Any, workspace: int, ids: Iterable[UUID], needs: Needs, now: datetime
) -> dict[UUID, History]:
    """What these people did of the kinds and names that the filters look at, in the order in which it was stored."""
    if not needs.history:
        return {}
    since = None if needs.since is None else now - needs.since
    whole = {kind for kind, name in needs.history if name is None}
    named = [(kind, name) for kind, name in needs.history if kind not in whole]
    people, rows = list(ids), []
    if named:
        kinds, names = zip(*named, strict=True)
        rows += await connection.fetch(HISTORY, workspace, people, list(kinds), list(names), since)
    if whole:
        rows += await connection.fetch(WHOLE_KINDS, workspace, people, list(whole), since)
    found: dict[UUID, dict[tuple[str, str], list[Occurrence]]] = {}
    for row in rows:
        occurrence = Occurrence(
            no=row["no"],
            kind=row["kind"],
            name=row["name"],
            at=row["at"],
            properties=row["properties"],
            compared=row["compared"] or {},
        )
        found.setdefault(row["person"], {}).setdefault((row["kind"], row["name"]), []).append(occurrence)
    return dict(found)
