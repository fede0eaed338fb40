"""What workspaces share in a process, and of which each has few at once: others find some free."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import TypeVar
from weakref import WeakValueDictionary

working_for: ContextVar[int] = ContextVar("working_for", default=0)
"""The workspace for which this task works."""

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


class FairThreads:
    """So many threads, and of them so many for each workspace.

    They share one processor with the event loop (the interpreter's lock): a second thread makes a workspace's work no
    faster, and each that computes makes the loop wait for its turn.
    """

    def __init__(self, threads: int, name: str, *, each: int = 1) -> None:
        self.pool = ThreadPoolExecutor(threads, name)
        self._places = Places(each)

    async def run(self, work: Callable[[], T]) -> T:
        """What the work returns, when it is this workspace's turn. A place is free again when the work has ended."""
        place = self._places.of(working_for.get())
        await place.acquire()
        try:
            doing = asyncio.get_running_loop().run_in_executor(self.pool, work)
        except BaseException:
            place.release()
            raise
        doing.add_done_callback(lambda done: _ended(place, done))
        return await asyncio.shield(doing)


def _ended(place: asyncio.Semaphore, done: asyncio.Future[T]) -> None:
    """Give the place free; nobody may be there any more to hear of an error."""
    place.release()
    if not done.cancelled():
        done.exception()
