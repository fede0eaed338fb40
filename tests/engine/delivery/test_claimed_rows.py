"""What a message costs the database on its way out of the queue."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from journeys.engine.delivery.claim import CLAIM, LEASE
from journeys.engine.delivery.settlement import CALLING
from journeys.engine.store import Database

FILL = """
insert into dispatches (workspace, person, key, shard, entry, canvas, plan, step, channel, at)
select 1, p, p || '/mail', 0, p, 'news', 'news@1', 'mail', 'email', now()
from (select gen_random_uuid() as p from generate_series(1, $1)) s
"""
UPDATED = """
select n_tup_upd::int as updated, n_tup_hot_upd::int as in_place from pg_stat_xact_user_tables where relname = 'dispatches'
"""
"""Of the connection, since it last told the server of them."""
MANY = 200


async def test_a_claim_and_the_mark_before_a_call_change_no_index(db: Database) -> None:
    """The new version of a row lies on its page; a few at the edges of pages may not."""
    await db.pool.execute(FILL, MANY)

    async with db.pool.acquire() as connection:
        for statement in (_claim, _mark):
            async with connection.transaction():
                before = await connection.fetchrow(UPDATED)
                await statement(connection)
                after = await connection.fetchrow(UPDATED)
            assert after["updated"] - before["updated"] == MANY
            assert after["in_place"] - before["in_place"] >= 0.9 * MANY


async def _claim(connection: Any) -> None:
    await connection.fetch(CLAIM, "email", MANY, uuid4(), LEASE, [], True)


async def _mark(connection: Any) -> None:
    rows = await connection.fetch("select workspace, person, key, claim from dispatches")
    await connection.fetch(CALLING, *map(list, zip(*rows, strict=True)), LEASE)
