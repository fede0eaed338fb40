"""What is known of addresses and numbers, whoever has them: that they do not exist, and what was said of them in advance.

Those of people who were erased are kept as keyed hashes (`address_hash` in the schema), and known again once somebody
has them: by a trigger, whoever writes the person (`recall_address`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

CHANGED = "address_changed"
"""The fact of a change, of each person who has the address (CNS-3): channel, change, and source."""

BOUNCED = """
with said as (
    select distinct on (channel, address) * from unnest($2::text[], $3::text[]) as s(channel, address)
    order by channel, address),
changed as (
    insert into addresses (workspace, channel, address, bounced)
    select $1, channel, case when $6::text = 'rest' or exists (
            select from people p where p.workspace = $1 and said.address in (p.email, p.phone))
        then address else address_hash($1, address) end, $4 from said
    on conflict (workspace, address, channel) do update set bounced = excluded.bounced where addresses.bounced is null
    returning channel, address)
insert into facts (workspace, person, shard, fact, at, data)
select p.workspace, p.id, p.shard, $5, $4, jsonb_build_object('channel', c.channel, 'change', 'bounced', 'source', $6::text)
from changed c join people p on p.workspace = $1
    and case when c.channel = 'email' then p.email = c.address else p.phone = c.address end
order by p.id
"""
"""A mailbox that a mail came back from may have belonged to somebody who was erased meanwhile (IDN-31)."""
CLEARED = """
with changed as (
    update addresses set bounced = null
    where workspace = $1 and channel = $2 and address = any($3::text[]) and bounced is not null returning channel, address)
insert into facts (workspace, person, shard, fact, at, data)
select p.workspace, p.id, p.shard, $5, $4, jsonb_build_object('channel', c.channel, 'change', 'cleared', 'source', 'rest')
from changed c join people p on p.workspace = $1
    and case when c.channel = 'email' then p.email = c.address else p.phone = c.address end
order by p.id
"""
FORGIVEN = """
with changed as (
    update people set standard = standard - 'marked_email_as_spam_at'
    where workspace = $1 and email = any($2::text[]) and standard ? 'marked_email_as_spam_at' returning id, shard)
insert into facts (workspace, person, shard, fact, at, data)
select $1, id, shard, $4, $3, jsonb_build_object('channel', 'email', 'change', 'spam_cleared', 'source', 'rest')
from changed order by id
"""
SAID = """
insert into addresses (workspace, channel, address, state, said)
select distinct on (address) $1::int, 'email', address, $3, $4::timestamptz from unnest($2::text[]) as s(address) order by address
on conflict (workspace, address, channel) do update set state = excluded.state, said = excluded.said
"""
ADOPTED = """
select p.id, found.state from people p
cross join lateral (
    select c.state, c.at from people other join consents c on (c.workspace, c.person) = (other.workspace, other.id)
    where (other.workspace, other.email) = (p.workspace, p.email) and other.id <> p.id and c.channel = 'email'
    union all
    select a.state, a.said from addresses a
    where (a.workspace, a.channel) = (p.workspace, 'email') and a.state is not null
        and a.address in (p.email, address_hash(p.workspace, p.email))
    order by at desc limit 1) found
where p.workspace = $1 and p.id = any($2::uuid[])
"""


RECALLED = "select recall_address($1, address) from unnest($2::text[]) as s(address) order by address"
MINE = "array_remove(array(select unnest(array[email, phone]) from people where (workspace, id) = ($1, $2)), null)"
RECALLED_OF = f"select recall_address($1, address) from unnest({MINE}) as s(address) order by address"  # noqa: S608 - constants
SAID_BY = """
insert into addresses (workspace, address, channel, state, said)
select $1, p.email, 'email', case when p.standard ? 'marked_email_as_spam_at' then 'unsubscribed' else c.state end,
    coalesce(c.at, $3::timestamptz)
from people p left join consents c on (c.workspace, c.person, c.channel) = (p.workspace, p.id, 'email')
where (p.workspace, p.id) = ($1, $2) and p.email is not null and (c.state is not null or p.standard ? 'marked_email_as_spam_at')
on conflict (workspace, address, channel) do update set state = excluded.state, said = excluded.said
"""
LOCKED = f"select from addresses where workspace = $1 and address = any({MINE}) order by address, channel for update"
"""The rows of a person's addresses, with what they said of e-mail: of two who share one, the last one sees it."""

ALONE = f"""
workspace = $1 and address = any({MINE}) and not exists (
    select from people o where o.workspace = $1 and o.id <> $2 and addresses.address in (o.email, o.phone))
"""
FORGOTTEN = (
    f"delete from addresses where bounced is null and state is distinct from 'unsubscribed' and {ALONE}"  # noqa: S608 - constants
)
HASHED = f"""
update addresses set address = address_hash(workspace, address), state = case state when 'unsubscribed' then state end,
    said = case state when 'unsubscribed' then said end
where {ALONE}
"""  # noqa: S608 - constants


async def hash_addresses(connection: Any, workspace: int, person: UUID, now: datetime) -> None:
    """Keep the addresses that nobody but a person has who is erased now, where nothing may be sent to them: as hashes.

    These are the unsubscribed ones, those that are marked as spam, and those that do not exist (IDN-31). The person is
    locked, and their consents are still there.
    """
    await connection.execute(RECALLED_OF, workspace, person)
    await connection.execute(SAID_BY, workspace, person, now)
    for statement in (LOCKED, FORGOTTEN, HASHED):
        await connection.execute(statement, workspace, person)


async def recall(connection: Any, workspace: int, addresses: Collection[str]) -> None:
    """Know these addresses again, which a call names, where they are kept as hashes."""
    await connection.execute(RECALLED, workspace, list(addresses))


async def note_bounces(
    connection: Any,
    workspace: int,
    bounces: Sequence[tuple[str, str]],
    at: datetime,
    source: Literal["rest", "message"],
) -> None:
    """Mark addresses, each with its channel, as such that do not exist: nothing is sent to them any more (EML-8)."""
    if bounces:
        if source == "rest":
            await recall(connection, workspace, {address for _, address in bounces})
        await connection.execute(
            BOUNCED, workspace, *map(list, zip(*bounces, strict=True)), at, CHANGED, source
        )


async def clear_bounces(
    connection: Any, workspace: int, channel: str, addresses: Collection[str], at: datetime
) -> None:
    """Take the marks away (EML-3, EML-7)."""
    await recall(connection, workspace, addresses)
    await connection.execute(CLEARED, workspace, channel, list(addresses), at, CHANGED)


async def clear_spam(connection: Any, workspace: int, addresses: Collection[str], at: datetime) -> None:
    """Let those who have these addresses, and are locked, have marked no mail as spam (EML-4)."""
    await connection.execute(FORGIVEN, workspace, list(addresses), at, CHANGED)


async def note_states(
    connection: Any, workspace: int, addresses: Collection[str], state: str, at: datetime
) -> None:
    """Keep what was said of e-mail addresses, for those who will have them (EML-5)."""
    await recall(connection, workspace, addresses)
    await connection.execute(SAID, workspace, sorted(addresses), state, at)


async def states_of_addresses(connection: Any, workspace: int, people: Collection[UUID]) -> dict[UUID, str]:
    """For these people what was said last of their e-mail address, by another who has it or in advance (PRF-4)."""
    rows = await connection.fetch(ADOPTED, workspace, list(people)) if people else ()
    return {row["id"]: row["state"] for row in rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which addresses a list is asked for: these, or those between two instants, both included; and which page of them."""

    addresses: Collection[str] | None = None
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 100
    offset: int = 0
    ascending: bool = False


BOUNCES = """
select address, bounced as at from addresses
where workspace = $1 and channel = $2 and bounced is not null and address not like 'sha256:%'
    and ($3::text[] is null or address = any($3))
    and ($4::timestamptz is null or bounced >= $4) and ($5::timestamptz is null or bounced <= $5)
order by bounced desc, address limit $6 offset $7
"""
UNSUBSCRIBED = """
select address, max(at) as at from (
    select p.email as address, c.at from consents c join people p on (p.workspace, p.id) = (c.workspace, c.person)
    where c.workspace = $1 and c.channel = 'email' and c.state = 'unsubscribed' and p.email is not null
        and ($2::text[] is null or p.email = any($2))
        and ($3::timestamptz is null or c.at >= $3) and ($4::timestamptz is null or c.at <= $4)
    union all
    select a.address, a.said from addresses a
    where a.workspace = $1 and a.channel = 'email' and a.state = 'unsubscribed' and a.address not like 'sha256:%'
        and ($2::text[] is null or a.address = any($2))
        and ($3::timestamptz is null or a.said >= $3) and ($4::timestamptz is null or a.said <= $4)
        and not exists (select from people p where (p.workspace, p.email) = (a.workspace, a.address))) found
group by address
"""


async def bounced_addresses(
    connection: Any, workspace: int, channel: str, asked: Asked
) -> list[tuple[str, datetime]]:
    """The addresses of a channel that do not exist, each with since when that is known, the latest first."""
    between = (
        list(asked.addresses) if asked.addresses is not None else None,
        asked.since,
        asked.until,
        asked.limit,
        asked.offset,
    )
    return [tuple(row) for row in await connection.fetch(BOUNCES, workspace, channel, *between)]


async def unsubscribed_addresses(connection: Any, workspace: int, asked: Asked) -> list[tuple[str, datetime]]:
    """The e-mail addresses that are unsubscribed now, each with since when, the latest first unless `ascending`."""
    order = "order by at, address" if asked.ascending else "order by at desc, address"
    addresses = list(asked.addresses) if asked.addresses is not None else None
    query = f"{UNSUBSCRIBED} {order} limit $5 offset $6"
    rows = await connection.fetch(
        query, workspace, addresses, asked.since, asked.until, asked.limit, asked.offset
    )
    return [tuple(row) for row in rows]
