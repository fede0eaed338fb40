"""What people agreed to hear on a channel, and who shares an address with whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from journeys.engine.intake.objects import Item
from journeys.engine.people.identify import Identifier, find
from journeys.engine.people.standard import address

STORE = """
insert into consents (workspace, person, channel, state, at)
select $1, s.person, s.channel, s.state, $5
from unnest($2::uuid[], $3::text[], $4::text[]) as s(person, channel, state)
on conflict (workspace, person, channel) do update set state = excluded.state, at = excluded.at
where consents.state is distinct from excluded.state
"""
SHARING = """
select distinct other.id from people other
where other.workspace = $1 and other.email in (
    select p.email from people p where p.workspace = $1 and p.id = any($2::uuid[]) and p.email is not null
    union all select * from unnest($3::text[]))
"""


async def store_consents(
    connection: Any, workspace: int, consents: Mapping[tuple[UUID, str], str], now: datetime
) -> None:
    """Write the states, by person and channel. `at` says since when a state holds. The people are locked."""
    rows = [(person, channel, state) for (person, channel), state in sorted(consents.items())]
    await connection.execute(STORE, workspace, *map(list, zip(*rows, strict=True)), now)


async def sharing(connection: Any, workspace: int, items: Sequence[Item]) -> list[Identifier]:
    """Those who have the address of somebody whose e-mail consent is set here: theirs is set with it (PRF-5).

    They must be locked with the others, so they are looked up before. Nothing is asked where no consent is set.
    """
    saying = [
        item for item in items if item.array == "attributes" and item.given.get("email_subscribe") is not None
    ]
    if not saying:
        return []
    known = await find(connection, workspace, [item.who for item in saying])
    addresses = {address(item.given["email"]) for item in saying if item.given.get("email") is not None}
    rows = await connection.fetch(SHARING, workspace, list(known.values()), [one for one in addresses if one])
    return [Identifier("braze_id", str(row["id"])) for row in rows]
