"""Migrations run beside live work: they give way to those who use a table, and indexes are made while it is written to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError

from journeys.engine.store import Database, migrate
from journeys.engine.store.migrate import Unfit, check_database, head, known, schema_of
from tests.dumps.restored import VERSIONS, restored
from tests.engine.store.test_upgrade import schema

migrating = import_module("journeys.engine.store.migrate")

WAITS = """
select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like $1
"""


@pytest.fixture
async def older(postgres: str) -> AsyncIterator[Database]:
    """The database of the first release, not migrated yet."""
    async with Database.at(await restored(postgres, VERSIONS[0])) as database:
        yield database


@asynccontextmanager
async def busy(db: Database, statement: str) -> AsyncIterator[None]:
    """A transaction that has done this, and goes on."""
    async with db.pool.acquire() as connection:
        work = connection.transaction()
        await work.start()
        await connection.execute(statement)
        try:
            yield
        finally:
            await work.rollback()


async def waiting(db: Database, query: str) -> int:
    """The process of PostgreSQL that waits with a statement like this."""
    for _ in range(1200):
        if pid := await db.pool.fetchval(WAITS, query):
            return int(pid)
        await asyncio.sleep(0.05)
    raise AssertionError(f"no one waits: {query}")


async def test_a_migration_gives_way_to_those_who_use_a_table_and_tries_again(
    older: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrating, "LONGEST_WAIT", "200ms")
    monkeypatch.setattr(migrating, "PAUSE", 0.5)
    monkeypatch.setattr(migrating, "TRIES", 10_000)
    before = await schema_of(older.pool)
    async with busy(older, "select count(*) from entries"):
        going = asyncio.create_task(migrate(older.url))
        await waiting(older, "alter table%")
        async with asyncio.timeout(
            60
        ):  # without the limit these would wait behind it for as long as the transaction lasts
            for _ in range(5):
                await older.pool.execute("update entries set moved = moved where false")
                await asyncio.sleep(0.2)
        assert not going.done()
        assert await schema_of(older.pool) == before
    await going
    assert await schema_of(older.pool) == head()


async def test_one_that_is_never_let_in_says_so_in_the_end(
    older: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrating, "LONGEST_WAIT", "50ms")
    monkeypatch.setattr(migrating, "PAUSE", 0.01)
    monkeypatch.setattr(migrating, "TRIES", 2)
    async with busy(older, "select count(*) from entries"):
        with pytest.raises(DBAPIError, match="lock timeout"):
            await migrate(older.url)
    await migrate(older.url)
    assert await schema_of(older.pool) == head()


WRITE = "update conversions set step = step where name = 'nothing'"


async def test_an_index_is_made_while_its_table_is_written_to_and_anew_after_a_kill(
    older: Database, db: Database
) -> None:
    async with busy(older, WRITE):
        going = asyncio.create_task(migrate(older.url))
        pid = await waiting(older, "create index concurrently conversions_until%")
        async with asyncio.timeout(60):
            await older.pool.execute(WRITE)
        await older.pool.execute("select pg_terminate_backend($1)", pid)
        with pytest.raises((DBAPIError, asyncpg.PostgresError)):
            await going
    left = await older.pool.fetchval(
        "select indisvalid from pg_index where indexrelid = 'conversions_until'::regclass"
    )
    assert left is False

    await migrate(older.url)

    assert await schema(older) == await schema(db)
    assert await older.pool.fetchval("select count(*) from pg_index where not indisvalid") == 0


async def test_several_processes_migrate_at_once_and_each_finds_it_done(older: Database) -> None:
    done: list[Any] = await asyncio.gather(*(migrate(older.url) for _ in range(4)))

    assert done == [None] * 4
    assert await schema_of(older.pool) == head()


async def test_a_version_starts_on_the_schema_of_a_newer_one_that_says_it_can_and_leaves_it_as_it_is(
    db: Database,
) -> None:
    """Who is started again during an upgrade goes on beside the new version."""
    await db.pool.execute("update alembic_version set version_num = '9999'")
    for start in (migrate, check_database):
        await start(db.url)
    assert await schema_of(db.pool) == "9999"


async def test_it_does_not_start_on_one_that_has_taken_away_what_it_uses(db: Database) -> None:
    await db.pool.execute("update alembic_version set version_num = '9999'")
    for then in ("update schema_fits set oldest = '9998'", "drop table schema_fits"):
        await db.pool.execute(then)
        for start in (migrate, check_database):
            with pytest.raises(Unfit, match="a newer version \\(9999\\)"):
                await start(db.url)


async def test_the_schema_fits_the_versions_from_the_oldest_that_is_named_on(db: Database) -> None:
    """The oldest is one that this version knows: no migration can name a later one than itself."""
    assert await db.pool.fetchval("select oldest from schema_fits") in known()
