"""Finds or creates the profiles that identifiers name, and locks them in one order that all writers share."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Literal, NamedTuple
from uuid import UUID

from uuid_utils.compat import uuid7

from journeys.engine.people.profiles import SELECT, Profile, profile_of, shard_of
from journeys.engine.store.database import Moved

Sort = Literal["external_id", "user_alias", "braze_id", "anonymous_id", "email", "phone"]


class Identifier(NamedTuple):
    """One way to name a person (IDN-1): `value` is `label\\x1fname` for an alias."""

    sort: Sort
    value: str

    @property
    def alias(self) -> tuple[str, str]:
        """Label and name of an alias."""
        label, _, name = self.value.partition("\x1f")
        return label, name


def _look_up(sort: Sort, place: int, kind: str = "text") -> str:
    """One look into the index for each value, whatever the planner thinks of a table that is still small.

    Of several people with one address or number: the identified before the others, then the most recently updated
    (IDN-4).
    """
    return f"""
select '{sort}' as sort, k.value::text as value, p.id from unnest(${place}::{kind}[]) as k(value)
cross join lateral (
    select id from people where workspace = $1 and {sort} = k.value
    order by external_id is not null desc, updated desc, id limit 1) p"""  # IDN-4  # noqa: S608 - constants


def _one_of(sort: Sort, place: int, kind: str, column: str, otherwise: str) -> str:
    """The same of what one person alone has; where nobody has it now, who had it before."""
    return f"""
select '{sort}' as sort, k.value::text as value, p.id from unnest(${place}::{kind}[]) as k(value)
cross join lateral (
    select id from people where workspace = $1 and {column} = k.value union all {otherwise} limit 1) p"""  # noqa: S608 - constants


def _former(sort: Sort, place: int) -> str:
    otherwise = (
        f"select person from former_names where workspace = $1 and sort = '{sort}' and value = k.value"  # noqa: S608 - constants
    )
    return _one_of(sort, place, "text", sort, otherwise)  # IDN-29


FIND = "\nunion all".join(
    (
        _former("external_id", 2),
        _former("anonymous_id", 3),
        _one_of("braze_id", 4, "uuid", "id", "select new from merged where workspace = $1 and old = k.value"),
        _look_up("email", 5),
        _look_up("phone", 6),
        """
select 'user_alias', k.label || chr(31) || k.name, a.person from unnest($7::text[], $8::text[]) as k(label, name)
cross join lateral (
    select person from aliases where workspace = $1 and label = k.label and name = k.name limit 1) a""",
    )
)
"""Who is known by these names, of whatever sort (IDN-1)."""

GUARD = """
select pg_advisory_xact_lock(key) from (select distinct key from unnest($1::bigint[]) as key order by key) as keys
"""
MAKE = """
insert into people (workspace, id, shard, bucket, external_id, anonymous_id, email, phone)
select $1, s.id, s.shard, s.bucket, s.external_id, s.anonymous_id, s.email, s.phone
from unnest($2::uuid[], $3::int[], $4::int[], $5::text[], $6::text[], $7::text[], $8::text[])
    as s(id, shard, bucket, external_id, anonymous_id, email, phone)
on conflict do nothing returning id
"""
ALIAS = """
insert into aliases (workspace, person, label, name)
select $1, s.person, s.label, s.name from unnest($2::uuid[], $3::text[], $4::text[]) as s(person, label, name)
on conflict do nothing returning person
"""


FORGET = "delete from people where workspace = $1 and id = any($2::uuid[])"
NAMED = "select id, external_id, anonymous_id from people where workspace = $1 and id = any($2::uuid[])"
NAME = """
update people p set external_id = coalesce(s.external_id, p.external_id),
    anonymous_id = coalesce(s.anonymous_id, p.anonymous_id)
from unnest($2::uuid[], $3::text[], $4::text[]) as s(id, external_id, anonymous_id)
where p.workspace = $1 and p.id = s.id
"""


BESIDE = """
insert into former_names (workspace, sort, value, person)
select $1, 'anonymous_id', s.value, s.person from unnest($2::uuid[], $3::text[]) as s(person, value) on conflict do nothing
"""
"""Another device of somebody who has one."""


class Resolved(NamedTuple):
    """The people by identifier, and those of them who were made just now."""

    people: dict[Identifier, UUID]
    created: frozenset[UUID]


async def resolve(
    connection: Any,
    workspace: int,
    wanted: Mapping[Identifier, bool],
    links: Mapping[Identifier, Identifier] | None = None,
) -> Resolved:
    """The people that these identifiers name; unknown ones are created where the flag says so.

    Afterwards all of them are locked, ascending by id. Several writers that make the same person at once neither
    fail nor make two: rows are made in one order, before any lock is taken. `links` says of external ids which
    anonymous person is the same: they become identified where the external id is new (IDN-12). Raises `Moved` where
    an identifier names another person by the time the lock is granted.
    """
    links = {one: other for one, other in (links or {}).items() if wanted.get(one)}
    wanted = {**dict.fromkeys(links.values(), True), **wanted}
    loose = sorted(
        one for one, make in wanted.items() if make and one.sort in ("email", "phone", "user_alias")
    )
    await guard(connection, workspace, loose)
    found = await find(connection, workspace, wanted)
    missing = sorted(
        one for one, make in wanted.items() if make and one not in found and one.sort != "braze_id"
    )
    made: set[UUID] = set()
    if missing:
        made = await _make(connection, workspace, missing)
        found |= await find(connection, workspace, missing)
    await _lock(connection, workspace, found)
    if links and made:
        made = await _link(connection, workspace, links, found, made)
    return Resolved(found, frozenset(made))


LOCK = """
select p.id, p.external_id, p.anonymous_id, p.email, p.phone from people p
where p.workspace = $1 and p.id = any($2::uuid[]) order by p.workspace, p.id for no key update
"""


async def _lock(connection: Any, workspace: int, found: Mapping[Identifier, UUID]) -> None:
    """Lock the people who were found, and see that the identifiers still name them. An alias goes with its person."""
    rows = {row["id"]: row for row in await connection.fetch(LOCK, workspace, list(set(found.values())))}
    if not rows.keys() >= set(found.values()):
        raise Moved
    others = {
        one: person
        for one, person in found.items()
        if one.sort in rows[person] and rows[person][one.sort] != one.value
    }
    if others:
        sorts, values = [one.sort for one in others], [one.value for one in others]
        former = await connection.fetch(FORMER, workspace, sorts, values)
        if {Identifier(row["sort"], row["value"]): row["person"] for row in former} != others:
            raise Moved


KNOWN = f"""
with found as materialized (
    select k.value, p.id from unnest($2::text[]) as k(value)
    cross join lateral (select id from people where workspace = $1 and external_id = k.value limit 1) p)
select f.value as wanted, {SELECT} from found f join people p on p.workspace = $1 and p.id = f.id
where (select count(*) from found) = cardinality($2::text[]) order by p.workspace, p.id for no key update of p
"""  # noqa: S608 - constants
"""Finds, locks and reads in one: what is read of a locked row is as it is now, even where the lock was waited for."""


async def lock_known(
    connection: Any, workspace: int, wanted: Collection[Identifier]
) -> dict[Identifier, Profile] | None:
    """The people whom these external ids name, locked, ascending by id, and as they are now: in one statement.

    None, and nothing is locked, where an identifier is of another sort or names nobody: then `resolve` is the way.
    Raises `Moved` where one names another person by the time the lock is granted.
    """
    names = [one.value for one in wanted if one.sort == "external_id"]
    if len(names) < len(wanted):
        return None
    rows = await connection.fetch(KNOWN, workspace, names)
    if not rows:
        return None
    if len(rows) < len(names) or any(row["wanted"] != row["external_id"] for row in rows):
        raise Moved
    return {Identifier("external_id", row["wanted"]): profile_of(workspace, row) for row in rows}


FORMER = """
select sort, value, person from former_names
where workspace = $1 and (sort, value) in (select * from unnest($2::text[], $3::text[]))
"""


async def _link(
    connection: Any,
    workspace: int,
    links: Mapping[Identifier, Identifier],
    found: dict[Identifier, UUID],
    made: set[UUID],
) -> set[UUID]:
    """Give the external id to the anonymous person, or the anonymous id to the identified one; who remains made.

    Either id was reserved, in the order of all writers, by a row that is taken back here; so no transaction waits for an id
    while holding a person. Two people who both exist already stay two here: joining them is a merge.
    """
    rows = await connection.fetch(NAMED, workspace, [found[one] for link in links.items() for one in link])
    known = {row["id"]: row for row in rows}
    names: dict[UUID, tuple[str | None, str | None]] = {}
    gone: set[UUID] = set()
    others: list[tuple[UUID, str]] = []
    for external, anonymous in links.items():
        one, other = found[external], found[anonymous]
        if one == other or {one, other} & {*gone, *names}:
            continue
        if one in made and other not in made and known[other]["external_id"] is None:  # IDN-12
            names[other] = external.value, None
            gone.add(one)
            found[external] = other
        elif other in made:
            gone.add(other)
            if known[one]["anonymous_id"] is None:  # IDN-12
                names[one] = None, anonymous.value
            else:
                others.append((one, anonymous.value))
            found[anonymous] = one
    if gone:
        await connection.execute(FORGET, workspace, list(gone))
    if names:
        said = [(person, *both) for person, both in names.items()]
        await connection.execute(NAME, workspace, *map(list, zip(*said, strict=True)))
    if others:
        await connection.execute(BESIDE, workspace, *map(list, zip(*others, strict=True)))
    return made - gone


async def guard(connection: Any, workspace: int, names: Collection[Identifier]) -> None:
    """Let nobody else make people of these addresses, numbers and aliases, or name them so, until the transaction ends.

    It comes before all locks of the transaction, and once: names are taken in one order.
    """
    if names:
        await connection.execute(GUARD, [_guard(workspace, one) for one in names])


def _guard(workspace: int, one: Identifier) -> int:
    digest = blake2b(f"{workspace}\x1f{one.sort}\x1f{one.value}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


async def find(connection: Any, workspace: int, wanted: Collection[Identifier]) -> dict[Identifier, UUID]:
    """Look these people up, in one statement that locks and makes nothing."""
    values: dict[str, list[str]] = {}
    for one in wanted:
        values.setdefault(one.sort, []).append(one.value)
    aliases = [one.alias for one in wanted if one.sort == "user_alias"]
    rows = await connection.fetch(
        FIND,
        workspace,
        values.get("external_id", []),
        values.get("anonymous_id", []),
        [identity for value in values.get("braze_id", []) if (identity := uuid_of(value))],
        values.get("email", []),
        values.get("phone", []),
        [label for label, _ in aliases],
        [name for _, name in aliases],
    )
    return {Identifier(row["sort"], row["value"]): row["id"] for row in rows}


def uuid_of(text: str) -> UUID | None:
    """The id that a text is, None where it is none."""
    try:
        return UUID(text)
    except ValueError:
        return None


async def _make(connection: Any, workspace: int, missing: Sequence[Identifier]) -> set[UUID]:
    identities = {one: uuid7() for one in missing}

    def column(sort: Sort) -> list[str | None]:
        return [one.value if one.sort == sort else None for one in missing]

    made = await connection.fetch(
        MAKE,
        workspace,
        list(identities.values()),
        [shard_of(identity) for identity in identities.values()],
        [bucket_of(identity) for identity in identities.values()],
        column("external_id"),
        column("anonymous_id"),
        column("email"),
        column("phone"),
    )
    aliases = [(identities[one], *one.alias) for one in missing if one.sort == "user_alias"]
    if aliases:
        await connection.fetch(ALIAS, workspace, *map(list, zip(*aliases, strict=True)))
    return {row["id"] for row in made}


def bucket_of(person: UUID) -> int:
    """The random bucket that a person gets when they are created, 0 to 9999 (IDN-10)."""
    return int.from_bytes(blake2b(b"bucket" + person.bytes, digest_size=4).digest(), "big") % 10_000
