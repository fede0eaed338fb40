"""Bursts of alarms that several share: all of them in one transaction, or one by one where that fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Protocol
from uuid import UUID

from asyncpg.exceptions import LockNotAvailableError

from journeys.engine.entries.burst_calls import Call, Reply
from journeys.engine.entries.burst_locks import Locking
from journeys.engine.entries.setting_aside import reason_of
from journeys.engine.entries.shared_alarms import detach, members
from journeys.engine.logs import logger
from journeys.engine.metrics import BURSTS
from journeys.engine.people.locking import Locked
from journeys.engine.store.database import PASSING, Database, Moved

log = logger(__name__)


class Runs(Protocol):
    """The transaction of a burst."""

    def __call__(
        self, calls: Mapping[UUID, Call], *, locking: Locking, only: UUID | None = None
    ) -> Awaitable[dict[UUID, Reply]]:
        """Let these alarms' open entries (or one of them alone) hear what they have not heard."""


class SharedBursts:
    """The bursts of alarms of several, by the transaction `run`.

    Those whose person somebody else has locked are driven when the lock is gone, and hold up no other. Who fails alone
    gets an alarm of their own, with a fact that says why.
    """

    def __init__(self, db: Database, run: Runs) -> None:
        self._db = db
        self._run = run
        self._under_way: dict[UUID, asyncio.Task[Reply]] = {}

    @property
    def under_way(self) -> set[asyncio.Task[Reply]]:
        """Those that are not done yet."""
        return {*self._under_way.values()}

    async def __call__(self, alarm: UUID, call: Call) -> Reply:
        """The burst of an alarm of several. A call that comes while it is under way is answered with it.

        Raises `NotUnderstood`, `Locked`, and whatever the database raises; the caller may be cancelled, the burst is not.
        """
        task = self._under_way.get(alarm)
        if task is None:
            task = self._under_way[alarm] = asyncio.create_task(self._several(alarm, call))
            task.add_done_callback(lambda _: self._under_way.pop(alarm, None))
        return await asyncio.shield(task)

    async def _several(self, alarm: UUID, call: Call) -> Reply:
        """All of them in one transaction; where that fails, one by one, and who fails alone gets an alarm of their own."""
        try:
            reply = (await self._run({alarm: call}, locking="skip"))[alarm]
            if reply.busy is not None:
                reply = (await self._run({alarm: call}, locking="briefly"))[alarm]
        except (*PASSING, Moved):
            raise
        except LockNotAvailableError as error:  # who was driven is not driven twice
            raise Locked from error
        except Exception as error:  # noqa: BLE001 - it is told of whoever fails alone
            log.warning("shared_burst_failed", alarm=str(alarm), error=type(error).__name__)
            reply = await self._each(alarm, call)
        if reply.unread is not None:
            raise reply.unread
        BURSTS.labels("done").inc()
        return reply

    async def _each(self, alarm: UUID, call: Call) -> Reply:
        reply, locked = Reply(call.turn, None), None
        for place in await members(self._db.pool, alarm):
            try:
                one = (await self._run({alarm: call}, locking="briefly", only=place[2]))[alarm]
            except (*PASSING, Moved):
                raise
            except LockNotAvailableError as error:
                locked = error
            except Exception as error:  # noqa: BLE001 - it is in the fact
                BURSTS.labels("failed").inc()
                async with self._db.transaction() as connection:
                    await detach(connection, place, alarm, call.now, reason_of(error))
            else:
                instants = [at for at in (reply.alarm_at, one.alarm_at) if at is not None]
                reply = Reply(
                    max(reply.turn, one.turn), min(instants, default=None), unread=one.unread or reply.unread
                )
        if locked is not None:
            raise Locked from locked
        return reply
