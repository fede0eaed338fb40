"""Reserves places of an entry limit, in the transaction that admits: never more than there are, and none lost by a crash."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from journeys.canvas.entry_rules import EntryLimit
from journeys.engine.core.gates import Period

RESERVE = """
with known as (select c.entries, c.stale from entry_counters c where (c.workspace, c.canvas, c.period) = ($1, $2, $3)),
granted as (
    update entry_counters c set granted = least($5::int, greatest($4::int - c.entries, 0)),
        entries = c.entries + least($5::int, greatest($4::int - c.entries, 0))
    where (c.workspace, c.canvas, c.period) = ($1, $2, $3) and not c.stale
        and exists (select from known k where not k.stale and k.entries < $4::int)
    returning c.granted)
select (select granted from granted) as granted, coalesce((select not k.stale and k.entries >= $4::int from known k), false) as no_place
"""
"""Where the places are gone it locks nothing. Neither: the counter is to be opened, or was made stale meanwhile."""

BEGIN = """
insert into entry_counters (workspace, canvas, period, until, entries, granted, stale) values ($1, $2, $3, $4, 0, 0, true)
on conflict do nothing
"""
HOLD = """
select stale from entry_counters where (workspace, canvas, period) = ($1, $2, $3) for no key update
"""
COUNT = """
update entry_counters c set stale = false, entries = case
    when $4::text <> 'run' and ($5::timestamptz is null or exists (select from canvas_changes l
        where (l.workspace, l.canvas) = ($1, $2) and l.kind = 'publish' and l.at >= $5))
    then (select count(*) from entries e where (e.workspace, e.canvas) = ($1, $2) and ($5 is null or e.entered >= $5))
    else 0 end
where (c.workspace, c.canvas, c.period) = ($1, $2, $3)
"""
"""Who entered in this period before there was such a limit takes a place too. A statement of its own: it sees what was
committed before the counter was held."""

TAKEN = "select entries from entry_counters where (workspace, canvas, period) = ($1, $2, $3) and not stale"

FORGET = "delete from entry_counters where until < $1::timestamptz - interval '7 days'"


async def reserve(
    connection: Any, workspace: int, canvas: str, limit: EntryLimit, period: Period, wanted: int
) -> int:
    """How many of those who passed all other gates have a place: `core/gates.py`'s `places`, and they are taken.

    One statement, but for the first of a period. The counter is locked until the transaction ends, so whoever takes
    several locks people before counters, and the counters of several canvases by the names of the canvases.
    """
    of = workspace, canvas, period.name
    while True:
        found = await connection.fetchrow(RESERVE, *of, limit.entries, wanted)
        if found["granted"] is not None:
            return int(found["granted"])
        if found["no_place"]:
            return 0
        await connection.execute(BEGIN, *of, period.until)
        if await connection.fetchval(HOLD, *of):
            await connection.execute(COUNT, *of, limit.per, period.since)


async def taken(connection: Any, workspace: int, canvas: str, period: Period) -> int:
    """How many places of a period are taken, as far as they have been counted."""
    return int(await connection.fetchval(TAKEN, workspace, canvas, period.name) or 0)


async def forget(connection: Any, now: datetime) -> None:
    """Delete the counters of hours and days that are long over."""
    await connection.execute(FORGET, now)
