"""What workspaces share in a process, and of which each has few at once: others find some free."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

from journeys.engine.fair_shares import Allowance, AtWork

working_for: ContextVar[int] = ContextVar("working_for", default=0)
"""The workspace for which this task works; see `work_for`."""

AT_ONCE, SHARE = 1.0, 0.25
"""Seconds of processor time that the threads compute for a workspace at once, and in each second, while others have work."""

LONGEST_PAUSE = 0.1
"""Seconds after which a workspace that has had its share looks whether others still have work."""

T = TypeVar("T")


class Places:
    """So many places for each workspace, and so many in all: who comes later waits for one."""

    def __init__(self, each: int, in_all: int = 1_000_000) -> None:
        self._each = each
        self._in_all = asyncio.Semaphore(in_all)
        self._held: WeakValueDictionary[int, asyncio.Semaphore] = WeakValueDictionary()

    def of(self, workspace: int) -> asyncio.Semaphore:
        """Its places; they are kept for as long as somebody has one, or waits."""
        place = self._held.get(workspace)
        if place is None:
            place = self._held[workspace] = asyncio.Semaphore(self._each)
        return place

    def free(self, workspace: int) -> bool:
        """Whether one of its places is free."""
        return not self.of(workspace).locked() and not self._in_all.locked()

    @asynccontextmanager
    async def held(self, workspace: int) -> AsyncIterator[None]:
        """One of its places, for as long as the block takes."""
        async with self.of(workspace), self._in_all:
            yield


AT_WORK = AtWork()


def work_for(workspace: int) -> None:
    """What this task does from now on is done for this workspace."""
    working_for.set(workspace)
    AT_WORK.add(workspace, time.monotonic())


class FairThreads:
    """So many threads, and of them so many for each workspace.

    They share one processor with the event loop (the interpreter's lock): a second thread makes a workspace's work no
    faster, and each that computes makes the loop wait for its turn. So while others have work in this process, a workspace
    has only a share of its time; what it wants beyond that begins later.
    """

    def __init__(self, threads: int, name: str, *, each: int = 1) -> None:
        self.pool = ThreadPoolExecutor(threads, name)
        self._places = Places(each)
        self._computed = Allowance(AT_ONCE, SHARE)

    async def run(self, work: Callable[[], T]) -> T:
        """What the work returns, when it is this workspace's turn. A place is free again when the work has ended."""
        workspace = working_for.get()
        place = self._places.of(workspace)
        await place.acquire()
        timed = _Timed(work)
        try:
            await self._due(workspace)
            doing = asyncio.get_running_loop().run_in_executor(self.pool, timed)
        except BaseException:
            place.release()
            raise

        def ended(done: asyncio.Future[T]) -> None:
            self._computed.spend(workspace, timed.used, time.monotonic())
            place.release()
            if not done.cancelled():  # nobody may be there any more to hear of an error
                done.exception()

        doing.add_done_callback(ended)
        return await asyncio.shield(doing)

    async def _due(self, workspace: int) -> None:
        """Wait until it may compute: it has not had its share, or nobody else has work."""
        while pause := self._computed.pause(workspace, now := time.monotonic()):
            if not AT_WORK.others(workspace, now):
                return
            await asyncio.sleep(min(pause, LONGEST_PAUSE))


class _Timed(Generic[T]):
    """Work, and the processor time that its thread has computed for it."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self.used = 0.0

    def __call__(self) -> T:
        began = time.thread_time()
        try:
            return self._work()
        finally:
            self.used = time.thread_time() - began
