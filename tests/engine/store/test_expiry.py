"""What is kept for a fixed time goes page by page, the oldest first."""

from __future__ import annotations

from datetime import timedelta
from typing import get_args

import pytest

from journeys.engine.store import Database
from journeys.engine.store.expiry import Expiring, delete_older

STORE = {
    "seen": "insert into seen (workspace, person, digest, stored) select 1, gen_random_uuid(), 'd', {0}",
    "hearings": "insert into hearings (workspace, person, canvas, step, no, entry, stored)"
    " select 1, gen_random_uuid(), 'c', 's', 1, gen_random_uuid(), {0}",
    "replies": "insert into replies (workspace, route, key, digest, status, body, stored)"
    " select 1, 'r', gen_random_uuid()::text, 'd', 201, '{{}}', {0}",
}


@pytest.mark.parametrize("table", get_args(Expiring))
async def test_what_is_past_its_time_goes_in_pages_and_the_rest_stays(db: Database, table: Expiring) -> None:
    for ago, count in ((10, 7), (1, 3)):
        stored = f"now() - interval '{ago} days' from generate_series(1, {count})"
        await db.pool.execute(STORE[table].format(stored))

    assert await delete_older(db.pool, table, timedelta(days=5), page=3) == 7
    assert await db.pool.fetchval(f"select count(*) from {table}") == 3
