"""Admits people to a canvas: creates the entry, or records the reason of the refusal, which `core/gates.py` gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from journeys.canvas.events_and_commands import Entered, Entry
from journeys.canvas.steps.delay import Delay
from journeys.engine.audience.consents_asked import asks_consents
from journeys.engine.audience.match import needs
from journeys.engine.clock import Clock
from journeys.engine.core.drive import LATE_AFTER, Case
from journeys.engine.core.gates import Candidate, full, key_of, period_of, refusal, seen
from journeys.engine.core.life import LETS_IN
from journeys.engine.entries.burst import GRACE
from journeys.engine.entries.entered_before import Before, entered_before
from journeys.engine.entries.entry_counters import reserve
from journeys.engine.entries.entry_transaction import EntryTransaction, LoadedEntry
from journeys.engine.entries.reading import StoreReading
from journeys.engine.entries.shared_alarms import shared_alarm
from journeys.engine.metrics import ENTRIES_REFUSED, counted
from journeys.engine.people.profiles import History, Profile, history, read_consents
from journeys.engine.ports import PendingAlarm
from journeys.engine.store.entry_writes import REFUSE
from journeys.engine.workspaces.published import Publication, Published, Running


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrant:
    """A person who would enter. `admission_key` makes it repeatable: with the same one no one enters twice.

    `at` is the instant of what brings them in: delays after it are measured from there (ENT-19). `but` is the number
    of the event that brings them in, which the audience does not count (ENT-16).
    """

    profile: Profile
    admission_key: str
    at: datetime
    context: dict[str, Any] = field(default_factory=dict)
    priority: int = 1
    hops: int = 0
    but: int | None = None
    judged: bool = False
    """Whether they are in the audience is known already: they are in a run."""


@dataclass(slots=True)
class Admission:
    """The result: entries to inform Temporal of, and the people whom the canvas refused and why."""

    status: str = "active"
    """The canvas' own, at the moment at which they came."""
    pending_alarms: list[PendingAlarm] = field(default_factory=list)
    entries: dict[UUID, UUID] = field(default_factory=dict)
    """The entry of each person who came in."""
    refused: list[tuple[UUID, str]] = field(default_factory=list)
    channels: set[tuple[str, int]] = field(default_factory=set)
    """Channels that have new dispatches: notify them after the commit."""


EARLIER = """
select c.status, c.plan, p.person,
    case when c.status = 'paused' then (
        select max(l.no) - 1 from canvas_changes l where (l.workspace, l.canvas, l.kind) = (c.workspace, c.name, 'pause'))
        else c.change end as change,
    (select e.entered from entries e where (e.workspace, e.person, e.canvas) = (c.workspace, p.person, c.name)
        order by e.entered desc limit 1) as last,
    array(select e.key from entries e
        where (e.workspace, e.canvas, e.person) = (c.workspace, c.name, p.person) and e.key = any($4::text[])) as keys
from canvases c left join unnest($3::uuid[]) as p(person) on true
where c.workspace = $1 and c.name = $2
"""
"""How the canvas stands at this moment, and whom of these people it has let in before: at least one row.

A pause that lasts is not behind who enters meanwhile: the resume meets it.
"""


async def note_failure(
    connection: Any, running: Running, profile: Profile, at: datetime, error: Exception
) -> None:
    """Record that a person could not be admitted because of an error, which is not one of their data."""
    counted(ENTRIES_REFUSED, gate="failed")
    seen = {"error": f"{type(error).__name__}: {error}"[:500]}
    row = (profile.workspace, profile.id, profile.shard, running.name, "failed", at, seen)
    await connection.execute(REFUSE, *([value] for value in row))


async def admit(
    connection: Any,
    publication: Publication,
    published: Published,
    running: Running,
    clock: Clock,
    entrants: Sequence[Entrant],
    run: UUID | None = None,
    *,
    together: bool = False,
) -> Admission:
    """Let these people into a canvas, those of them whom it takes. The people are locked by the caller.
    Raises `NotUnderstood` where it was published anew, and this process cannot read it, and `ClockOff`.

    Status and plan are those of this moment, whatever this process held of them (STA-2).
    A refusal is a row with its gate and what that saw, counted where it comes again. The places of an entry limit are
    reserved here, for those whom every other gate lets through, in the order of the entrants; `run`: the one that they
    belong to. A person who enters a canvas whose first step is a delay, or that says `workflow: when_waiting`, is driven to
    the first wait in this transaction; the others by their workflow. Those who come `together` are all driven here, and
    share an alarm where they wait for the same instant, unless the canvas says `workflow: always`. While the canvas is
    paused nobody is driven: they begin at the resume. Nobody may be among the entrants twice.
    """
    clock.check()
    admission = Admission()
    transaction = EntryTransaction(StoreReading(connection), clock.now())
    passed: list[Entrant] = []
    earlier = await connection.fetch(
        EARLIER,
        publication.workspace,
        running.name,
        [e.profile.id for e in entrants],
        [e.admission_key for e in entrants],
    )
    past = {row["person"]: row for row in earlier}
    now = earlier[0]
    if now["plan"] != running.plan.id:
        publication = await published.newest(publication.workspace, connection)
        running = publication.stands(running.name)
    admission.status = now["status"]
    active = admission.status in LETS_IN
    histories = await _histories(connection, publication, running, entrants) if active else {}
    canvas = publication.opening(running, active=active)
    before = {row["person"]: Before(row["last"]) for row in earlier}
    if active and not running.plan.canvas.overlaps:
        asked = {each.profile.id: key_of(running.plan.canvas, each.context) for each in entrants}
        profiles = {each.profile.id: each.profile for each in entrants}
        before = await entered_before(
            connection, published, publication, running.plan, profiles, before, asked
        )
    for entrant in entrants:
        person = entrant.profile.id
        row = past[person]
        if entrant.admission_key in row["keys"]:
            continue  # said before: nothing new
        candidate = Candidate(
            person=entrant.profile.as_person(publication.zone, histories.get(person)),
            at=entrant.at,
            event=entrant.but,
            judged=entrant.judged,
            last=before[person].last,
            inside=before[person].inside,
            context=entrant.context,
        )
        reason = refusal(canvas, candidate)
        if reason is not None:
            admission.refused.append((person, reason))
            saw = seen(canvas, candidate, reason) if active else {"status": admission.status}
            _refuse(transaction, running, entrant, reason, saw)
            continue
        passed.append(entrant)
    passed = await _with_a_place(connection, transaction, publication, running, clock, passed, run, admission)
    loaded_entries = [
        new_entry(publication, running, clock, entrant, now["change"], uuid7()) for entrant in passed
    ]
    for loaded in loaded_entries:
        loaded.beside = before[loaded.profile.id].last is not None
    runs = admission.status == "active"  # else they begin at the resume
    together = together and runs and len(loaded_entries) > 1 and running.plan.canvas.workflow != "always"
    driven = [loaded for loaded in loaded_entries if runs and (together or _drives(running))]
    await transaction.drive(driven)
    for loaded in loaded_entries:
        loaded.told_too = bool(loaded.entry.ended)
        open_windows(transaction, loaded)  # CNV-9
    if together:
        share_alarms(transaction, loaded_entries)
    transaction.settle(loaded_entries)
    await transaction.store_updates(connection)
    admission.pending_alarms = [
        each for each in await transaction.writes.write(connection) if each.told < each.turn
    ]
    admission.entries = {loaded.profile.id: loaded.id for loaded in loaded_entries}
    admission.channels = transaction.channels
    return admission


async def _histories(
    connection: Any, publication: Publication, running: Running, entrants: Sequence[Entrant]
) -> dict[UUID, History]:
    audience = running.plan.canvas.audience
    if audience is None or all(entrant.judged for entrant in entrants):
        return {}
    wanted = needs([audience], publication.segments)
    if asks_consents([audience], publication.segments):
        await read_consents(connection, publication.workspace, [entrant.profile for entrant in entrants])
    asked = {entrant.profile.id: (wanted, entrant.at) for entrant in entrants if not entrant.judged}
    brings = {entrant.profile.id: entrant.but for entrant in entrants}  # ENT-16
    return await history(connection, publication.workspace, asked, brings)


async def _with_a_place(
    connection: Any,
    transaction: EntryTransaction,
    publication: Publication,
    running: Running,
    clock: Clock,
    passed: list[Entrant],
    run: UUID | None,
    admission: Admission,
) -> list[Entrant]:
    """Those of them for whom the entry limit of the canvas has a place; all, where it has no limit (CTL-7)."""
    limit = running.plan.canvas.entry_limit
    if limit is None or not passed:
        return passed
    period = period_of(limit, clock.now(), publication.zone, run)
    count = await reserve(connection, publication.workspace, running.name, limit, period, len(passed))
    for entrant in passed[count:]:
        admission.refused.append((entrant.profile.id, "entry_limit"))
        _refuse(transaction, running, entrant, "entry_limit", full(limit, period))
    return passed[:count]


def _refuse(
    transaction: EntryTransaction, running: Running, entrant: Entrant, gate: str, saw: Mapping[str, Any]
) -> None:
    profile = entrant.profile
    counted(ENTRIES_REFUSED, gate=gate)
    transaction.writes.refusals.append(
        (profile.workspace, profile.id, profile.shard, running.name, gate, entrant.at, saw)
    )


def new_entry(
    publication: Publication, running: Running, clock: Clock, entrant: Entrant, change: int, identity: UUID
) -> LoadedEntry:
    """The entry of someone whom the gates let in, at its beginning."""
    entry = Entry(
        id=str(identity),
        canvas=running.name,
        person=str(entrant.profile.id),
        moved=entrant.at,  # ENT-19
        entered=entrant.at,  # ENT-19
        context=entrant.context,  # CTX-1, CTX-2, CTL-4
        key=key_of(running.plan.canvas, entrant.context),
    )
    case = Case(
        running.plan,
        entry,
        [Entered()],
        clock=clock.now(),
        grace=clock.span(GRACE),
        late_after=clock.span(LATE_AFTER),
        change=change,
    )
    return LoadedEntry(
        case,
        publication,
        entrant.profile,
        identity,
        entrant.priority,
        entrant.hops,
        admission_key=entrant.admission_key,
    )


def _drives(running: Running) -> bool:
    """Whether the admitting transaction takes the entry to its first wait (see the table in the design)."""
    plan = running.plan
    if plan.canvas.workflow_mode == "when_waiting":
        return True
    firsts = [plan.steps[first] for first in plan.starts.values() if first is not None]
    return all(isinstance(first, Delay) for first in firsts)


def share_alarms(transaction: EntryTransaction, loaded_entries: Iterable[LoadedEntry]) -> None:
    """Let those new entries that wait for the same instant share an alarm: one workflow wakes them all."""
    waiting: dict[datetime, list[LoadedEntry]] = {}
    for loaded in loaded_entries:
        alarm_at = loaded.case.alarm()
        if alarm_at is not None:
            waiting.setdefault(alarm_at, []).append(loaded)
    for alarm_at, several in waiting.items():
        if len(several) == 1:
            continue
        first = several[0]
        alarm = shared_alarm(first.id, alarm_at)
        for loaded in several:
            loaded.alarm, loaded.told_too = alarm, True
        transaction.writes.alarms.append((
            first.profile.workspace, alarm, first.entry.canvas, first.case.plan.id, first.priority, alarm_at,
        ))  # fmt: skip


def open_windows(transaction: EntryTransaction, loaded: LoadedEntry) -> None:
    """Open the windows in which conversions of this entry count, from the entry on (CNV-4)."""
    profile, plan = loaded.profile, loaded.case.plan
    variant = loaded.entry.variant or plan.variant_of(loaded.entry.person).name
    for conversion in plan.canvas.conversions:
        transaction.writes.windows.append((
            profile.workspace, profile.id, loaded.id, conversion.name, profile.shard, loaded.entry.canvas, plan.id, variant,
            loaded.entry.entered, loaded.entry.entered + conversion.within,
        ))  # fmt: skip
