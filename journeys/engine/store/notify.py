"""Wakes the delivery workers of a channel in every process, by PostgreSQL's NOTIFY."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

import asyncpg

from journeys.engine.fair_batches import Notices
from journeys.engine.outages import DATABASE, OUTAGES
from journeys.engine.store.database import PASSING, Database
from journeys.engine.store.database_url import connect

TOPIC = "journeys_dispatch"
PAUSE = 0.02
"""Seconds between two calls of a process: inside the transaction, or more often, it would halve the commit rate."""


@asynccontextmanager
async def listening(db: Database, notices: Mapping[str, Notices]) -> AsyncIterator[None]:
    """Listen, and add to the notices of those who are notified. Where that cannot be, their polls do the work."""

    def heard(_connection: object, _pid: int, _topic: str, payload: str) -> None:
        channel, _, workspace = payload.rpartition(" ")
        if channel in notices:
            notices[channel].add(int(workspace))

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
        self._new: set[tuple[str, int]] = set()
        self._ringing: asyncio.Task[None] | None = None

    def notify(self, channel: str, workspace: int) -> None:
        """Say that there are new dispatches of a workspace for this channel."""
        self._new.add((channel, workspace))
        if self._ringing is None or self._ringing.done():
            self._ringing = asyncio.create_task(self._notify())

    async def _notify(self) -> None:
        while self._new:
            new, self._new = self._new, set()
            query = "select pg_notify($1, payload) from unnest($2::text[]) as payload"
            try:
                await self._db.pool.execute(
                    query, TOPIC, [f"{channel} {workspace}" for channel, workspace in sorted(new)]
                )
            except PASSING as error:
                OUTAGES.gone(DATABASE, error)
            await asyncio.sleep(PAUSE)

    async def close(self) -> None:
        """Finish what was begun."""
        if self._ringing is not None:
            await self._ringing
