"""Settles dispatches: facts, engagement, and the entries that a message holds."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from journeys.canvas.storable_characters import storable
from journeys.engine.delivery.claim import LEASE, Claimed
from journeys.engine.metrics import (
    DISPATCH_AGE,
    DISPATCHES_REFUSED,
    DISPATCHES_SETTLED,
    EVENTS,
    counted,
    observed,
)
from journeys.engine.people.addresses import note_bounces
from journeys.engine.people.merged import merged_into
from journeys.engine.people.profiles import LOCK, LOCK_FREE, shard_of
from journeys.engine.ports import PendingAlarm
from journeys.engine.store.array_rows import array_rows
from journeys.engine.store.database import Database

RETRIES = 5
"""How often a call is repeated (WHK-3), and how often a template waits for a web service (C3)."""

PAUSES = (10, 30, 90, 270, 810)  # WHK-3
"""Seconds before each repetition: within half an hour in all."""

MOST_EXTRAS = 1000
"""Bytes."""

LONGEST_PAUSE = 3600.0

SOFT = 72 * 3600.0
"""Seconds for which a mailbox is tried that takes no mail at present (EML-8)."""

PROBE = 5.0
"""Seconds from one try to the next of a provider that is away."""

CODED = ("aborted", "capped", "unreachable", "withdrawn")
"""Outcomes whose reasons are codes."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of one dispatch: sent, aborted, unreachable, invalid, failed — or retry, in `after` seconds.

    `behind`: it goes to the back of the queue (C3). `bounced`: the address, which does not exist. With the outcome `away` it waits as if nobody had claimed it.
    """

    claimed: Claimed
    outcome: str
    at: datetime
    data: dict[str, Any] = field(default_factory=dict)
    after: float | None = None
    doubted: bool = False
    behind: bool = False
    bounced: str | None = None

    def of(self, person: UUID) -> Settlement:
        """The same, of the person whose the message is now."""
        return replace(self, claimed=replace(self.claimed, person=person))


def extras(pairs: Mapping[str, str]) -> str:
    """What a template said by `message_extras`, as one JSON string: keys and values of 1,000 bytes in all (M3)."""
    left, kept = MOST_EXTRAS, {}
    for key, value in storable(pairs).items():
        name = key.encode()[:left].decode(errors="ignore")
        left -= len(name.encode())
        text = value.strip().encode()[:left].decode(errors="ignore")  # M3
        left -= len(text.encode())
        if name == key:
            kept[name] = text
    return msgspec.json.encode(kept).decode()


def pause(attempts: int, asked: float | None, age: float | None = None) -> float | None:
    """Seconds to the next try, or None where it was tried often enough.

    `age`: seconds since the message was queued, where its mailbox takes nothing at present: that is tried for 72 hours.

    Example:
        >>> pause(0, None), pause(5, None), pause(5, None, 1200.0)
        (10.0, None, 3600.0)
    """
    if attempts >= RETRIES:  # WHK-3
        if age is None or age >= SOFT:  # EML-8
            return None
        return min(LONGEST_PAUSE * (1, 2, 4, 8)[min(attempts - RETRIES, 3)], SOFT - age)  # EML-8
    return max(float(PAUSES[attempts]), min(asked or 0.0, LONGEST_PAUSE))  # WHK-3


CLAIMS = f"{array_rows('int', 'uuid', 'text', 'uuid')} as s(workspace, person, key, claim)"
SETTLE = f"""
with s as (
    select * from {array_rows("int", "uuid", "text", "uuid", "text", "timestamptz", "jsonb", "int", "bool")}
        as s(workspace, person, key, claim, outcome, at, data, shard, doubted)),
gone as (
    delete from dispatches d using s
    where (d.workspace, d.person, d.key) = (s.workspace, s.person, s.key) and d.claim = s.claim
    returning d.*, s.outcome, s.at as settled, s.doubted, case
        when exists (select from people p where (p.workspace, p.id) = (d.workspace, d.person)) then s.data
        else jsonb_strip_nulls(jsonb_build_object('channel', s.data->'channel', 'reason', -- IDN-31
            case when s.outcome = any(array['aborted', 'capped', 'unreachable', 'withdrawn', 'invalid'])
                and s.data->>'reason' ~ '^[a-z_]+$' then s.data->'reason' end))
        end as data),
logged as (
    insert into facts (workspace, person, shard, fact, at, canvas, entry, step, dispatch, data)
    select workspace, person, shard, outcome, settled, canvas, entry, step, key, data from gone
    union all
    select workspace, person, shard, 'in_doubt', settled, canvas, entry, step, key, '{{}}' from gone where doubted),
engaged as (
    insert into events (workspace, person, shard, kind, name, at, properties)
    select workspace, person, shard, 'message', 'sent', settled,
        jsonb_build_object('canvas', canvas, 'step', step, 'channel', channel, 'dispatch', key)
    from gone where outcome = 'sent'),
told as (
    insert into inbox (workspace, person, entry, no, step, what, label, at)
    select g.workspace, g.person, g.entry, nextval('occurrence_no'), g.step, 'delivered',
        case when g.outcome = 'withdrawn' and g.data->>'reason' = 'skipped' then 'skipped' else g.outcome end, g.settled
    from gone g where g.held),
moved as (
update entries t set turn = t.turn + 1, moved = clock_timestamp(),
    told = case when t.alarm = t.id then t.told else 0 end, alarm = t.id
from gone g where g.held and (t.workspace, t.person, t.id) = (g.workspace, g.person, g.entry) and t.ended is null
returning t.*)
select workspace, person, id, alarm, generation, turn, told, false, alarm_at, priority, canvas, plan, null::text as key from moved
union all select null, null, null, null, null, null, null, null, null, null, null, null, key from gone
"""  # noqa: S608 - constants
"""The entries to tell of, and the keys of those that were settled."""
AGAIN = """
update dispatches d set state = 'queued', claim = null, lease = null, attempts = d.attempts + case when s.behind then 0 else 1 end, waits = d.waits + case when s.behind then 1 else 0 end,
    not_before = clock_timestamp() + make_interval(secs => s.after),
    no = case when s.behind then nextval('dispatch_no') else d.no end -- C3
from unnest($1::int[], $2::uuid[], $3::text[], $4::uuid[], $5::float8[], $6::bool[])
    as s(workspace, person, key, claim, after, behind)
where (d.workspace, d.key) = (s.workspace, s.key) and d.claim = s.claim
"""
CALLING = f"""
update dispatches d set state = 'calling', lease = clock_timestamp() + $5::interval from {CLAIMS}
where (d.workspace, d.key) = (s.workspace, s.key) and d.claim = s.claim
    and d.state in ('claimed', 'calling') and not exists (
        select from canvases c where (c.workspace, c.name) = (d.workspace, d.canvas) and c.status <> 'active')
returning d.key
"""  # noqa: S608 - constants
"""What a canvas that was stopped, paused or archived meanwhile has on its way is not called for.

Here, and where something is given back, the key and the claim find it: it may be another person's meanwhile.
"""


RENAMED = """
select s.person, d.person as now from unnest($1::int[], $2::uuid[], $3::text[], $4::uuid[]) as s(workspace, person, key, claim)
join dispatches d on (d.workspace, d.key) = (s.workspace, s.key) and d.claim = s.claim where d.person <> s.person
"""
"""Under which pseudonym the message of somebody who was erased is settled."""


async def present_people(
    connection: Any, settlements: Sequence[Settlement], held: Container[UUID]
) -> dict[UUID, UUID]:
    """Of the people of what is settled for good who are not locked: who was merged into another or erased, and who the message names now."""
    missing: dict[int, set[UUID]] = {}
    for one in settlements:
        if one.after is None and one.claimed.person not in held:
            missing.setdefault(one.claimed.workspace, set()).add(one.claimed.person)
    into: dict[UUID, UUID] = {}
    for workspace, people in sorted(missing.items()):
        into |= await merged_into(connection, workspace, people)
    others = {person for people in missing.values() for person in people} - into.keys()
    if left := [one.claimed for one in settlements if one.claimed.person in others]:
        into |= dict(await connection.fetch(RENAMED, *_columns(map(_place, left))))
    return into


async def lock_people(connection: Any, settlements: Iterable[Settlement], *, skip: bool) -> set[UUID]:
    """Lock the people of what is settled for good: the first lock of a transaction. Returns those who are locked now.

    `skip`: whom somebody else has locked is left out.
    """
    people: dict[int, set[UUID]] = {}
    for one in settlements:
        if one.after is None:
            people.setdefault(one.claimed.workspace, set()).add(one.claimed.person)
    held: set[UUID] = set()
    for workspace, wanted in sorted(people.items()):
        rows = await connection.fetch(LOCK_FREE if skip else LOCK, workspace, list(wanted))
        held |= {row["id"] for row in rows}
    return held


async def settle(
    connection: Any, settlements: Sequence[Settlement], following: Sequence[Claimed] = ()
) -> tuple[list[PendingAlarm], set[str]]:
    """Settle these if their claims still hold, with their people locked; give back what must be tried again.

    In the same transaction those that follow are marked `calling`. Returns entries to tell of, and the keys of those
    that are marked: the claim of the others was lost, and they must not be called for.
    """
    untried = [one.claimed for one in settlements if one.outcome == "away"]
    again = [one for one in settlements if one.after is not None and one.outcome != "away"]
    final = [one for one in settlements if one.after is None]
    pending_alarms: list[PendingAlarm] = []
    marked: set[str] = set()
    if final:
        rows = await connection.fetch(SETTLE, *_columns(map(_row, final)))
        await _note_bounces(connection, final)
        pending_alarms = [PendingAlarm(*row[:-1]) for row in rows if row["key"] is None]
        _measure(final, {row["key"] for row in rows})
    if again:
        await connection.execute(
            AGAIN, *_columns((*_place(one.claimed), one.after, one.behind) for one in again)
        )
    if untried:
        await connection.execute(BACK, *_back(untried), None)
    if following:
        rows = await connection.fetch(CALLING, *_columns(map(_place, following)), LEASE)
        marked = {row["key"] for row in rows}
    return pending_alarms, marked


async def _note_bounces(connection: Any, final: Iterable[Settlement]) -> None:
    """Mark the addresses that do not exist (EML-8)."""
    found: dict[int, list[tuple[str, str]]] = {}
    for one in final:
        if one.bounced is not None:
            bounce = str(one.data["channel"]), one.bounced
            found.setdefault(one.claimed.workspace, []).append(bounce)
            at = one.at
    for workspace, bounces in sorted(found.items()):
        await note_bounces(connection, workspace, bounces, at, "message")


def _measure(final: Iterable[Settlement], settled: Container[str]) -> None:
    """Count those whose claim still held."""
    for one in final:
        if one.claimed.key in settled:
            channel = str(one.data.get("channel"))
            counted(DISPATCHES_SETTLED, channel=channel, outcome=one.outcome)
            observed(DISPATCH_AGE, (one.at - one.claimed.at).total_seconds(), channel=channel)
            if one.outcome == "sent":
                counted(EVENTS, kind="message")
            if one.outcome in CODED:
                counted(DISPATCHES_REFUSED, channel=channel, reason=str(one.data.get("reason")))


BACK = """
update dispatches d set state = case when s.doubtful then 'calling' else 'queued' end, claim = null,
    lease = case when s.doubtful then clock_timestamp() end,
    not_before = case when $6::float8 is null then d.not_before else clock_timestamp() + make_interval(secs => $6) end
from unnest($1::int[], $2::uuid[], $3::text[], $4::uuid[], $5::bool[]) as s(workspace, person, key, claim, doubtful)
where (d.workspace, d.key) = (s.workspace, s.key) and d.claim = s.claim
"""


async def give_back(db: Database, claimed: Sequence[Claimed], after: float | None = None) -> None:
    """Queue those again for which no call was made, to leave in `after` seconds at the earliest.

    What was in doubt before they were claimed is so still.
    """
    await db.pool.execute(BACK, *_back(claimed), after)


def _back(claimed: Iterable[Claimed]) -> list[list[Any]]:
    return _columns((*_place(one), one.doubtful) for one in claimed)


def _columns(rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _place(claimed: Claimed) -> tuple[Any, ...]:
    return claimed.workspace, claimed.person, claimed.key, claimed.claim


def _row(one: Settlement) -> tuple[Any, ...]:
    return (*_place(one.claimed), one.outcome, one.at, one.data, shard_of(one.claimed.person), one.doubted)
