"""A database and channels that crash the process at a chosen point: after any commit, after any outgoing call."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from temporalio.client import Client

from journeys.engine.clock import Clock
from journeys.engine.store.database import Database


class Crash(BaseException):
    """The process is gone. Not an Exception: nobody may catch it and go on."""


class Fuse:
    """Counts the points at which a crash would matter, and blows at the chosen one."""

    def __init__(self) -> None:
        self.points: list[str] = []
        self.blows_at = -1
        self.dead = False
        """Whether it blew, maybe beside the work: what the process does from there on must not happen."""

    def alive(self) -> None:
        """Raise `Crash` where the process is gone."""
        if self.dead:
            raise Crash("before")

    def point(self, name: str) -> None:
        self.alive()
        self.points.append(name)
        if len(self.points) - 1 == self.blows_at:
            self.dead = True
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
            self._fuse.alive()
            result = await found(query, *arguments, **more)
            words = query.lower().split()
            if any(word in words for word in ("insert", "update", "delete")):
                self._fuse.point(f"statement {' '.join(words[:3])}")
            return result

        return call


class Crashing(Database):
    """A database with a fuse, of a process that has just begun."""

    def __init__(self, db: Database, fuse: Fuse) -> None:
        super().__init__(db.url, _Pool(db.pool, fuse))  # type: ignore[arg-type]
        self._real = db
        self._fuse = fuse
        fuse.dead = False

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        self._fuse.alive()
        async with self._real.transaction() as connection:
            yield connection
            self._fuse.alive()
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


@dataclass(slots=True)
class Started:
    """A workflow that Temporal was told of: what it sleeps for, whether it was nudged, whether it has ended."""

    kind: str
    args: list[Any]
    wake_at: datetime | None
    nudged: bool = False
    over: bool = False

    def due(self, now: datetime) -> bool:
        """Whether it goes on now."""
        return not self.over and (self.nudged or (self.wake_at is not None and self.wake_at <= now))

    def sleep(self, until: datetime | None) -> None:
        """It sleeps on, or has ended where there is nothing to sleep for."""
        self.wake_at, self.over = until, until is None


class CrashingClient:
    """A client of Temporal with a fuse after each call. `started`: what the server has been told of, by id."""

    def __init__(self, client: Client, fuse: Fuse, clock: Clock, started: dict[str, Started]) -> None:
        self._client = client
        self._fuse = fuse
        self._clock = clock
        self._started = started

    def get_workflow_handle(self, identity: str) -> Any:
        raise AssertionError(f"{identity}: nobody leaves by an exit here")

    async def start_workflow(self, workflow: Any, **more: Any) -> None:
        """Start it for real; note what the server does of it."""
        self._fuse.alive()
        nudge = more.get("start_signal") is not None
        try:
            await self._client.start_workflow(workflow, **more)
        finally:  # also where it had been started
            wake_at = self._clock.now() + more.get("start_delay", timedelta(0))
            one = self._started.setdefault(more["id"], Started(_name(workflow), list(more["args"]), wake_at))
            one.nudged |= nudge
        self._fuse.point("told")


def _name(workflow: Any) -> str:
    return str(workflow.__qualname__.partition(".")[0])


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
