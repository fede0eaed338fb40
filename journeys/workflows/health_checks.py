"""What can be wrong with what runs: entries past their alarm, alarms that Temporal does not know, claims nobody takes over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from journeys.engine.store.health_checks import OF_THE_STORE, Check, Examined
from journeys.engine.workspaces.retention import EVERY, FIRST_WORKSPACE, LAST, drop_expired, retentions
from journeys.workflows.housekeeping import OVERDUE, RUNS

PENDING_FOR = timedelta(minutes=1)
"""An alarm of which Temporal is not told after so long is not told by itself soon."""

LEFT = timedelta(minutes=1)
"""A claim that expired so long ago is not taken over by those who are alive."""

OVERDUE_NOW = f"""
select count(*) as count, min(alarm_at) as first from entries
where ended is null and alarm_at < $1 and moved < clock_timestamp() - $2::interval and {RUNS}
"""  # noqa: S608 - constants
TELL_AGAIN = f"""
update entries set turn = turn + 1, moved = clock_timestamp() - interval '1 second'
where (workspace, person, id) in (
    select workspace, person, id from entries
    where ended is null and alarm_at < $1 and moved < clock_timestamp() - $2::interval and {RUNS} order by alarm_at limit $3)
"""  # noqa: S608 - constants
PENDING = """
select count(*) as count, min(moved) as first from entries where told < turn and moved < clock_timestamp() - $1::interval
"""
STUCK = """
select channel as name, state, count(*) as count, min(lease) as since from dispatches d
where state <> 'queued' and lease < clock_timestamp() - $1::interval and not exists (
    select from canvases c where (c.workspace, c.name) = (d.workspace, d.canvas) and c.status = 'stopped')
group by 1, 2
union all
select 'questions of steps', 'claimed', count(*), min(lease) from fetches where lease < clock_timestamp() - $1::interval having count(*) > 0
union all
select 'broadcasts', 'claimed', count(*), min(lease) from broadcasts
where ended is null and lease < clock_timestamp() - $1::interval having count(*) > 0
order by 1, 2
"""
RELEASES = (
    """update dispatches set state = 'queued', claim = null, lease = null
    where state = 'claimed' and lease < clock_timestamp() - $1::interval""",
    "update fetches set claim = null, lease = null where lease < clock_timestamp() - $1::interval",
    "update broadcasts set lease = null where ended is null and lease < clock_timestamp() - $1::interval",
)
PAGE = 500


async def look_at_overdue(at: Examined) -> tuple[str, str]:
    """Whether entries sleep past their alarm."""
    row = await at.db.pool.fetchrow(OVERDUE_NOW, at.clock.now() - at.clock.span(OVERDUE), OVERDUE)
    if not row["count"]:
        return "no entry is past its alarm", ""
    todo = "see that a worker runs and reaches Temporal; `--fix` lets it tell Temporal of them again"
    return f"{row['count']:,} entries are past their alarm, the first since {_instant(row['first'])}", todo


async def tell_again(at: Examined) -> str:
    """Let the sweep of a worker tell Temporal of them."""
    told = 0
    while True:
        due = at.clock.now() - at.clock.span(OVERDUE)
        found = int((await at.db.pool.execute(TELL_AGAIN, due, OVERDUE, PAGE)).rpartition(" ")[2])
        told += found
        if found < PAGE:
            return f"gave {told:,} entries to the next sweep of a worker"


async def look_at_alarms(at: Examined) -> tuple[str, str]:
    """Whether Temporal is told of what changed."""
    row = await at.db.pool.fetchrow(PENDING, PENDING_FOR)
    if not row["count"]:
        return "Temporal is told of all alarms", ""
    said = f"Temporal is not told of {row['count']:,} alarms, the first since {_instant(row['first'])}"
    return said, "see that a worker runs and reaches Temporal: it tells of them by itself"


async def look_at_claims(at: Examined) -> tuple[str, str]:
    """Whether what was claimed is settled, or taken over when its worker is gone."""
    rows = await at.db.pool.fetch(STUCK, LEFT)
    if not rows:
        return "no claim is left", ""
    said = ", ".join(
        f"{row['count']:,} of {row['name']} ({row['state']}, since {_instant(row['since'])})" for row in rows
    )
    todo = "see that a worker with these channels runs: it takes them over"
    if any(row["state"] == "claimed" for row in rows):
        todo += "; `--fix` gives back those that are claimed"
    return f"claims that expired and that no one took over: {said}", todo


async def give_back(at: Examined) -> str:
    """Give back what was claimed and not begun. What was being handed over stays in doubt: `on_doubt` says what follows."""
    given = 0
    for query in RELEASES:
        given += int((await at.db.pool.execute(query, LEFT)).rpartition(" ")[2])
    return f"gave back {given:,} claims" if given else ""


async def look_at_retention(at: Examined) -> tuple[str, str]:
    """Whether what the workspaces keep no longer was deleted lately."""
    async with at.db.pool.acquire() as connection:
        keeps = await retentions(connection)
        last = await connection.fetchval(LAST)
        since = last or await connection.fetchval(FIRST_WORKSPACE)
        now = await connection.fetchval("select clock_timestamp()")
    if not any(one.model_dump(exclude_none=True) for one in keeps.values()):
        return "every workspace keeps everything", ""
    said = f"what is kept no longer was deleted at {_instant(last)}" if last else "nothing was deleted so far"
    if now - since < 2 * EVERY:
        return said, ""
    return said, "a worker does it once a day; `--fix` does it now"


async def delete_now(at: Examined) -> str:
    """Delete what is kept no longer."""
    gone = await drop_expired(at.db, at.clock)
    if gone is None:
        return "another process is at it"
    said = ", ".join(f"{count:,} of {table}" for table, count in gone.items())
    return f"deleted {said or 'nothing: there was nothing to delete'}"


def _instant(at: Any) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


CHECKS: Sequence[Check] = (
    *OF_THE_STORE,
    Check("overdue", look_at_overdue, tell_again),
    Check("alarms", look_at_alarms),
    Check("claims", look_at_claims, give_back),
    Check("retention", look_at_retention, delete_now),
)
"""Beside the schema, in the order in which they are told."""
