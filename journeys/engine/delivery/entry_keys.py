"""Reads the keys of entries whose messages are sent only when something holds that compares with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from journeys.canvas.entry_keys import asks_key
from journeys.canvas.plan import Plan
from journeys.engine.delivery.claim import Claimed
from journeys.engine.store.database import Database

KEYS = """
select e.id, e.entry_key from entries e
join unnest($1::int[], $2::uuid[], $3::uuid[]) as s(workspace, person, id)
    on (e.workspace, e.person, e.id) = (s.workspace, s.person, s.id)
"""


async def keys_of(db: Database, ours: Sequence[Claimed], plans: Mapping[str, Plan]) -> Mapping[UUID, Any]:
    """The key of each entry whose message asks for it; no statement where none does."""
    asking = [
        (one.workspace, one.person, one.entry)
        for one in ours
        if any(asks_key(each) for _, each in plans[one.plan].steps[one.step].filters())
    ]
    if not asking:
        return {}
    return dict(await db.pool.fetch(KEYS, *map(list, zip(*asking, strict=True))))
