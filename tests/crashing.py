"""A database and channels that crash the process at a chosen point: after any commit, after any outgoing call."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from journeys.engine.store.database import Database


class Crash(BaseException):
    """The process is gone. Not an Exception: nobody may catch it and go on."""


class Fuse:
    """Counts the points at which a crash would matter, and blows at the chosen one."""

    def __init__(self) -> None:
        self.points: list[str] = []
        self.blows_at = -1

    def point(self, name: str) -> None:
        self.points.append(name)
        if len(self.points) - 1 == self.blows_at:
            raise Crash(name)


class _Pool:
    """A pool whose statements outside transactions are commits of their own."""

    def __init__(self, pool: Any, fuse: Fuse) -> None:
        self._pool = pool
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._pool, name)
        if name not in ("execute", "fetch", "fetchval", "fetchrow"):
            return found

        async def call(query: str, *arguments: Any, **more: Any) -> Any:
            result = await found(query, *arguments, **more)
            words = query.lower().split()
            if any(word in words for word in ("insert", "update", "delete")):
                self._fuse.point(f"statement {' '.join(words[:3])}")
            return result

        return call


class Crashing(Database):
    """A database with a fuse."""

    def __init__(self, db: Database, fuse: Fuse) -> None:
        super().__init__(db.url, _Pool(db.pool, fuse))  # type: ignore[arg-type]
        self._real = db
        self._fuse = fuse

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        async with self._real.transaction() as connection:
            yield connection
        self._fuse.point("commit")


class CrashingCalls:
    """Calls of templates, with a fuse after each."""

    def __init__(self, calls: Any, fuse: Fuse) -> None:
        self._calls = calls
        self._fuse = fuse

    async def __call__(self, workspace: int, call: Any) -> Any:
        reply = await self._calls(workspace, call)
        self._fuse.point("asked")
        return reply


class CrashingChannel:
    """A channel with a fuse after each call."""

    def __init__(self, channel: Any, fuse: Fuse) -> None:
        self._channel = channel
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        return getattr(self._channel, name)

    async def deliver(self, content: Any, to: Any, key: str) -> Any:
        receipt = await self._channel.deliver(content, to, key)
        self._fuse.point("call")
        return receipt
