"""Consents: the states of people per channel. Each change of one is a fact as well, and stays when the next comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

Source = Literal["rest", "canvas", "message", "preference_centre"]
"""What a change came by: a call of the API or an import, a step of a canvas, a link of a message, the hosted page."""

CHANGED = "consent_changed"
"""The fact of a change (CNS-3): channel, state and source."""

STORE = """
with changed as (
    insert into consents (workspace, person, channel, state, at)
    select $1, s.person, s.channel, s.state, $5
    from unnest($2::uuid[], $3::text[], $4::text[]) as s(person, channel, state)
    on conflict (workspace, person, channel) do update set state = excluded.state, at = excluded.at
    where consents.state is distinct from excluded.state returning workspace, person, channel, state, at)
insert into facts (workspace, person, shard, fact, at, data)
select c.workspace, c.person, p.shard, $6, c.at,
    jsonb_build_object('channel', c.channel, 'state', c.state, 'source', $7::text)
from changed c join people p on (p.workspace, p.id) = (c.workspace, c.person)
"""


async def store_consents(
    connection: Any,
    workspace: int,
    consents: Mapping[tuple[UUID, str], str],
    now: datetime,
    source: Source = "rest",
) -> None:
    """Write the states, by person and channel. `at` says since when a state holds. The people are locked."""
    rows = [(person, channel, state) for (person, channel), state in sorted(consents.items())]
    await connection.execute(STORE, workspace, *map(list, zip(*rows, strict=True)), now, CHANGED, source)


SHARED = """
with said as (
    select distinct on (s.workspace, o.id, s.channel) s.workspace, o.id as person, s.channel, s.state, s.at, s.person as by
    from unnest($1::int[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[])
        with ordinality as s(workspace, person, channel, state, at, place)
    cross join lateral (
        select s.person as id
        union select other.id from people p join people other on (other.workspace, other.email) = (p.workspace, p.email)
        where (p.workspace, p.id) = (s.workspace, s.person) and s.channel = 'email') o
    order by s.workspace, o.id, s.channel, s.place desc),
stored as (
    insert into consents (workspace, person, channel, state, at)
    select workspace, person, channel, state, at from said order by workspace, person, channel
    on conflict (workspace, person, channel) do update set state = excluded.state, at = excluded.at
    where consents.state is distinct from excluded.state
    returning workspace, person, channel, state, at),
noted as (
    insert into facts (workspace, person, shard, fact, at, data)
    select c.workspace, c.person, p.shard, $6, c.at,
        jsonb_build_object('channel', c.channel, 'state', c.state, 'source', $7::text)
    from stored c join people p on (p.workspace, p.id) = (c.workspace, c.person))
select s.workspace, s.person, s.channel, coalesce(c.state, 'subscribed') as before, s.state as after, s.at, s.by
from said s join stored t on (t.workspace, t.person, t.channel) = (s.workspace, s.person, s.channel)
left join consents c on (c.workspace, c.person, c.channel) = (s.workspace, s.person, s.channel) -- as it was before
where s.state <> coalesce(c.state, 'subscribed') order by s.workspace, s.person, s.channel
"""


class ConsentChange(NamedTuple):
    """A consent that is another now. `by`: who said it; another person shares the address."""

    workspace: int
    person: UUID
    channel: str
    before: str
    after: str
    at: datetime
    by: UUID


async def share_consents(
    connection: Any, said: Sequence[tuple[int, UUID, str, str, datetime]], source: Source
) -> list[ConsentChange]:
    """Write workspace, person, channel, state and instant; a consent to e-mail for all who share the address (PRF-5).

    Those who say it are locked, the others are not: rows are written ascending by person, as by all who write them.
    Returns what is another state now.
    """
    if not said:
        return []
    rows = await connection.fetch(SHARED, *map(list, zip(*said, strict=True)), CHANGED, source)
    return [ConsentChange(*row) for row in rows]
