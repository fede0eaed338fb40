"""Tells of what goes away and comes back: one line in the log at each, however long it is gone and however often it is tried."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from journeys.engine.logs import logger

log = logger(__name__)

Answer = TypeVar("Answer")


class Outages:
    """What this process knows of the things that it needs: the database, Temporal, a mail server …"""

    def __init__(self) -> None:
        self._gone: dict[str, float] = {}

    def gone(self, name: str, error: BaseException | str) -> None:
        """It did not answer. Logged once, until it is `back`."""
        if name in self._gone:
            return
        self._gone[name] = time.monotonic()
        said = error if isinstance(error, str) else type(error).__name__
        log.warning("gone", what=name, error=said)

    def is_gone(self, name: str) -> bool:
        """Whether it did not answer when it was asked last."""
        return name in self._gone

    def back(self, name: str) -> None:
        """It answered. Logged where it was gone."""
        since = self._gone.pop(name, None)
        if since is not None:
            log.warning("back", what=name, seconds=round(time.monotonic() - since, 1))


OUTAGES = Outages()
"""Those of this process."""

DATABASE, TEMPORAL = "database", "temporal"


async def within(check: Callable[[], Awaitable[Answer]], seconds: float) -> Answer:
    """What a check answers. Raises TimeoutError on time: what is frozen may take as long to be withdrawn as to answer."""
    asking = asyncio.ensure_future(check())
    try:
        done, _ = await asyncio.wait({asking}, timeout=seconds)
    except asyncio.CancelledError:
        asking.cancel()
        raise
    if not done:
        asking.add_done_callback(lambda each: each.cancelled() or each.exception())
        asking.cancel()
        raise TimeoutError
    return asking.result()
