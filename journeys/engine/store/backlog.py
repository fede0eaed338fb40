"""How much waits in the database: alarms to tell of, entries past their alarm, messages by channel and state."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from journeys.engine.metrics import (
    ALARMS_PENDING,
    ALARMS_PENDING_AGE,
    DISPATCHES,
    DISPATCHES_AGE,
    ENTRIES_OVERDUE,
)
from journeys.engine.store.database import Database

LONGEST_ANSWER = 5.0
"""Seconds that the database has for each answer."""

PENDING = "select count(*), extract(epoch from clock_timestamp() - min(moved))::float8 from entries where told < turn"

OVERDUE = """
select count(*) from entries e where ended is null and alarm_at < $1 and not exists (
    select from canvases c where (c.workspace, c.name) = (e.workspace, e.canvas) and c.status <> 'active')
"""
"""Who sleeps in a canvas that is stopped or paused is not overdue."""

WAITING = """
select channel, state, count(*) as count,
    extract(epoch from $1 - min(at) filter (where state = 'queued' and (not_before is null or not_before < clock_timestamp())))::float8
        as oldest
from dispatches group by channel, state
"""


async def measure(db: Database, now: datetime, late: timedelta) -> None:
    """Set the gauges of the database. `now`, `late`: on the clock of canvases; who is past their alarm by more is overdue.

    Raises what the database raises, and TimeoutError after five seconds.
    """
    async with asyncio.timeout(LONGEST_ANSWER):
        pending, age = await db.pool.fetchrow(PENDING)
        overdue = await db.pool.fetchval(OVERDUE, now - late)
        rows = await db.pool.fetch(WAITING, now)
    ALARMS_PENDING.set(pending)
    ALARMS_PENDING_AGE.set(age or 0.0)
    ENTRIES_OVERDUE.set(overdue)
    DISPATCHES.clear()
    DISPATCHES_AGE.clear()
    oldest: dict[str, float] = {}
    for row in rows:
        DISPATCHES.labels(row["channel"], row["state"]).set(row["count"])
        oldest[row["channel"]] = max(row["oldest"] or 0.0, oldest.get(row["channel"], 0.0))
    for channel, seconds in oldest.items():
        DISPATCHES_AGE.labels(channel).set(max(seconds, 0.0))
