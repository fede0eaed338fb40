"""Measures how far a process's clock is from the database's, which all processes share, and says so where it is off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

from journeys.engine.clock import Clock
from journeys.engine.logs import logger
from journeys.engine.store.database import PASSING, Database

EVERY = 10.0
"""Seconds between two measurements."""

SAMPLES = 3
"""The one that took the least time counts."""

NOISE = timedelta(milliseconds=100)
"""A difference below this, or below what the measurement itself took, counts as none."""

SLOW = timedelta(seconds=2)
"""An answer that took longer says too little."""

TOLD = timedelta(seconds=1)
"""A difference beyond this is logged, and again when it has changed by as much."""

log = logger(__name__)


async def measure(connection: Any, clock: Clock) -> None:
    """Set how far the database's clock is ahead of this process's own."""
    fastest, found = SLOW, None
    for _ in range(SAMPLES):
        before = clock.own()
        at = await connection.fetchval("select clock_timestamp()")
        took = clock.own() - before
        if timedelta(0) <= took < fastest:
            fastest, found = took, at - (before + took / 2)
    if found is None:
        return
    clock.skew.ahead = found if abs(found) > max(NOISE, fastest / 2) else timedelta(0)
    _tell(clock)


def _tell(clock: Clock) -> None:
    skew = clock.skew
    if abs(skew.ahead - skew.told) <= TOLD:
        return
    skew.told = skew.ahead
    seconds = round(skew.ahead.total_seconds(), 1)
    if abs(skew.ahead) <= TOLD:
        log.info("clock_is_right")
    else:
        log.warning("clock_is_off", seconds_behind_the_database=seconds, refuses=skew.too_far)


@asynccontextmanager
async def measured_clock(db: Database, clock: Clock) -> AsyncIterator[Clock]:
    """The clock goes by the database's while the block lasts; it is measured at the beginning, and again and again."""
    await measure(db.pool, clock)
    measuring = asyncio.create_task(_again(db, clock))
    try:
        yield clock
    finally:
        measuring.cancel()
        with suppress(asyncio.CancelledError):
            await measuring


async def _again(db: Database, clock: Clock) -> None:
    while True:
        await asyncio.sleep(EVERY)
        with suppress(*PASSING, TimeoutError):  # it keeps what it measured last
            await measure(db.pool, clock)
