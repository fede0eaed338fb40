"""Alarms of several: entries that came in together and wait for the same instant are woken by one workflow."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from journeys.engine.people.profiles import LOCK

MEMBERS = """
select workspace, person, id from entries where alarm = $1 and ended is null order by workspace, person, entered, id
"""
DETACH = """
with detached as (
    update entries set alarm = id, generation = 0, turn = turn + 1, told = 0, moved = clock_timestamp()
    where (workspace, person, id) = ($1, $2, $3) and alarm = $4 and ended is null returning *)
insert into facts (workspace, person, shard, fact, at, canvas, entry, step, data)
select workspace, person, shard, 'detached', $5, canvas, id, step, jsonb_build_object('reason', $6::text) from detached
"""


def shared_alarm(first: UUID, at: datetime) -> UUID:
    """The id of the alarm of several entries. `first` is one of them, `at` the instant that they wait for."""
    return uuid5(first, at.isoformat())


def is_shared(alarm: UUID) -> bool:
    """Whether an alarm is that of several: its id was made from a name, those of entries from the time."""
    return alarm.version == 5


async def members(connection: Any, alarm: UUID) -> list[tuple[int, UUID, UUID]]:
    """The open entries of an alarm: workspace, person, entry."""
    return [tuple(row) for row in await connection.fetch(MEMBERS, alarm)]


async def detach(
    connection: Any, place: tuple[int, UUID, UUID], alarm: UUID, at: datetime, reason: str
) -> None:
    """Give an entry an alarm of its own, with a fact that says why; the sweep starts its workflow."""
    workspace, person, _ = place
    await connection.fetch(LOCK, workspace, [person])
    await connection.execute(DETACH, *place, alarm, at, reason)
