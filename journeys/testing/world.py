"""Virtual time: what happens to people and entries in a test, in the order of its instants.

Decisions, answers, renderings and outcomes are the engine's own; what the store does in SQL with their results is done
in memory here. A test of the project holds the two against each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import count, pairwise
from typing import Any
from uuid import UUID

from journeys.canvas.events_and_commands import (
    NOTHING,
    Entered,
    Happened,
    Kind,
    Note,
    Occurrence,
)
from journeys.canvas.problems import meant
from journeys.engine.audience.match import heard
from journeys.engine.core.changes import Change
from journeys.engine.core.drive import LATE_AFTER, Case
from journeys.engine.core.routing import Hears, OpenEntry, Window, brings_in, credited, decide
from journeys.engine.delivery.channel import Channel
from journeys.engine.delivery.claim import Claimed
from journeys.engine.entries.admission import Entrant, new_entry, open_windows
from journeys.engine.entries.answering import Wanted
from journeys.engine.entries.entry_transaction import EntryTransaction
from journeys.engine.entries.event_recording import NewEvent
from journeys.engine.entries.looking_back import several
from journeys.engine.people.carts import NAMES, cart_after
from journeys.engine.people.profiles import Profile
from journeys.engine.people.user_updates import MOST_HOPS, DerivedEvent
from journeys.engine.workspaces.published import Publication, Running
from journeys.testing.deliveries import Deliveries
from journeys.testing.gates import refused_by
from journeys.testing.memory import (
    NO_GRACE,
    Caught,
    Held,
    Memory,
    MemoryReading,
    Queued,
    StoredFact,
)
from journeys.testing.publication import identity
from journeys.testing.services import StubbedServices
from journeys.testing.timeline import Act, Timeline


class World:
    """One test's people, entries and messages."""

    def __init__(
        self,
        publication: Publication,
        starts: datetime,
        channels: Mapping[str, Channel],
        services: StubbedServices,
    ) -> None:
        self.publication = publication
        self.starts = starts
        self.timeline = Timeline(starts)
        self.memory = Memory()
        self._services = services
        self.reading = MemoryReading(self.memory)
        self.numbers: Iterator[int] = count(1)
        self.deliveries = Deliveries(self, channels, services)

    # What people do --------------------------------------------------------------------------------------------

    async def happens(
        self,
        profile: Profile,
        kind: Kind,
        name: str,
        properties: Mapping[str, Any],
        at: datetime | None = None,
        hops: int = 0,
    ) -> None:
        """Store something that a person did, and let it be heard. Before the start nobody hears it."""
        new = NewEvent(
            profile=profile, kind=kind, name=name, at=at or self.timeline.clock.now(), properties=properties
        )
        what = Occurrence(no=next(self.numbers), kind=kind, name=name, at=new.at, properties=dict(properties))
        compared = (
            None
            if kind == "message" and name == "sent"
            else self.publication.compared_values(profile, kind, name)
        )
        self.memory.events.setdefault(profile.id, []).append(replace(what, compared=compared or {}))
        self._cart(new)
        if self.timeline.clock.now() < self.starts:
            return
        if hops < MOST_HOPS:
            await self._route(profile, what, hops)
        else:
            told = {"event": f"message {name}" if kind == "message" else name}
            self.memory.facts.append(StoredFact(profile.id, None, None, "hops_exceeded", what.at, None, told))

    async def changed(self, profile: Profile, change: Change) -> None:
        """Something that changed of a person, and that a canvas listens to."""
        await self.happens(profile, change.kind, change.name, change.properties)

    def shares(self, profile: Profile, channel: str, state: str) -> list[tuple[Profile, Change]]:
        """Set a consent for all who share it. Returns what canvases listen to of that."""
        return [
            (each, change)
            for each, before in self.memory.share(profile.id, channel, state)
            for change in self.publication.watched.consented(channel, before, state)
        ]

    def _cart(self, new: NewEvent) -> None:
        cart = new.properties.get("cart_id")
        if new.kind != "event" or new.name not in NAMES or not isinstance(cart, str) or not cart:
            return
        carts, key = self._services.answers.carts, (new.profile.id, cart)
        before = carts.get(key)
        if before is None or new.at >= before[2]:
            carts[key] = cart_after(before, new)

    async def enters(self, profile: Profile, canvas: str, context: Mapping[str, Any], key: str) -> None:
        """Let a person into a canvas, as the API does."""
        running = self.publication.running[canvas]
        entrant = Entrant(
            profile=profile, admission_key=key, at=self.timeline.clock.now(), context=dict(context)
        )
        found = await self.admit(running, entrant)
        if isinstance(found, Held):
            await self.burst(found)

    async def engages(self, caught: Caught, name: str, properties: Mapping[str, Any]) -> None:
        """Something that a person does with a message: opens it, clicks, unsubscribes."""
        profile, mark = self.memory.people[caught.mark.person], caught.mark
        before = [
            each
            for each in self.memory.events.get(profile.id, ())
            if (each.kind, each.name) == ("message", name)
            and each.properties.get("dispatch") == mark.dispatch
        ]
        if name == "unsubscribed":
            if before and profile.consents.get(mark.channel) == "unsubscribed":
                return
            for each, change in self.shares(profile, mark.channel, "unsubscribed"):
                await self.changed(each, change)
        await self.happens(profile, "message", name, {**mark.properties, **properties})

    # Routing ---------------------------------------------------------------------------------------------------

    async def _route(self, profile: Profile, what: Occurrence, hops: int) -> None:
        """Conversions, late events, exits, waits, new entries, in this order; then bursts."""
        unsent = {one.claimed.entry for one in self.memory.queued}
        rows = [one for one in self.memory.of(profile.id) if not one.entry.ended or one.id in unsent]
        person = profile.as_person(self.publication.zone)
        self._convert(profile, what)
        self._late(profile, what)
        after, decided = decide([self._open(one) for one in rows], what, person)
        by_id = {one.entry.id: one for one in rows}
        hearing: dict[UUID, Held] = {}
        for each in decided:
            one = by_id[each.entry]
            if isinstance(each, Hears):
                hearing[one.id] = one
                one.loaded.hops = max(one.loaded.hops, hops)
                one.inbox.append((what.no, each.step, Happened(label=each.label, occurrence=what)))
                if several(one.plan):
                    place = (*one.loaded.place, one.entry.canvas, each.step, what.no)
                    self.memory.hearings.setdefault(place, one.id)
            else:
                for note in each.notes:
                    self.note(one, replace(note, data={**note.data, "event": what.name}))
        for one, left in zip(rows, after, strict=True):
            if left.leaves:
                self._leave(one, left)
        born = [await self.admit(*entering) for entering in self._entering(profile, what, hops)]
        heard_by = [one for one in hearing.values() if not one.entry.ended]
        await self.burst(*heard_by, *(one for one in born if isinstance(one, Held)))

    def _open(self, one: Held) -> OpenEntry:
        if not one.entry.ended:
            return OpenEntry(one.plan, one.entry)
        contexts = [each.claimed.context for each in self.memory.queued if each.claimed.entry == one.id]
        return OpenEntry(one.plan, one.entry, contexts)

    def _leave(self, one: Held, left: OpenEntry) -> None:
        if not left.at_once:
            if not one.entry.ended:
                leaving = one.entry.leaving or left.leaves
                one.loaded.case.entry = replace(one.entry, leaving=leaving)
            return
        if not one.entry.ended:
            one.loaded.case.entry = left.entry
        one.inbox.clear()
        one.alarm = None
        gone = [each for each in self.memory.queued if each.claimed.entry == one.id]
        self.memory.queued = [each for each in self.memory.queued if each.claimed.entry != one.id]
        for each in gone:
            self.note(one, Note(fact="withdrawn", at=left.entry.moved, step=each.claimed.step))

    def _convert(self, profile: Profile, what: Occurrence) -> None:
        windows = self.memory.windows.get(profile.id, [])
        windows.sort(key=lambda each: each.since, reverse=True)
        for window in credited(windows, what, profile.as_person(self.publication.zone)):
            windows[windows.index(window)] = replace(window, credited=True)
            one: Held = window.entry
            sent = [
                each for each in self.memory.facts_of(one.id) if each.fact == "sent" and each.at <= what.at
            ]
            revenue = what.properties.get(window.conversion.revenue) if window.conversion.revenue else None
            variant = one.entry.variant or one.plan.variant_of(one.entry.person).name
            data = {"name": window.conversion.name, "variant": variant}
            if revenue is not None:
                data["revenue"] = str(revenue)
            self.note(
                one, Note(fact="converted", at=what.at, step=sent[-1].step if sent else None, data=data)
            )

    def _late(self, profile: Profile, what: Occurrence) -> None:
        """A fact for each step that would have heard it, had it come before the step was left."""
        if what.at >= self.timeline.clock.now() or not self.publication.listens(what.kind, what.name):
            return
        person = profile.as_person(self.publication.zone)
        for one in self.memory.of(profile.id):
            stays = [each for each in self.memory.facts_of(one.id) if each.fact in ("reached", "ended")]
            for stay, left in pairwise(stays):
                if stay.fact != "reached" or stay.step is None or not stay.at <= what.at < left.at:
                    continue
                step, entry = one.plan.steps[stay.step], one.entry
                path = heard(step, what, person, NOTHING, canvas=entry.canvas, key=entry.key)
                if path is not None:
                    data = {"event": what.name, "path": path, "left": left.at.isoformat()}
                    self.note(one, Note(fact="late_event", at=what.at, step=stay.step, data=data))

    # Entries ---------------------------------------------------------------------------------------------------

    def _entering(self, profile: Profile, what: Occurrence, hops: int) -> list[tuple[Running, Entrant]]:
        person = profile.as_person(self.publication.zone)
        entrant = Entrant(
            profile=profile,
            admission_key=f"event:{what.no}",
            at=what.at,
            context=dict(what.properties),
            hops=hops,
            but=what.no,
        )
        return [
            (running, entrant)
            for running in self.publication.running.values()
            if brings_in(running.plan, what, person)
        ]

    async def admit(self, running: Running, entrant: Entrant, run: UUID | None = None) -> Held | str | None:
        """Let a person into a canvas, by a `run` where there is one.

        Returns the entry, before its first step; the gate that keeps them out; or None: they came by this before.
        """
        profile, earlier = entrant.profile, self.memory.of(entrant.profile.id)
        mine = [one for one in earlier if one.entry.canvas == running.name]
        if any(one.admission_key == entrant.admission_key for one in mine):
            return None
        now = self.timeline.clock.now()
        reason = await refused_by(self.publication, self.memory, self.reading, running, entrant, now, run)
        if reason is not None:
            self.memory.facts.append(
                StoredFact(profile.id, None, running.name, "refused", entrant.at, None, {"reason": reason})
            )
            return reason
        number = sum(1 for one in mine) + 1
        loaded = new_entry(
            self.publication,
            running,
            self.timeline.clock,
            entrant,
            0,
            identity("entry", profile.id, running.name, number),
        )
        held = Held(loaded, entrant.admission_key)
        self.memory.entries.append(held)
        transaction = EntryTransaction(self.reading, self.timeline.clock.now())
        open_windows(transaction, loaded)
        conversions = {each.name: each for each in running.plan.canvas.conversions}
        for _, person, _, name, _, canvas, _, _, since, until in transaction.writes.windows:
            window = Window(held, canvas, conversions[name], since, until, key=loaded.entry.key)
            self.memory.windows.setdefault(person, []).append(window)
        return held

    async def burst(self, *several_: Held) -> None:
        """Let entries hear what they have not heard."""
        for one in several_:
            if one.entry.ended:
                continue
            loaded, entry = one.loaded, one.entry
            unheard = [event for _, step, event in one.inbox if step == entry.step]
            loaded.case = Case(
                one.plan,
                entry,
                [Entered()] if entry.variant is None else unheard,
                clock=self.timeline.clock.now(),
                grace=NO_GRACE,
                late_after=LATE_AFTER,
            )
            transaction = EntryTransaction(self.reading, self.timeline.clock.now())
            await transaction.drive([loaded])
            loaded.admission_key = None
            transaction.settle([loaded])
            if loaded.case.moved_on:
                now = one.entry
                one.inbox = [
                    each
                    for each in one.inbox
                    if each[1] == now.step and not now.ended and each[0] > now.heard
                ]
            self._keep(one, transaction)
            one.alarm = None if one.entry.ended else loaded.case.alarm()
            if one.alarm is not None:
                self.timeline.plan(one.alarm, self._ringing(one, one.alarm))

    def _ringing(self, one: Held, at: datetime) -> Act:
        async def ring() -> None:
            if one.alarm == at:
                await self.burst(one)

        return ring

    def _keep(self, one: Held, transaction: EntryTransaction) -> None:
        """Keep what a burst wrote, and plan what follows from it."""
        now, writes = self.timeline.clock.now(), transaction.writes
        for _, person, _, fact, at, canvas, entry, step, _, data in writes.facts:
            self.memory.facts.append(StoredFact(person, entry, canvas, fact, at, step, data))
        for *place, entry in writes.hearings:
            self.memory.hearings.setdefault(tuple(place), entry)
        for said in transaction.consents:
            for profile, change in self.shares(self.memory.people[said.person], said.channel, said.state):
                told = DerivedEvent.of(said.workspace, profile.id, said.key, change, said.at, said.hops + 1)
                transaction.derived_events.append(told)
        for subscribing in transaction.subscriptions:
            self.memory.subscribe(*subscribing[1:5])
        for row in writes.dispatches:
            (
                workspace,
                person,
                key,
                _,
                entry,
                canvas,
                plan,
                step,
                variant,
                channel,
                at,
                context,
                said,
                held,
                urgent,
                _,
            ) = row
            claimed = Claimed(
                workspace, person, key, entry, canvas, plan, step, variant, at, context, said, held, 0, 0, entry, doubtful=False,
                priority=urgent, no=next(self.numbers),
            )  # fmt: skip
            self.memory.queued.append(Queued(claimed, channel, now))
            self.timeline.plan(now, self.deliveries.deliver)
        for workspace, person, entry, step, _, _ in writes.fetches:
            self.timeline.plan(now, self.deliveries.fetching(one, Wanted(workspace, person, entry, step, 0)))
        for event in sorted(transaction.derived_events, key=lambda each: each.at):
            self.timeline.plan(now, self._deriving(event))

    def note(self, one: Held, note: Note) -> None:
        """Keep a fact of an entry."""
        person = one.loaded.profile.id
        self.memory.facts.append(
            StoredFact(person, one.id, one.entry.canvas, note.fact, note.at, note.step, dict(note.data))
        )

    def _deriving(self, event: Any) -> Act:
        async def derive() -> None:
            profile = self.memory.people[event.person]
            await self.happens(profile, event.kind, event.name, event.properties, event.at, event.hops)

        return derive

    def canvas(self, name: str | None) -> str:
        """The canvas of this name, or the first. Raises LookupError."""
        running = self.publication.running
        if name is not None and name not in running:
            raise LookupError(f"there is no canvas “{name}” in this trial ({meant(name, running)})")
        return name or next(iter(running))

    def sent(self, person: UUID, canvases: Sequence[str], step: str) -> list[Caught]:
        """The messages of a step that a person was sent, in order."""
        return [
            each
            for each in self.memory.caught
            if each.mark.person == person and each.mark.step == step and each.mark.canvas in canvases
        ]
