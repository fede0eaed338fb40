"""What an API process does beside its requests: it gives back calls that it has not used, and writes what it has counted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg

from journeys.api.rate_limits import EVERY
from journeys.api.services import Services
from journeys.engine.outages import OUTAGES
from journeys.engine.store.database import PASSING

WRITTEN_EVERY = 5.0
CLEARED_EVERY = 3600.0
"""Seconds between two times that what was counted is written, and that what is old is cleared."""

LAST_WORD = 2.0
"""Seconds that a process that ends waits for a database that is away."""

AWAY = (*PASSING, TimeoutError)
"""Requests tell of a database that is away; all is done again the next time."""

UPKEEP = "upkeep"


@asynccontextmanager
async def kept_up(services: Services) -> AsyncIterator[None]:
    """Done while the block lasts, and once more at its end."""
    going = asyncio.create_task(_again(services))
    try:
        yield
    finally:
        going.cancel()
        with suppress(asyncio.CancelledError):
            await going
        with suppress(*AWAY):
            async with asyncio.timeout(LAST_WORD), _told():
                await services.limits.give_back()
                await services.usage.write()


@asynccontextmanager
async def _told() -> AsyncIterator[None]:
    """What the database refuses is logged once, until it takes it again."""
    try:
        yield
    except AWAY:
        raise
    except asyncpg.PostgresError as error:
        OUTAGES.gone(UPKEEP, error)
    else:
        OUTAGES.back(UPKEEP)


async def _again(services: Services) -> None:
    written = cleared = time.monotonic()
    while True:
        await asyncio.sleep(EVERY)
        with suppress(*AWAY):
            async with _told():
                await services.limits.give_back(EVERY)
                if time.monotonic() - written >= WRITTEN_EVERY:
                    await services.usage.write()
                    written = time.monotonic()
                if time.monotonic() - cleared >= CLEARED_EVERY:
                    await services.limits.clear()
                    await services.usage.clear()
                    cleared = time.monotonic()
