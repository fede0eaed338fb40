"""Looks names up in threads of its own: with a time-out, and for each workspace so many at once."""

from __future__ import annotations

import asyncio
import socket
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any

calling_for: ContextVar[int] = ContextVar("calling_for", default=0)
"""The workspace for which this task calls."""

Look = Callable[..., Sequence[tuple[Any, ...]]]


class Resolver:
    """Looks names up. A look-up that hangs counts against its workspace until it ends; nobody else waits for it.

    The system's look-up cannot be cancelled, and the event loop's own pool has a handful of threads for everybody.
    """

    def __init__(
        self, look: Look = socket.getaddrinfo, *, threads: int = 64, most: int = 4, seconds: float = 5.0
    ) -> None:
        self._look = look
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="names")
        self._places: defaultdict[int, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(most))
        self._seconds = seconds

    async def __call__(self, host: str, port: int) -> list[str]:
        """The addresses of a host. Raises OSError (also TimeoutError) or UnicodeError where there are none in time."""
        places = self._places[calling_for.get()]
        async with asyncio.timeout(self._seconds):
            await places.acquire()
            looking = asyncio.get_running_loop().run_in_executor(self._pool, self._addresses, host, port)
            looking.add_done_callback(lambda done: _ended(places, done))
            return await asyncio.shield(looking)

    def close(self) -> None:
        """Begin no further look-up."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _addresses(self, host: str, port: int) -> list[str]:
        return [str(each[4][0]) for each in self._look(host, port, type=socket.SOCK_STREAM)]


def _ended(places: asyncio.Semaphore, looking: asyncio.Future[list[str]]) -> None:
    """Give the place free; nobody may be there any more to hear of an error."""
    places.release()
    if not looking.cancelled():
        looking.exception()
