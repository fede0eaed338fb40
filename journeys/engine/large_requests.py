"""Moves work on large requests to threads, so that the event loop answers others meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar, copy_context
from functools import partial
from typing import TypeVar

from journeys.engine.fair_threads import FairThreads

LARGE = 16 * 1024
"""Bytes of a request that is worked on in a thread: to read and judge them takes some milliseconds."""

bytes_of_request: ContextVar[int] = ContextVar("bytes_of_request", default=0)
"""The size of the request that this task answers."""

_THREADS = FairThreads(2, "large-requests")
"""Few: each of them may hold up the event loop for a moment."""

T = TypeVar("T")


async def apart(work: Callable[..., T], *given: object, large: bool = False) -> T:
    """What this work returns: done in a thread where the request is large, or `large` says so. It touches no connection."""
    if not large and bytes_of_request.get() < LARGE:
        return work(*given)
    run = partial(copy_context().run, work, *given)
    return await _THREADS.run(run)
