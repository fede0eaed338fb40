"""Statements for a few rows are planned once, however many rows come."""

from __future__ import annotations

import pytest

from journeys.engine.delivery.claim import LEASE
from journeys.engine.delivery.settlement import CALLING, SETTLE
from journeys.engine.store import Database
from journeys.engine.store.array_rows import array_rows
from journeys.engine.store.entry_writes import BIRTH, DISPATCH, FACT, INBOX, STATE, WINDOW, WRITE

KEPT_AFTER = 5
"""Executions after which PostgreSQL may keep a plan."""
PLANS = "select sum(generic_plans)::int from pg_prepared_statements where statement = $1"
WRITTEN = sum(map(len, (STATE, BIRTH, INBOX, DISPATCH, FACT, WINDOW)))


@pytest.mark.parametrize(
    ("statement", "arrays", "more"),
    [(SETTLE, 9, []), (CALLING, 4, [LEASE]), (WRITE, WRITTEN, [])],
    ids=["settle", "calling", "write"],
)
async def test_a_statement_for_a_few_rows_keeps_its_plan(
    db: Database, statement: str, arrays: int, more: list[object]
) -> None:
    async with db.transaction() as connection:
        for _ in range(KEPT_AFTER + 2):
            await connection.fetch(statement, *([[]] * arrays), *more)

        assert await connection.fetchval(PLANS, statement) == 2


async def test_the_rows_are_those_of_the_arrays(db: Database) -> None:
    query = f"select * from {array_rows('int', 'text', first=2)} as s(n, word) where n > $1"

    rows = await db.pool.fetch(query, 1, [1, 2, 3], ["a", None, "c"])

    assert [tuple(row) for row in rows] == [(2, None), (3, "c")]
