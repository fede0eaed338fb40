"""The clock that all processes on one database share if the canvas' time is not real time.

A process that runs at a scale holds a lock for as long. While none does, the canvas' time goes on from where it was, at
the pace of real time: so it never goes back, whatever is stopped and started, at whichever scale.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import asyncpg

from journeys.engine.clock import Clock
from journeys.engine.logs import logger
from journeys.engine.outages import DATABASE, OUTAGES
from journeys.engine.store.clock_check import measure
from journeys.engine.store.database import Database
from journeys.engine.store.database_url import connect

BEAT = timedelta(seconds=1)
"""Time between two notes of a process that runs at a scale."""

LOCK = (0x6A6F7572, 0x74696D65)
"""The advisory lock of the processes that run at a scale."""

READ = "select scale, start, begins, until from clock"
HELD = """
select exists (select 1 from pg_locks where locktype = 'advisory' and granted and objsubid = 2
    and (classid, objid) = ($1::bigint::oid, $2::bigint::oid)
    and database = (select oid from pg_database where datname = current_database()))
"""
WRITE = """
insert into clock (id, scale, start, begins, until) values (1, $1, $2, $3, $2)
on conflict (id) do update set scale = excluded.scale, start = excluded.start, begins = excluded.begins,
    until = excluded.until
"""
UNTIL = "update clock set until = clock_timestamp() + $1::interval"
ROUSE = """
with alone as (
    update entries set turn = turn + 1, moved = clock_timestamp() - interval '1 second'
    where ended is null and alarm_at is not null and alarm = id)
update alarms set turn = turn + 1, moved = clock_timestamp() - interval '1 second'
"""

log = logger(__name__)


class OtherScale(ValueError):
    """A process runs at another scale on this database; the text is for people."""


async def read_clock(db: Database) -> Clock:
    """The clock of this database, as a command goes by it."""
    async with db.pool.acquire() as connection:
        clock = await _clock(connection)
        await measure(connection, clock)
        return clock


@asynccontextmanager
async def keep_clock(db: Database, scale: float | None) -> AsyncIterator[Clock]:
    """Run at this scale while the block lasts (None: at the one that others run at, or real time).

    If the clock changes its scale, all alarms are set again. Raises `OtherScale`.
    """
    async with db.transaction() as connection:
        await connection.execute("lock table clock in exclusive mode")
        clock = await _begun(connection, scale)
        if clock.scale != 1.0:
            holding = await _held(db)
    if clock.scale == 1.0:
        yield clock
        return
    noting = asyncio.create_task(_note(db, holding))
    try:
        yield clock
    finally:
        noting.cancel()
        with suppress(asyncio.CancelledError):
            holding = await noting
        await holding.close()
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await db.pool.execute(UNTIL, timedelta(0))


async def _begun(connection: Any, scale: float | None) -> Clock:
    before = await _clock(connection)
    if scale is None or scale == before.scale:
        return before
    if before.scale != 1.0:
        raise OtherScale(
            f"another process on this database runs at another time scale ({before.scale:g} s in a second): stop it first"
        )
    now = await connection.fetchval("select clock_timestamp()")
    clock = Clock(scale, now, before.virtual(now))
    await connection.execute(WRITE, scale, now, clock.begins)
    await connection.execute(ROUSE)
    return clock


async def _held(db: Database) -> asyncpg.Connection:
    """A connection whose lock shows that a process runs at a scale."""
    connection = await connect(db.url)
    await connection.execute("select pg_advisory_lock_shared($1, $2)", *LOCK)
    return connection


async def _note(db: Database, holding: asyncpg.Connection) -> asyncpg.Connection:
    """Note up to when the canvas' time is spoken for, so that it does not go back after a kill."""
    while True:
        try:
            if holding.is_closed():
                holding = await _held(db)
            await holding.execute(UNTIL, 2 * BEAT)
            await asyncio.sleep(BEAT.total_seconds())
        except asyncio.CancelledError:
            return holding
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            OUTAGES.gone(DATABASE, error)
            await asyncio.sleep(BEAT.total_seconds())


async def _clock(connection: Any) -> Clock:
    row = await connection.fetchrow(READ)
    if row is None:
        return Clock()
    clock = Clock(row["scale"], row["start"], row["begins"])
    if clock.scale == 1.0 or await connection.fetchval(HELD, *LOCK):
        return clock
    return Clock(1.0, row["until"], clock.virtual(row["until"]))
