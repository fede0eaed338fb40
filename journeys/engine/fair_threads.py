"""Threads for work that takes long, of which one workspace has few at once: others find one free."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import TypeVar
from weakref import WeakValueDictionary

working_for: ContextVar[int] = ContextVar("working_for", default=0)
"""The workspace for which this task works."""

T = TypeVar("T")


class FairThreads:
    """So many threads, and of them so many for each workspace.

    They share one processor with the event loop (the interpreter's lock): a second thread makes a workspace's work no
    faster, and each that computes makes the loop wait for its turn.
    """

    def __init__(self, threads: int, name: str, *, each: int = 1) -> None:
        self.pool = ThreadPoolExecutor(threads, name)
        self._each = each
        self._places: WeakValueDictionary[int, asyncio.Semaphore] = WeakValueDictionary()

    async def run(self, work: Callable[[], T]) -> T:
        """What the work returns, when it is this workspace's turn. A place is free again when the work has ended."""
        whose = working_for.get()
        place = self._places.get(whose)
        if place is None:
            place = self._places[whose] = asyncio.Semaphore(self._each)
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
