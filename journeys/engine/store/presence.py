"""Every process says in the database that it is alive, which version it is of, and how far its clock is off."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

import asyncpg

import journeys
from journeys.engine.clock import Clock
from journeys.engine.store.database import PASSING, Database
from journeys.engine.store.migrate import head

EVERY = 20.0
"""Seconds between two notes of a process."""

ALIVE = timedelta(minutes=1)
"""A process that has said nothing for so long is gone."""

FORGOTTEN = timedelta(minutes=10)
"""After so long its row goes, too."""

LAST_WORD = 2.0
"""Seconds that a process that ends waits for a database that is away."""

Kind = Literal["worker", "api"]

SAY = """
insert into processes (id, kind, version, schema, host, pid, ahead) values ($1, $2, $3, $4, $5, $6, $7)
on conflict (id) do update set seen = clock_timestamp(), ahead = excluded.ahead
"""
GONE = "delete from processes where id = $1"
CLEAR = "delete from processes where seen < clock_timestamp() - $1::interval"


async def say(connection: Any, identity: UUID, kind: Kind, clock: Clock) -> None:
    """Note that this process is alive, and forget those that have long been gone."""
    ahead = clock.skew.ahead.total_seconds()
    mine = (journeys.__version__, head() or "", socket.gethostname(), os.getpid())
    await connection.execute(SAY, identity, kind, *mine, ahead)
    await connection.execute(CLEAR, FORGOTTEN)


@asynccontextmanager
async def announced(db: Database, kind: Kind, clock: Clock) -> AsyncIterator[UUID]:
    """This process is known to be alive while the block lasts, under an id that it yields."""
    identity = uuid4()
    await say(db.pool, identity, kind, clock)
    saying = asyncio.create_task(_again(db, identity, kind, clock))
    try:
        yield identity
    finally:
        saying.cancel()
        with suppress(asyncio.CancelledError):
            await saying
        with suppress(*PASSING, TimeoutError, asyncpg.PostgresError):
            async with asyncio.timeout(LAST_WORD):
                await db.pool.execute(GONE, identity)


async def _again(db: Database, identity: UUID, kind: Kind, clock: Clock) -> None:
    while True:
        await asyncio.sleep(EVERY)
        with suppress(*PASSING, TimeoutError, asyncpg.PostgresError):  # it says so the next time
            await say(db.pool, identity, kind, clock)
