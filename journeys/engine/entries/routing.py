"""Routes occurrences in the transaction that stores them: conversions, exits, waits, new entries, in this order.

`core/routing.py` decides who hears what; this file reads what it needs from the store, and writes the result.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from journeys.canvas.events_and_commands import Occurrence
from journeys.engine.audience.match import Person, concerns
from journeys.engine.clock import Clock
from journeys.engine.core.routing import Hears, Leaves, OpenEntry, Window, brings_in, credited, decide
from journeys.engine.entries.admission import Admission, Entrant, admit, note_failure
from journeys.engine.entries.conversion_keys import give_keys
from journeys.engine.entries.entry_rows import ENTRY, entry_of, present_of
from journeys.engine.entries.late_events import note_late
from journeys.engine.entries.looking_back import several
from journeys.engine.entries.unjudged_events import UNJUDGED
from journeys.engine.logs import logger
from journeys.engine.metrics import committing
from journeys.engine.people.profiles import Profile
from journeys.engine.ports import PendingAlarm
from journeys.engine.store.database import PASSING
from journeys.engine.store.entry_writes import EntryWrites
from journeys.engine.workspaces.published import Publication, Published, Running
from journeys.engine.workspaces.stored_plans import NotUnderstood

log = logger(__name__)


@dataclass(slots=True)  # not frozen, which makes them three times as slowly: there are very many
class PersonEvent:
    """A stored occurrence of a locked person. `hops` counts how often an event made a canvas make an event."""

    profile: Profile
    occurrence: Occurrence
    changed: frozenset[str] = frozenset()
    hops: int = 0


@dataclass(slots=True)
class Routed:
    """The result: entries to inform Temporal of, and channels to notify, after the commit."""

    pending_alarms: list[PendingAlarm] = field(default_factory=list)
    channels: set[tuple[str, int]] = field(default_factory=set)


@dataclass(slots=True)
class _Row:
    """An entry of a person who is locked, with its row; `inbox_rows` are what it is to hear."""

    row: Mapping[str, Any]
    open: OpenEntry
    inbox_rows: list[tuple[Any, ...]] = field(default_factory=list)
    hops: int = 0


@dataclass(slots=True)
class _Unread:
    """An entry whose canvas this process does not understand: what happened is kept for one that does."""

    row: Mapping[str, Any]
    inbox_rows: list[tuple[Any, ...]]
    hops: int


OPEN = f"""
select {ENTRY}, e.ended, e.shard,
    array(select row(d.key, d.context) from dispatches d
          where (d.workspace, d.person, d.entry) = (e.workspace, e.person, e.id) and d.state = 'queued') as unsent
from (
    select o.person, o.id from entries o where o.workspace = $1 and o.person = any($2::uuid[]) and o.ended is null
    union
    select d.person, d.entry from dispatches d
    where d.workspace = $1 and d.person = any($2::uuid[]) and d.state = 'queued') s
join entries e on (e.workspace, e.person, e.id) = ($1, s.person, s.id)
order by e.person, e.entered, e.id -- ACT-9
"""  # noqa: S608 - constants

WINDOWS = """
select person, entry, name, canvas, plan, since, until, at from conversions
where workspace = $1 and person = any($2::uuid[]) and until > $3 and since <= $4 -- EXT-10
order by since desc -- X8
"""

CREDIT = """
with credited as (
    update conversions c set at = s.at, revenue = s.revenue, step = (
        select f.step from facts f where (f.workspace, f.person, f.entry) = (c.workspace, c.person, c.entry)
            and f.fact = 'sent' and f.at <= s.at order by f.at desc, f.no desc limit 1) -- ANA-1, ANA-2
    from unnest($2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[], $6::text[]) as s(person, entry, name, at, revenue)
    where (c.workspace, c.person, c.entry, c.name) = ($1, s.person, s.entry, s.name) and c.at is null -- CNV-7, X7
    returning c.*)
insert into facts (workspace, person, shard, fact, at, canvas, entry, step, data)
select workspace, person, shard, 'converted', at, canvas, entry, step,
    jsonb_strip_nulls(jsonb_build_object('name', name, 'variant', variant, 'revenue', revenue)) from credited
"""

LEAVE = """
with gone as (
    update entries t set ended = coalesce(t.ended, s.reason), leaving = case when s.at_once then null else s.reason end,
        ended_at = coalesce(t.ended_at, s.at), wake_at = null, alarm_at = null, phase = '', context = '{}', -- CTX-3
        properties = '{}', at = greatest(t.at, s.at), moved = clock_timestamp(),
        turn = t.turn + case when t.ended is null then 1 else 0 end,
        told = case when t.alarm = t.id then t.told else t.turn + 1 end -- an alarm of several is never cancelled
    from unnest($2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[], $6::bool[]) as s(person, id, reason, at, at_once)
    where t.workspace = $1 and t.person = s.person and t.id = s.id and s.at_once
    returning t.*),
marked as (
    update entries t set leaving = coalesce(t.leaving, s.reason)
    from unnest($2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[], $6::bool[]) as s(person, id, reason, at, at_once)
    where t.workspace = $1 and t.person = s.person and t.id = s.id and not s.at_once and t.ended is null),
emptied as (
    delete from inbox i using gone g where (i.workspace, i.person, i.entry) = (g.workspace, g.person, g.id)),
withdrawn as (
    delete from dispatches d using gone g
    where (d.workspace, d.person, d.entry) = (g.workspace, g.person, g.id) and d.state = 'queued' returning d.*),
logged as (
    insert into facts (workspace, person, shard, fact, at, canvas, entry, step, dispatch, data)
    select w.workspace, w.person, w.shard, 'withdrawn', g.at, w.canvas, w.entry, w.step, w.key, '{}'
    from withdrawn w join gone g on g.id = w.entry)
select workspace, person, id, alarm, generation, turn, told, true, alarm_at, priority, canvas, plan from gone
"""

HEAR = """
with noted as (
    insert into inbox (workspace, person, entry, no, step, what, label, kind, name, at, properties)
    select * from unnest($1::int[], $2::uuid[], $3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[],
        $9::text[], $10::timestamptz[], $11::jsonb[]) on conflict do nothing),
claimed as (
    insert into hearings (workspace, person, entry, no, step, canvas)
    select $15, h.person, h.entry, h.no, h.step, h.canvas
    from unnest($16::uuid[], $17::uuid[], $18::bigint[], $19::text[], $20::text[]) as h(person, entry, no, step, canvas)
    where not exists (select from inbox i where (i.workspace, i.person, i.entry) = ($15, h.person, h.entry)
        and i.step = h.step and i.what = 'happened') -- an entry hears the first, and goes
    on conflict do nothing)
update entries t set turn = t.turn + 1, moved = clock_timestamp(), hops = greatest(t.hops, s.hops),
    told = case when t.alarm = t.id then t.told else 0 end, alarm = t.id
from unnest($12::uuid[], $13::uuid[], $14::int[]) as s(person, id, hops)
where t.workspace = $15 and t.person = s.person and t.id = s.id and t.ended is null
returning t.workspace, t.person, t.id, t.alarm, t.generation, t.turn, t.told, false, t.alarm_at, t.priority, t.canvas, t.plan
"""


async def route(
    connection: Any,
    publication: Publication,
    published: Published,
    clock: Clock,
    events: Sequence[PersonEvent],
) -> Routed:
    """Route these occurrences to all who hear them, in their order. The people are locked, the events stored.

    A fixed number of statements, whatever the number of occurrences, beside those of the canvases that let in.
    """
    routed = Routed()
    if not events:
        return routed
    workspace = publication.workspace
    profiles = {each.profile.id: each.profile for each in events}
    people = list(profiles)
    rows: dict[UUID, list[_Row]] = {}
    unread: list[_Unread] = []
    for row in await connection.fetch(OPEN, workspace, people):
        try:
            plan = await published.plan(workspace, row["plan"])
        except NotUnderstood:
            if row["ended"] is None:
                unread.append(_unread(row, events))
            continue
        unsent = None if row["ended"] is None else [context for _, context in row["unsent"]]
        entry, deaf, movable = entry_of(row), False, False
        if unsent is None:
            present = present_of(row, plan, profiles[row["person"]], publication.zone)
            deaf = present.entry.ended is not None
            entry, movable = entry if deaf else present.entry, present.movable
        one = OpenEntry(plan, entry, unsent, deaf=deaf, movable=movable)
        rows.setdefault(row["person"], []).append(_Row(row, one))
    await _convert(connection, publication, published, events, people)
    await note_late(
        connection, publication, published, clock, [(each.profile, each.occurrence) for each in events]
    )
    writes = EntryWrites()
    for each in events:
        if each.profile.id in rows:
            _hear(writes, each, rows[each.profile.id], each.profile.as_person(publication.zone))
    everybody = [one for several in rows.values() for one in several]
    routed.pending_alarms += await _leave(connection, workspace, everybody)
    routed.pending_alarms += await _write_inbox(connection, workspace, [*everybody, *unread])
    await writes.write(connection)
    for running, entrants in _entrants(publication, events):
        for wave in _waves(entrants):
            for admission in await _let_in(connection, publication, published, running, clock, wave):
                routed.pending_alarms += admission.pending_alarms
                routed.channels |= admission.channels
    routed.pending_alarms = [each for each in routed.pending_alarms if each.told < each.turn]
    return routed


def _hear(writes: EntryWrites, each: PersonEvent, rows: Sequence[_Row], person: Person) -> None:
    """Record the effect of one occurrence on a person's entries."""
    profile, what = each.profile, each.occurrence
    after, decided = decide([one.open for one in rows], what, person)
    by_id = {one.open.entry.id: one for one in rows}
    for one, open_ in zip(rows, after, strict=True):
        one.open = open_
    for decision in decided:
        one = by_id[decision.entry]
        match decision:
            case Leaves(notes=notes):
                writes.facts += [
                    (
                        profile.workspace, profile.id, profile.shard, note.fact, note.at, one.row["canvas"],
                        one.row["entry"], note.step, None, {**note.data, "event": what.name},
                    )
                    for note in notes
                ]  # fmt: skip
            case Hears(step=step, label=label):
                one.hops = max(one.hops, each.hops)
                one.inbox_rows.append((
                    profile.workspace, profile.id, one.row["entry"], what.no, step, "happened", label, what.kind,
                    what.name, what.at, dict(what.properties),
                ))  # fmt: skip


async def _let_in(
    connection: Any,
    publication: Publication,
    published: Published,
    running: Running,
    clock: Clock,
    wave: Sequence[Entrant],
) -> list[Admission]:
    """Let them in. A canvas that fails for a person stops neither the event, nor other canvases, nor other people."""
    try:
        with committing():
            async with connection.transaction():
                return [await admit(connection, publication, published, running, clock, wave)]
    except PASSING:
        raise
    except NotUnderstood as error:
        for each in wave:
            await note_failure(connection, running, each.profile, each.at, error)
        return []
    except Exception as error:
        if len(wave) > 1:
            alone = [await _let_in(connection, publication, published, running, clock, [one]) for one in wave]
            return [admission for each in alone for admission in each]
        log.exception("admission_failed", canvas=running.name, person=str(wave[0].profile.id))
        await note_failure(connection, running, wave[0].profile, wave[0].at, error)
        return []


async def _convert(
    connection: Any,
    publication: Publication,
    published: Published,
    events: Sequence[PersonEvent],
    people: Sequence[UUID],
) -> None:
    """Credit conversions to the most recent entry whose window is open at the instant of the event (X7, X8)."""
    instants = [each.occurrence.at for each in events]
    rows = await connection.fetch(WINDOWS, publication.workspace, list(people), min(instants), max(instants))
    if not rows:
        return
    windows: dict[UUID, list[Window]] = {}
    for row in rows:
        conversions = await published.conversions(publication.workspace, row["plan"])
        conversion = conversions.get(row["name"])
        if conversion is None:
            continue
        windows.setdefault(row["person"], []).append(
            Window(row["entry"], row["canvas"], conversion, row["since"], row["until"], row["at"] is not None)
        )
    await give_keys(connection, publication.workspace, windows)
    credit: list[tuple[Any, ...]] = []
    for each in events:
        what, mine = each.occurrence, windows.get(each.profile.id, [])
        for window in credited(mine, what, each.profile.as_person(publication.zone)):
            mine[mine.index(window)] = replace(window, credited=True)
            name, revenue = window.conversion.name, window.conversion.revenue
            amount = what.properties.get(revenue) if revenue else None
            credit.append((
                each.profile.id, window.entry, name, what.at, None if amount is None else str(amount),
            ))  # fmt: skip
    if credit:
        await connection.execute(CREDIT, publication.workspace, *map(list, zip(*credit, strict=True)))


async def _leave(connection: Any, workspace: int, everybody: Iterable[_Row]) -> list[PendingAlarm]:
    leaving = [
        (one.row["person"], one.row["entry"], one.open.leaves, one.open.entry.moved, one.open.at_once)
        for one in everybody
        if one.open.leaves
    ]
    if not leaving:
        return []
    rows = await connection.fetch(LEAVE, workspace, *map(list, zip(*leaving, strict=True)))
    return [PendingAlarm(*row) for row in rows]


def _unread(row: Mapping[str, Any], events: Sequence[PersonEvent]) -> _Unread:
    """What happened to the person of this entry, to be judged later."""
    mine = [each for each in events if each.profile.id == row["person"]]
    inbox_rows: list[tuple[Any, ...]] = [
        (
            each.profile.workspace, row["person"], row["entry"], each.occurrence.no, "", UNJUDGED, "",
            each.occurrence.kind, each.occurrence.name, each.occurrence.at, dict(each.occurrence.properties),
        )
        for each in mine
    ]  # fmt: skip
    return _Unread(row, inbox_rows, max((each.hops for each in mine), default=0))


async def _write_inbox(
    connection: Any, workspace: int, everybody: Iterable[_Row | _Unread]
) -> list[PendingAlarm]:
    hearing = [one for one in everybody if one.inbox_rows and not (isinstance(one, _Row) and one.open.gone)]
    if not hearing:
        return []
    inbox_rows = [inbox_row for one in hearing for inbox_row in one.inbox_rows]
    entries = [(one.row["person"], one.row["entry"], one.hops) for one in hearing]
    claims = [
        (one.row["person"], one.row["entry"], *one.inbox_rows[0][3:5], one.row["canvas"])
        for one in hearing
        if isinstance(one, _Row) and several(one.open.plan)
    ]
    rows = await connection.fetch(
        HEAR,
        *map(list, zip(*inbox_rows, strict=True)),
        *map(list, zip(*entries, strict=True)),
        workspace,
        *(map(list, zip(*claims, strict=True)) if claims else [[]] * 5),
    )
    return [PendingAlarm(*row) for row in rows]


def _entrants(publication: Publication, events: Sequence[PersonEvent]) -> Iterable[tuple[Any, list[Entrant]]]:
    """Who would enter which canvas by these occurrences, by the names of the canvases: counters are locked in that order.

    The key is the occurrence's own number. Whether a canvas is stopped is read in the transaction; a draft, and one that is
    archived, is out of sight, as one not yet published.
    """
    names = {(each.occurrence.kind, each.occurrence.name) for each in events}
    for _, running in sorted(publication.running.items()):
        trigger = running.plan.canvas.schedule.trigger
        if trigger is None or running.status in ("archived", "draft"):
            continue
        concerned = {one for one in names if concerns(trigger, *one)}
        if not concerned:
            continue
        entrants = [
            _entrant(each)
            for each in events
            if (each.occurrence.kind, each.occurrence.name) in concerned
            and brings_in(running.plan, each.occurrence, each.profile.as_person(publication.zone))
        ]
        if entrants:
            yield running, entrants


def _waves(entrants: Sequence[Entrant]) -> Iterable[list[Entrant]]:
    """Each person once a wave, in order, so that their second entry meets the rules that their first one made."""
    rest = list(entrants)
    while rest:
        wave = {entrant.profile.id: entrant for entrant in reversed(rest)}
        yield [entrant for entrant in rest if wave[entrant.profile.id] is entrant]
        rest = [entrant for entrant in rest if wave[entrant.profile.id] is not entrant]


def _entrant(each: PersonEvent) -> Entrant:
    what = each.occurrence
    return Entrant(
        profile=each.profile,
        admission_key=f"event:{what.no}",
        at=what.at,  # ENT-19
        context=dict(what.properties),  # CTX-1
        hops=each.hops,
        but=what.no,
    )
