"""Claims dispatches, renews claims and releases them, in one statement each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from journeys.engine.core.life import Change, dropped
from journeys.engine.store.database import Database

LEASE = timedelta(seconds=10)
"""For how long a claim holds without being renewed, in the database's time."""

BATCH = 200


@dataclass(frozen=True, slots=True)
class Claimed:
    """A dispatch that this drainer holds. `doubtful`: its former worker stopped during the call.

    `attempts`: how often its provider failed; `waits`: how often it waited for a web service of its template (C3).
    `dropped`: why it does not leave, where a stop, a pause or an archive of its canvas says so.
    """

    workspace: int
    person: UUID
    key: str
    entry: UUID
    canvas: str
    plan: str
    step: str
    variant: str | None
    at: datetime
    context: Mapping[str, Any]
    properties: Mapping[str, Any]
    held: bool
    attempts: int
    waits: int
    claim: UUID
    doubtful: bool
    priority: int
    no: int
    dropped: str | None = None


CLAIM = """
with recursive busy(workspace) as (
    (select workspace from dispatches where channel = $1 order by workspace limit 1)
    union all
    select (select d.workspace from dispatches d where d.channel = $1 and d.workspace > b.workspace order by d.workspace limit 1)
    from busy b where b.workspace is not null),
c as (
    select d.* from (
        select workspace from busy where workspace is not null and workspace <> all ($5) order by random() limit $2) b
    cross join lateral (
        select q.workspace, q.person, q.key, q.state as was from dispatches q
        where q.channel = $1 and q.workspace = b.workspace and (q.not_before is null or q.not_before <= clock_timestamp())
            and (q.state = 'queued' or (q.lease < clock_timestamp() and (q.state = 'claimed' or $6)))
            and not (q.canvas = any(array(
                select s.name from canvases s where s.workspace = b.workspace and s.status in ('stopped', 'paused'))))
            and (q.waits > 0 or not exists (
                select from dispatches e where (e.workspace, e.person, e.entry) = (q.workspace, q.person, q.entry)
                    and e.channel = q.channel and (e.no < q.no or e.waits > 0)))
        order by q.priority, q.no limit (select greatest(1, $2 / greatest(1, count(workspace))) from busy where workspace <> all ($5))
        for update of q skip locked) d)
update dispatches d set state = 'claimed', claim = $3, lease = clock_timestamp() + $4::interval
from c where (d.workspace, d.person, d.key) = (c.workspace, c.person, c.key)
returning d.workspace, d.person, d.key, d.entry, d.canvas, d.plan, d.step, d.variant, d.at, d.context, d.properties,
    d.held, d.attempts, d.waits, d.claim, c.was = 'calling', d.priority, d.no, d.not_before,
    array(select row(l.no, l.kind, l.at, l.stored, l.data->>'timers') from canvas_changes l
          where (l.workspace, l.canvas) = (d.workspace, d.canvas) and l.no > d.change order by l.no)
"""
"""Each workspace that has something to send gets an equal share of a batch, transactional before bulk.

A canvas that is stopped or paused is passed over, however much of it waits. What waits of an archived one is claimed, to be dropped.
Of the messages of one entry on a channel only the first is claimed, so that none overtakes another: the next follows
when it is settled, however often it is tried. One that has waited for a web service was the first when it was claimed,
and has a later number since.
"""

RENEW = """
update dispatches d set lease = clock_timestamp() + $2::interval from (
    select workspace, person, key from dispatches where claim = $1 for update skip locked) as c
where (d.workspace, d.person, d.key) = (c.workspace, c.person, c.key)
"""
RELEASE = "update dispatches set state = 'queued', claim = null, lease = null where claim = $1 and state = 'claimed'"


async def claim(
    db: Database, channel: str, most: int = BATCH, without: Sequence[int] = (), *, doubtful: bool = True
) -> list[Claimed]:
    """Claim the next dispatches of a channel, the most urgent first; the claim is the point of no return for a message.

    `without`: workspaces whose turn it is not. `doubtful`: those too whose worker stopped during the call.
    """
    rows = await db.pool.fetch(CLAIM, channel, most, uuid4(), LEASE, list(without), doubtful)
    return sorted(map(_claimed, rows), key=lambda one: (one.priority, one.no))


def _claimed(row: Sequence[Any]) -> Claimed:
    not_before, changes = row[-2:]
    one = Claimed(*row[:-2])
    if not changes:
        return one
    return replace(one, dropped=dropped(one.at, not_before, [Change(*each) for each in changes]))


async def renew(db: Database, claimed: Sequence[Claimed]) -> None:
    """Hold a claim for longer."""
    if claimed:
        await db.pool.execute(RENEW, claimed[0].claim, LEASE)


async def release(db: Database, identity: UUID) -> None:
    """Give back what was claimed and not begun."""
    await db.pool.execute(RELEASE, identity)
