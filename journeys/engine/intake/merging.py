"""Makes one person of two, in one transaction: what each table that names people does with the rows of the one who goes.

`CARRIED` has every table with a person; a test sees to it that none is forgotten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from journeys.engine.core.global_control import held_out
from journeys.engine.core.merging import COLUMNS, Declined, Values, declined, merged_values
from journeys.engine.logs import logger
from journeys.engine.metrics import MERGES, counted
from journeys.engine.people.profile_writes import store_profiles
from journeys.engine.people.profiles import Profile, load, shard_of
from journeys.engine.ports import PendingAlarm
from journeys.engine.store.database import Busy
from journeys.engine.store.entry_writes import PENDING_ALARM
from journeys.engine.workspaces.published import Publication, Published
from journeys.engine.workspaces.stored_plans import NotUnderstood

OF = "workspace = $1 and person = $2"
MOVE = f"update {{table}} set person = $3 where {OF}"  # noqa: S608 - constants
MOVE_SHARD = f"update {{table}} set person = $3, shard = $4 where {OF}"  # noqa: S608 - constants
REST = f"delete from {{table}} where {OF}"  # noqa: S608 - constants
LOG = f"update {{table}} set person = $3, shard = $4, former = coalesce(former, person) where {OF} {{some}}"  # noqa: S608

ALIASES = f"""
update aliases a set person = $3 where {OF}
    and not exists (select from aliases o where (o.workspace, o.person, o.label) = (a.workspace, $3, a.label)) -- IDN-14
"""  # noqa: S608 - constants

STRENGTH = "array_position(array['subscribed', 'opted_in', 'unsubscribed'], {})"


def _states(table: str, name: str, fact: str, said: str, more: str = "") -> str:
    """The stronger state of the two for each name, with a fact where that of who stays is another now (CNS-3).

    `more`: further columns, which stay with the name.
    """
    mine, other = STRENGTH.format(f"{table}.state"), STRENGTH.format("excluded.state")
    return f"""
with changed as (
    insert into {table} (workspace, person, {name}, state, at{more})
    select workspace, $3, {name}, state, at{more} from {table} where {OF}
    on conflict (workspace, person, {name}) do update set state = excluded.state, at = excluded.at
    where {other} > {mine} returning {name}, state, at)
insert into facts (workspace, person, shard, fact, at, data)
select $1, $3, $4, '{fact}', $5, jsonb_build_object('{said}', {name}, 'state', state, 'source', 'merge') from changed
"""  # noqa: S608 - constants  # IDN-14


SEEN = f"""
update seen s set person = $3 where {OF}
    and not exists (select from seen o where (o.workspace, o.person, o.digest) = (s.workspace, $3, s.digest))
"""  # noqa: S608 - constants
ENTRIES = f"""
update entries e set person = $3, shard = $4, key = case when exists (
        select from entries o where (o.workspace, o.canvas, o.person, o.key) = (e.workspace, e.canvas, $3, e.key))
    then e.key || ':' || $2::uuid else e.key end
where {OF}
"""  # noqa: S608 - constants
DERIVED_EVENTS = f"""
update echoes e set person = $3, key = case when exists (
        select from echoes o where (o.workspace, o.person, o.key) = (e.workspace, $3, e.key))
    then e.key || ':' || $2::uuid else e.key end
where {OF}
"""  # noqa: S608 - constants
REFUSALS = f"""
insert into refusals (workspace, person, canvas, gate, shard, at, seen, times)
select workspace, $3, canvas, gate, $4, at, seen, times from refusals where {OF}
on conflict (workspace, person, canvas, gate) do update set times = refusals.times + excluded.times,
    seen = case when excluded.at > refusals.at then excluded.seen else refusals.seen end,
    at = greatest(refusals.at, excluded.at)
"""  # noqa: S608 - constants
CARTS = f"""
insert into carts (workspace, person, id, body, ordered, at)
select workspace, $3, id, body, ordered, at from carts where {OF}
on conflict (workspace, person, id) do update set body = excluded.body, ordered = excluded.ordered, at = excluded.at
where excluded.at > carts.at
"""  # noqa: S608 - constants

MEMBERS = f"""
with twice as (
    select o.run, o.outcome is null as waits from run_members o join run_members n
        on (n.workspace, n.person, n.run) = (o.workspace, $3, o.run)
    where o.workspace = $1 and o.person = $2 and (o.outcome is null or n.outcome is null)),
gone as (
    update run_members m set outcome = 'merged' from twice b
    where m.workspace = $1 and m.run = b.run and m.person = case when b.waits then $2::uuid else $3::uuid end),
counted as (
    update runs r set merged = r.merged + 1 from twice b where r.workspace = $1 and r.id = b.run)
update run_members m set person = $3 where {OF}
    and not exists (select from run_members n where (n.workspace, n.person, n.run) = (m.workspace, $3, m.run))
"""  # noqa: S608 - constants
"""Who is in a run as both comes once: the turn of one of them is over. Such a row stays, until the run is over."""

CONSENTS = _states("consents", "channel", "consent_changed", "channel")
SUBSCRIPTIONS = _states("subscriptions", "name", "subscription_changed", "subscription", ", channel")

COUNTS = f"""
insert into event_counts as c (workspace, person, kind, name, shard, count, first, last)
select workspace, $3, kind, name, $4, count, first, last from event_counts where {OF}
on conflict (workspace, person, kind, name) do update set count = c.count + excluded.count,
    first = least(c.first, excluded.first), last = greatest(c.last, excluded.last) -- IDN-14
"""  # noqa: S608 - constants
SPENDING = f"""
insert into spending as c (workspace, person, product, currency, shard, amount)
select workspace, $3, product, currency, $4, amount from spending where {OF}
on conflict (workspace, person, product, currency) do update set amount = c.amount + excluded.amount -- IDN-14
"""  # noqa: S608 - constants

CARRIED: Mapping[str, Sequence[str]] = {
    "aliases": (ALIASES, REST),
    "consents": (CONSENTS, REST),
    "subscriptions": (SUBSCRIPTIONS, REST),
    "events": (LOG,),
    "event_counts": (COUNTS, REST),
    "spending": (SPENDING, REST),
    "seen": (SEEN, REST),
    "facts": (LOG,),
    "entries": (ENTRIES,),
    "inbox": (MOVE,),
    "fetches": (MOVE,),
    "dispatches": (MOVE_SHARD,),
    "conversions": (MOVE_SHARD,),
    "hearings": (MOVE,),
    "echoes": (DERIVED_EVENTS,),
    "refusals": (REFUSALS, REST),
    "run_members": (MEMBERS,),
    "carts": (CARTS, REST),
    "promotion_codes": (MOVE,),
    "former_names": (f"delete from former_names where {OF} and sort <> 'anonymous_id'", MOVE),  # noqa: S608 - constants
}
"""By table, what is done with the rows of the person `$2` who becomes `$3` (of the shard `$4`) at the instant `$5`."""

LOCKS = {"entries": "id", "fetches": "entry", "dispatches": "key"}
"""Tables whose rows others lock without a lock on the person, and their keys: they are not waited for."""

BEGINS = """
select e.id, e.plan from entries e where e.workspace = $1 and e.person = $2 and e.ended is null and e.variant is null
    and exists (select from conversions c where (c.workspace, c.person, c.entry) = (e.workspace, e.person, e.id))
"""
VARIANT = "update conversions set variant = $4 where (workspace, person, entry) = ($1, $2, $3)"
RAISE = f"""
with raised as (
    update entries t set turn = t.turn + 1, moved = clock_timestamp(),
        told = case when t.alarm = t.id then t.told else 0 end, alarm = t.id
    from entries o join canvases c on (c.workspace, c.name) = (o.workspace, o.canvas) and c.settled < c.change
    where (o.workspace, o.person) = ($1, $2) and o.id = any($3::uuid[]) and o.ended is null
        and (t.workspace, t.person, t.id) = (o.workspace, o.person, o.id) returning t.*)
select {PENDING_ALARM} from raised
"""  # noqa: S608 - constants
"""Whoever sees to a change of their canvas, person by person, may have passed the one who stays already."""

GONE = "delete from people where workspace = $1 and id = $2 returning external_id, anonymous_id"
FORMER = """
insert into former_names (workspace, sort, value, person) values ($1, 'anonymous_id', $2, $3) on conflict do nothing
"""
NAMED = "update people set anonymous_id = $3 where workspace = $1 and id = $2 and anonymous_id is null returning true"
CHAIN = "update merged set new = $3 where workspace = $1 and new = $2"
MERGED = "insert into merged (workspace, old, new) values ($1, $2, $3)"
FACT = """
insert into facts (workspace, person, shard, fact, at, data)
values ($1, $2, $3, $4, $5, jsonb_strip_nulls(jsonb_build_object('person', $6::uuid, 'reason', $7::text)))
"""

log = logger(__name__)


@dataclass(slots=True)
class Merge:
    """What came of it: why it was declined, or whom to inform after the commit."""

    declined: Declined | None = None
    pending_alarms: list[PendingAlarm] = field(default_factory=list)


async def merge(
    connection: Any,
    publication: Publication,
    published: Published,
    gone: UUID,
    kept: UUID,
    now: datetime,
    *,
    values: bool = True,
) -> Merge:
    """Let two people who are locked be one: `kept` has all that was theirs, and `gone` is there no more (IDN-14).

    Entries go on, and are not asked again whether they would be let in (IDN-15). Events and facts keep the id under which
    they were stored beside that of who stays. Without `values` the attributes, consents, events and purchases of who goes are
    not taken over (`merge_behavior: none`). Raises `Busy` where somebody has locked a row for a moment.
    """
    workspace = publication.workspace
    profiles = await load(connection, workspace, [gone, kept])
    reason = declined(_values(profiles[kept]), _values(profiles[gone]), _held_out(publication))
    shard = shard_of(kept)
    if reason is not None:  # IDN-16
        counted(MERGES, result="declined")
        log.info("merge_declined", workspace=workspace, person=str(kept), other=str(gone), reason=reason)
        await connection.execute(FACT, workspace, kept, shard, "merge_declined", now, gone, reason)
        return Merge(reason)
    await lock_rows(connection, workspace, gone)
    begins = await connection.fetch(BEGINS, workspace, gone)
    entries = [row["id"] for row in await connection.fetch(OPEN, workspace, gone)]
    for table, statements in CARRIED.items():
        for statement in statements:
            await _carry(connection, table, statement, workspace, gone, kept, shard, now, values=values)
    for row in begins:
        await _assign(connection, published, workspace, kept, row)
    if values:
        await _take_over(connection, profiles[kept], profiles[gone])
    await _name(connection, workspace, gone, kept)
    await connection.execute(CHAIN, workspace, gone, kept)
    await connection.execute(MERGED, workspace, gone, kept)
    await connection.execute(FACT, workspace, kept, shard, "merged", now, gone, None)
    counted(MERGES, result="done")
    rows = await connection.fetch(RAISE, workspace, kept, entries) if entries else []
    return Merge(pending_alarms=[PendingAlarm(*row) for row in rows])


OPEN = "select id from entries where workspace = $1 and person = $2 and ended is null"


def _free(table: str, key: str) -> str:
    return f"""
with locked as (select {key} from {table} where {OF} for update skip locked)
select (select count(*) from locked) = (select count(*) from {table} where {OF})
"""  # noqa: S608 - constants


async def lock_rows(connection: Any, workspace: int, person: UUID) -> None:
    """Lock the rows of a person that others lock without a lock on the person. Raises `Busy` where one is locked."""
    for table, key in LOCKS.items():
        if not await connection.fetchval(_free(table, key), workspace, person):
            raise Busy


async def _carry(
    connection: Any,
    table: str,
    statement: str,
    workspace: int,
    gone: UUID,
    kept: UUID,
    shard: int,
    now: datetime,
    *,
    values: bool,
) -> None:
    some = ""
    if not values and table in ("consents", "subscriptions", "event_counts", "spending"):
        statement = REST
    elif not values and table == "events":
        some = "and kind = 'message'"
    query = statement.format(table=table, some=some)
    given = [workspace, gone, kept, shard, now]
    await connection.execute(query, *given[: _parameters(query)])


def _parameters(query: str) -> int:
    """How many parameters a statement has."""
    return max(number for number in range(1, 6) if f"${number}" in query)


async def _assign(
    connection: Any, published: Published, workspace: int, kept: UUID, row: Mapping[str, Any]
) -> None:
    """An entry that has not begun gets the variant of who stays; its conversions count for that one."""
    try:
        plan = await published.plan(workspace, row["plan"])
    except NotUnderstood:
        return
    await connection.execute(VARIANT, workspace, kept, row["id"], plan.variant_of(str(kept)).name)


async def _take_over(connection: Any, kept: Profile, gone: Profile) -> None:
    one = merged_values(_values(kept), _values(gone))
    for name, value in one.columns.items():
        setattr(kept, name, value)
    kept.standard, kept.attributes = one.standard, one.custom
    await store_profiles(connection, [kept])


async def _name(connection: Any, workspace: int, gone: UUID, kept: UUID) -> None:
    """The external ids of who goes are free again; the anonymous id goes on finding the person."""
    row = await connection.fetchrow(GONE, workspace, gone)
    anonymous = row["anonymous_id"]
    if anonymous is not None and not await connection.fetchval(NAMED, workspace, kept, anonymous):
        await connection.execute(FORMER, workspace, anonymous, kept)


def _values(profile: Profile) -> Values:
    columns = {name: getattr(profile, name) for name in COLUMNS}
    return Values(columns, profile.standard, profile.attributes, profile.bucket)


def _held_out(publication: Publication) -> frozenset[int]:
    """The buckets of the global control group, whatever canvases except their tags from it."""
    group = publication.settings.global_control if publication.settings else None
    return held_out(group, publication.drawn, ())
