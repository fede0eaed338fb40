"""Finds people who share an e-mail address: consent that is set for one of them holds for all (PRF-5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from journeys.engine.intake.track_objects import Item
from journeys.engine.people.identity import Identifier, find
from journeys.engine.people.standard_attributes import address

SHARING = """
select distinct other.id from people other
where other.workspace = $1 and other.email in (
    select p.email from people p where p.workspace = $1 and p.id = any($2::uuid[]) and p.email is not null
    union all select * from unnest($3::text[]))
"""


async def sharing(connection: Any, workspace: int, items: Sequence[Item]) -> list[Identifier]:
    """The people who share the address of a person whose e-mail consent is set here: it is set for them too (PRF-5).

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
