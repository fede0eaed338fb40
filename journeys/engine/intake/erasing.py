"""Erases people: what each table that names a person does with their rows, in one transaction a person (IDN-31).

What counts in reports stays, under a pseudonym: an id that is made for it and stands nowhere else. `ERASED` has every
table with a person; a test sees to it that none is forgotten. Addresses to which nothing may be sent stay as hashes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from journeys.engine.intake.identifying import Parts, Who, lock_all, who_is_meant
from journeys.engine.intake.merging import lock_rows
from journeys.engine.people.addresses import hash_addresses
from journeys.engine.people.profiles import shard_of
from journeys.engine.ports import PendingAlarm
from journeys.engine.store.database import Database, Moved
from journeys.engine.store.entry_writes import PENDING_ALARM

OF = "workspace = $1 and person = $2"
GOES = f"delete from {{table}} where {OF}"  # noqa: S608 - constants

REASONED = ("ended", "refused", "aborted", "unreachable", "invalid", "withdrawn", "capped")
"""Facts whose reasons are codes, and counted in reports; those of others are words, which may name anything.

What a mail server says of who is unreachable are words too: what is no code goes.
"""

KEPT_OF_FACTS = ("path", "variant", "channel", "state", "source", "gate")
KEPT_OF_EVENTS = {
    "message": ("canvas", "step", "channel", "dispatch"),
    "purchase": ("product_id", "currency", "price", "quantity"),
}
"""What stays of an event, by its kind: what reports count and add up."""


def _listed(words: Sequence[str]) -> str:
    return "array[" + ", ".join(f"'{word}'" for word in words) + "]"


def _some(column: str, kept: str) -> str:
    """An object with those keys alone."""
    return f"(select coalesce(jsonb_object_agg(key, value), '{{}}') from jsonb_each({column}) where {kept})"  # noqa: S608 - constants


EVENTS = f"""
update events set person = $3, shard = $4, former = null, compared = null, properties = {
    _some(
        "properties",
        " or ".join(
            f"(kind = '{kind}' and key = any({_listed(kept)}))" for kind, kept in KEPT_OF_EVENTS.items()
        ),
    )
}
where {OF}
"""  # noqa: S608 - constants
KEPT = f"key = any({_listed(KEPT_OF_FACTS)})"
CODED = f"key = 'reason' and fact = any({_listed(REASONED)}) and value #>> '{{}}' ~ '^[a-z_]+$'"
FACTS = f"""
update facts set person = $3, shard = $4, former = null, data = {_some("data", f"{KEPT} or ({CODED})")}
where {OF}
"""  # noqa: S608 - constants
LEAVE = f"""
insert into facts (workspace, person, shard, fact, at, canvas, entry, step, data)
select workspace, $3, $4, 'ended', $5, canvas, id, step, jsonb_build_object('reason', 'erased')
from entries where {OF} and ended is null
"""  # noqa: S608 - constants
ENTRIES = f"""
update entries set person = $3, shard = $4, key = id::text, entry_key = null, context = '{{}}', properties = '{{}}',
    turn = turn + case when ended is null then 1 else 0 end, moved = clock_timestamp(),
    told = case when ended is not null or alarm = id then told else turn + 1 end,
    ended_at = coalesce(ended_at, $5), ended = coalesce(ended, 'erased'), wake_at = null, alarm_at = null
where {OF}
"""  # noqa: S608 - constants
"""An alarm of several is told nothing of one who goes."""

WITHDRAW = f"""
with gone as (delete from dispatches where {OF} and state = 'queued' returning *)
insert into facts (workspace, person, shard, fact, at, canvas, entry, step, dispatch, data)
select workspace, $3, $4, 'withdrawn', $5, canvas, entry, step, key, jsonb_build_object('reason', 'person_gone') from gone
"""  # noqa: S608 - constants
CALLED = f"""
update dispatches set person = $3, shard = $4, context = '{{}}', properties = '{{}}', held = false,
    state = case state when 'claimed' then 'erased' else state end
where {OF}
"""  # noqa: S608 - constants
"""What is on its way is settled under the pseudonym; what is claimed and not yet called for is not called for."""

MEMBERS = f"""
with waiting as (select run from run_members where {OF} and outcome is null for update),
counted as (update runs r set gone = r.gone + 1 from waiting w where r.workspace = $1 and r.id = w.run)
update run_members set person = $3, context = null, outcome = coalesce(outcome, 'gone') where {OF}
"""  # noqa: S608 - constants

ERASED: Mapping[str, Sequence[str]] = {
    "events": (EVENTS,),
    "facts": (FACTS,),
    "entries": (LEAVE, ENTRIES),
    "dispatches": (WITHDRAW, CALLED),
    "conversions": (f"update conversions set person = $3, shard = $4, until = least(until, $5) where {OF}",),  # noqa: S608
    "refusals": (f"update refusals set person = $3, shard = $4, seen = '{{}}' where {OF}",),  # noqa: S608
    "run_members": (MEMBERS,),
    "promotion_codes": (f"update promotion_codes set person = null where {OF}",),  # noqa: S608
    **dict.fromkeys(
        ("aliases", "consents", "subscriptions", "event_counts", "spending", "seen", "inbox", "fetches", "hearings",
         "echoes", "carts", "former_names"), (GOES,)),
}  # fmt: skip
"""By table, what becomes of the rows of the person `$2`, who is `$3` (of the shard `$4`) from the instant `$5` on."""

NAMES = """
select 'braze_id' as sort, p.id::text as value from people p where (p.workspace, p.id) = ($1, $2)
union all select n.sort, n.value from people p cross join lateral (
    values ('external_id', p.external_id), ('anonymous_id', p.anonymous_id)) as n(sort, value)
    where (p.workspace, p.id) = ($1, $2) and n.value is not null
union all select n.sort, n.value from people p cross join lateral (
    values ('email', p.email), ('phone', p.phone)) as n(sort, value)
    where (p.workspace, p.id) = ($1, $2) and n.value is not null and not exists (
        select from people o where o.workspace = $1 and o.id <> $2
            and n.value = case n.sort when 'email' then o.email else o.phone end)
union all select 'user_alias', label || chr(31) || name from aliases where (workspace, person) = ($1, $2)
union all select sort, value from former_names where (workspace, person) = ($1, $2)
union all select 'braze_id', old::text from merged where (workspace, new) = ($1, $2)
"""
"""By which names a trigger for later may mean the person, and nobody else."""

RECIPIENTS = """
update runs r set recipients = (
    select coalesce(jsonb_agg(e order by place), '[]') from jsonb_array_elements(r.recipients) with ordinality as a(e, place)
    where (e->>'sort', e->>'value') not in (select * from unnest($2::text[], $3::text[])))
where r.workspace = $1 and jsonb_typeof(r.recipients) = 'array' and exists (
    select from jsonb_array_elements(r.recipients) e
    where (e->>'sort', e->>'value') in (select * from unnest($2::text[], $3::text[])))
"""
MERGED = "delete from merged where workspace = $1 and new = $2"
PERSON = "delete from people where workspace = $1 and id = $2"
FACT = "insert into facts (workspace, person, shard, fact, at) values ($1, $2, $3, 'erased', $4)"
PENDING = f"select {PENDING_ALARM} from entries where {OF} and told < turn"  # noqa: S608 - constants


async def erase(connection: Any, workspace: int, person: UUID, now: datetime) -> list[PendingAlarm]:
    """Erase a person who is locked; returns the workflows to cancel after the commit.

    Raises `Busy` where somebody has locked a row of the person for a moment.
    """
    await lock_rows(connection, workspace, person)
    pseudonym = uuid4()
    given = workspace, person, pseudonym, shard_of(pseudonym), now
    names = await connection.fetch(NAMES, workspace, person)
    await connection.execute(
        RECIPIENTS, workspace, [row["sort"] for row in names], [row["value"] for row in names]
    )
    await hash_addresses(connection, workspace, person, now)
    for table, statements in ERASED.items():
        for statement in statements:
            most = max(number for number in range(1, 6) if f"${number}" in statement)
            await connection.execute(statement.replace("{table}", table), *given[:most])
    await connection.execute(MERGED, workspace, person)
    await connection.execute(PERSON, workspace, person)
    await connection.execute(FACT, workspace, *given[2:])
    return [PendingAlarm(*row) for row in await connection.fetch(PENDING, workspace, pseudonym)]


async def erase_people(parts: Parts, workspace: int, wanted: Sequence[Who]) -> int:
    """Erase whom these mean, one transaction after the other; returns how many there were (IDN-26).

    Where nobody is meant, or of several who share an address or a number not one alone, nothing happens (IDN-28).
    """
    erased = 0
    for who in wanted:

        async def work(connection: Any, who: Who = who) -> list[PendingAlarm] | None:
            person = await who_is_meant(connection, workspace, who)
            if person is None:
                return None
            await lock_all(connection, workspace, person)
            if await who_is_meant(connection, workspace, who) != person:
                raise Moved
            return await erase(connection, workspace, person, parts.clock.now())

        pending_alarms = await parts.db.anew(work)
        if pending_alarms is not None:
            erased += 1
            parts.alarm_sync.sync(pending_alarms)
    return erased


async def erase_one(db: Database, workspace: int, person: UUID, now: datetime) -> None:
    """Erase the person with our id, for tools: the sweep cancels the workflows. Raises `Moved` where they are not there."""

    async def work(connection: Any) -> None:
        await lock_all(connection, workspace, person)
        await erase(connection, workspace, person, now)

    await db.anew(work)
