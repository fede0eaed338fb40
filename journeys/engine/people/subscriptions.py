"""The states of people in subscription groups. Each change of one is a fact as well (CNS-3)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from journeys.engine.people.consents import Source

CHANGED = "subscription_changed"
"""The fact of a change (CNS-3): subscription (the name of the group), state and source."""

STORE = """
with changed as (
    insert into subscriptions (workspace, person, name, state, at)
    select $1, s.person, s.name, s.state, $5
    from unnest($2::uuid[], $3::text[], $4::text[]) as s(person, name, state)
    on conflict (workspace, person, name) do update set state = excluded.state, at = excluded.at
    where subscriptions.state is distinct from excluded.state returning workspace, person, name, state, at)
insert into facts (workspace, person, shard, fact, at, data)
select c.workspace, c.person, p.shard, $6, c.at,
    jsonb_build_object('subscription', c.name, 'state', c.state, 'source', $7::text)
from changed c join people p on (p.workspace, p.id) = (c.workspace, c.person)
"""
READ = "select person, name, state from subscriptions where workspace = $1 and person = any($2::uuid[]) order by person, name"


async def store_subscriptions(
    connection: Any,
    workspace: int,
    states: Mapping[tuple[UUID, str], str],
    now: datetime,
    source: Source,
) -> None:
    """Write the states, by person and name of the group. The people are locked."""
    if states:
        rows = [(person, name, state) for (person, name), state in sorted(states.items())]
        await connection.execute(STORE, workspace, *map(list, zip(*rows, strict=True)), now, CHANGED, source)


async def subscriptions_of(
    connection: Any, workspace: int, people: Collection[UUID]
) -> dict[UUID, dict[str, str]]:
    """What these people said last of each group, by its name. Groups of which nothing was said are left out."""
    found: dict[UUID, dict[str, str]] = {}
    for person, name, state in await connection.fetch(READ, workspace, list(people)):
        found.setdefault(person, {})[name] = state
    return found
