"""Wakes the delivery workers of a channel in every process, by PostgreSQL's NOTIFY."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

import asyncpg

from journeys.engine.outages import DATABASE, OUTAGES
from journeys.engine.store.database import PASSING, Database
from journeys.engine.store.database_url import connect

TOPIC = "journeys_dispatch"
PAUSE = 0.02
"""Seconds between two calls of a process: inside the transaction, or more often, it would halve the commit rate."""


@asynccontextmanager
async def listening(db: Database, notified: Mapping[str, asyncio.Event]) -> AsyncIterator[None]:
    """Listen, and set the events of those who are notified. Where that cannot be, their polls do the work."""

    def heard(_connection: object, _pid: int, _topic: str, channel: str) -> None:
        if channel in notified:
            notified[channel].set()

    try:
        connection = await connect(db.url)
    except (OSError, asyncpg.PostgresError) as error:
        OUTAGES.gone(DATABASE, error)
        yield
        return
    await connection.add_listener(TOPIC, heard)
    try:
        yield
    finally:
        with suppress(OSError, asyncpg.PostgresError, TimeoutError):
            await connection.close(timeout=2)


class PostgresNotifier:
    """Notifies after the commit, at most every twenty milliseconds. A lost call costs a second: drainers poll."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._channels: set[str] = set()
        self._ringing: asyncio.Task[None] | None = None

    def notify(self, channel: str) -> None:
        """Say that there are new dispatches for this channel."""
        self._channels.add(channel)
        if self._ringing is None or self._ringing.done():
            self._ringing = asyncio.create_task(self._notify())

    async def _notify(self) -> None:
        while self._channels:
            channels, self._channels = self._channels, set()
            query = "select pg_notify($1, channel) from unnest($2::text[]) as channel"
            try:
                await self._db.pool.execute(query, TOPIC, sorted(channels))
            except PASSING as error:
                OUTAGES.gone(DATABASE, error)
            await asyncio.sleep(PAUSE)

    async def close(self) -> None:
        """Finish what was begun."""
        if self._ringing is not None:
            await self._ringing
