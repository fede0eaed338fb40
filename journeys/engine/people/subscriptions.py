"""The states of people in subscription groups. Each change of one is a fact as well (CNS-3)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from journeys.canvas.subscription_groups import SubscriptionGroup, group_of
from journeys.engine.audience.match import Said
from journeys.engine.people.consents import Source

CHANGED = "subscription_changed"
"""The fact of a change (CNS-3): subscription (the name of the group), state and source."""

STORE = """
with changed as (
    insert into subscriptions (workspace, person, name, channel, state, at)
    select $1, s.person, s.name, s.channel, s.state, $6
    from unnest($2::uuid[], $3::text[], $4::text[], $5::text[]) as s(person, name, channel, state)
    on conflict (workspace, person, name) do update set channel = excluded.channel, state = excluded.state, at = excluded.at
    where subscriptions.state is distinct from excluded.state returning workspace, person, name, state, at)
insert into facts (workspace, person, shard, fact, at, data)
select c.workspace, c.person, p.shard, $7, c.at,
    jsonb_build_object('subscription', c.name, 'state', c.state, 'source', $8::text)
from changed c join people p on (p.workspace, p.id) = (c.workspace, c.person)
"""
NO_GROUP = "'subscription_group_id' is no subscription group of this workspace"
READ = "select person, name, state from subscriptions where workspace = $1 and person = any($2::uuid[]) order by person, name"


async def store_subscriptions(
    connection: Any,
    workspace: int,
    states: Mapping[tuple[UUID, str], Said],
    now: datetime,
    source: Source,
) -> None:
    """Write the states, by person and name of the group. The people are locked."""
    if states:
        rows = [(person, name, *said) for (person, name), said in sorted(states.items())]
        await connection.execute(STORE, workspace, *map(list, zip(*rows, strict=True)), now, CHANGED, source)


class Subscribing(NamedTuple):
    """A state in a group that a person says, or that is said of them."""

    workspace: int
    person: UUID
    name: str
    channel: str
    state: str
    at: datetime


def subscribing(
    groups: Mapping[str, SubscriptionGroup],
    workspace: int,
    person: UUID,
    said: Mapping[str, str],
    at: datetime,
) -> tuple[list[Subscribing], list[str]]:
    """The states that are said by the names or ids of groups; and what is wrong with those that name none."""
    found: list[Subscribing] = []
    unknown: list[str] = []
    for name, state in said.items():
        group = group_of(groups, name)
        if group is None:
            unknown.append(f"{NO_GROUP}: '{name[:100]}'")
        else:
            found.append(Subscribing(workspace, person, group.name, group.channel, state, at))
    return found, unknown


SHARED = """
with changed as (
    insert into subscriptions (workspace, person, name, channel, state, at)
    select distinct on (s.workspace, o.id, s.name) s.workspace, o.id, s.name, s.channel, s.state, s.at
    from unnest($1::int[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
        with ordinality as s(workspace, person, name, channel, state, at, place)
    cross join lateral (
        select s.person as id
        union select other.id from people p join people other on (other.workspace, other.email) = (p.workspace, p.email)
        where (p.workspace, p.id) = (s.workspace, s.person) and s.channel = 'email'
        union select other.id from people p join people other on (other.workspace, other.phone) = (p.workspace, p.phone)
        where (p.workspace, p.id) = (s.workspace, s.person) and s.channel <> 'email') o
    order by s.workspace, o.id, s.name, s.place desc
    on conflict (workspace, person, name) do update set channel = excluded.channel, state = excluded.state, at = excluded.at
    where subscriptions.state is distinct from excluded.state returning workspace, person, name, state, at)
insert into facts (workspace, person, shard, fact, at, data)
select c.workspace, c.person, p.shard, $7, c.at,
    jsonb_build_object('subscription', c.name, 'state', c.state, 'source', $8::text)
from changed c join people p on (p.workspace, p.id) = (c.workspace, c.person)
"""


async def share_subscriptions(connection: Any, said: Sequence[Subscribing], source: Source) -> None:
    """Write the states, the last of each counts: in groups for e-mail for all who share the address, else the number (PRF-5).

    Those who say it are locked, the others are not: rows are written ascending by person, as by all who write them.
    """
    if said:
        await connection.execute(SHARED, *map(list, zip(*said, strict=True)), CHANGED, source)


async def subscriptions_of(
    connection: Any, workspace: int, people: Collection[UUID]
) -> dict[UUID, dict[str, str]]:
    """What these people said last of each group, by its name. Groups of which nothing was said are left out."""
    found: dict[UUID, dict[str, str]] = {}
    for person, name, state in await connection.fetch(READ, workspace, list(people)):
        found.setdefault(person, {})[name] = state
    return found
