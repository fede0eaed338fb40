"""One database transaction around the driver: answers the questions of the machine, and collects its commands.

The burst, the admission and the page of a batch are the same small loop around the driver; they differ in where
their entries come from. Nothing here touches a network, and nothing is written before the machine has stopped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from journeys.canvas.events_and_commands import (
    NOTHING,
    Ask,
    BestTime,
    BestTimeAnswer,
    Entry,
    Fetch,
    LookBack,
    Matches,
    Note,
    OthersWait,
    Question,
    Render,
    Send,
    Update,
    Zones,
    ZonesAnswer,
)
from journeys.canvas.never_matching import GROUPS
from journeys.canvas.plan import Plan
from journeys.engine.audience.consents_asked import asks_consents
from journeys.engine.audience.match import Needs, Past, Person, Said, matches, named, needs
from journeys.engine.content import Aborted, RenderError, TemplateError
from journeys.engine.core.best_time import LEARNS, learn
from journeys.engine.core.changes import Watched
from journeys.engine.core.drive import Answers, Case, Round, drive
from journeys.engine.entries.looking_back import Hearings, missed, several
from journeys.engine.entries.others_waiting import others_wait
from journeys.engine.entries.reading import Reading
from journeys.engine.people.profiles import History, Profile
from journeys.engine.people.subscriptions import Subscribing, subscribing
from journeys.engine.people.user_updates import DerivedEvent, SaidConsent, store_updates, update_profile
from journeys.engine.store.entry_writes import FETCHES, EntryWrites
from journeys.engine.workspaces.liquid_values import rendered
from journeys.engine.workspaces.published import Publication


@dataclass(slots=True)
class LoadedEntry:
    """One entry in this transaction: its case for the driver, and what the store knows beside it."""

    case: Case
    publication: Publication
    profile: Profile
    id: UUID
    priority: int = 1
    hops: int = 0
    admission_key: str | None = None
    """Set for an entry that is created in this transaction."""
    alarm: UUID | None = None
    """Of such an entry: the alarm that it shares with others; None: it is its own."""
    before: Entry | None = None
    told_too: bool = True
    parked: bool = False
    """Whether its canvas is stopped or paused: then it is not driven."""
    leaves_unsent: bool = False
    """Whether it has left by an event that was judged late: what it has not sent is withdrawn."""
    beside: bool = True
    """Whether the person may have another entry of the canvas that has not ended."""

    @property
    def entry(self) -> Entry:
        """The entry as it stands now."""
        return self.case.entry

    @property
    def plan(self) -> Plan:
        """The plan that it goes by."""
        return self.case.plan

    @property
    def place(self) -> tuple[int, UUID]:
        """The person."""
        return self.profile.workspace, self.profile.id


@dataclass(slots=True)
class EntryTransaction:
    """One transaction. `drive` takes entries as far as they get; `write` writes what they said."""

    reading: Reading
    clock: datetime
    writes: EntryWrites = field(default_factory=EntryWrites)
    changed: dict[tuple[int, UUID], Profile] = field(default_factory=dict)
    consents: list[SaidConsent] = field(default_factory=list)
    subscriptions: list[Subscribing] = field(default_factory=list)
    derived_events: list[DerivedEvent] = field(default_factory=list)
    channels: set[tuple[str, int]] = field(default_factory=set)
    _hearings: Hearings = field(default_factory=Hearings)
    _loaded: dict[str, LoadedEntry] = field(default_factory=dict)
    _watched: dict[int, Watched] = field(default_factory=dict)

    async def drive(self, loaded_entries: Iterable[LoadedEntry]) -> None:
        """Let these entries hear what they have not heard, and carry out what the machine says."""
        self._loaded = {loaded.entry.id: loaded for loaded in loaded_entries}
        course = drive([loaded.case for loaded in self._loaded.values()])
        answers: Answers | None = None
        while True:
            try:
                said = course.send(answers)
            except StopIteration:
                return
            answers = await self._carry_out(said)

    async def _carry_out(self, said: Round) -> Answers:
        asked: list[tuple[LoadedEntry, Question]] = []
        for case, commands in said:
            loaded = self._loaded[case.entry.id]
            for command in commands:
                match command:
                    case Ask(question=question):
                        asked.append((loaded, question))
                    case Send():
                        self._send(loaded, command)
                    case Fetch():
                        self._fetch(loaded, command)
                    case Note():
                        self._note(loaded, command)
                    case Update():
                        self._update(loaded, command)
        return await self._answers(asked) if asked else {}

    # What it says ----------------------------------------------------------------------------------------------

    def _send(self, loaded: LoadedEntry, send: Send) -> None:
        step: Any = loaded.case.plan.steps[send.step]
        self.channels.add((step.channel, loaded.profile.workspace))
        profile, entry = loaded.profile, loaded.entry
        self.writes.dispatches.append((
            profile.workspace, profile.id, send.key, profile.shard, loaded.id, entry.canvas, loaded.case.plan.id, send.step,
            entry.variant, step.channel, send.at, dict(send.context), dict(send.properties), step.held, loaded.priority,
            loaded.case.change,
        ))  # fmt: skip

    def _fetch(self, loaded: LoadedEntry, fetch: Fetch) -> None:
        profile = loaded.profile
        self.channels.add((FETCHES, profile.workspace))
        self.writes.fetches.append(
            (profile.workspace, profile.id, loaded.id, fetch.step, fetch.at, loaded.priority)
        )

    def _note(self, loaded: LoadedEntry, note: Note) -> None:
        self.fact(loaded, note.fact, note.at, note.step, note.data)

    def fact(
        self, loaded: LoadedEntry, fact: str, at: datetime, step: str | None, data: Mapping[str, Any]
    ) -> None:
        """Remember something of an entry."""
        profile = loaded.profile
        self.writes.facts.append((
            profile.workspace, profile.id, profile.shard, fact, at, loaded.entry.canvas, loaded.id, step, None, dict(data),
        ))  # fmt: skip

    def _update(self, loaded: LoadedEntry, update: Update) -> None:
        """Write attributes and log events; what cannot be rendered writes nothing (UPD-8)."""
        step: Any = loaded.case.plan.steps[update.step]
        try:
            values = self._values(loaded, update.step, update.context, update.at)
            watched = loaded.publication.watched
            result = update_profile(loaded.profile, step, update, values, loaded.hops, watched)
        except (Aborted, RenderError, TemplateError) as error:
            self.fact(loaded, "update_failed", update.at, update.step, {"reason": str(error)})
            return
        if result.changed:  # UPD-2
            self.changed[loaded.place] = loaded.profile
        self._watched[loaded.profile.workspace] = watched
        self.consents += [
            SaidConsent(*loaded.place, channel, state, update.at, update.key, loaded.hops)
            for channel, state in result.consents.items()
        ]
        said, unknown = subscribing(loaded.publication.groups, *loaded.place, result.subscriptions, update.at)
        self.subscriptions += said
        for name, reason in [*result.refused, *((GROUPS, each) for each in unknown)]:
            self.fact(loaded, "not_updated", update.at, update.step, {"name": name, "reason": reason})
        self.derived_events.extend(result.events)

    # What it is asked ------------------------------------------------------------------------------------------

    async def _answers(self, asked: Sequence[tuple[LoadedEntry, Question]]) -> Answers:
        histories = await self._histories(asked)
        await self._read_consents(asked)
        answers: dict[str, object] = {}
        for loaded, question in asked:
            person = self._person(loaded, histories)
            match question:
                case Zones():
                    answers[loaded.entry.id] = ZonesAnswer(loaded.publication.zone, person.zone)
                case Matches(filters=filters):
                    answers[loaded.entry.id] = self._first(loaded, person, filters)
                case BestTime(channel=channel):
                    answers[loaded.entry.id] = BestTimeAnswer(person.zone, learn(person, channel))
                case Render(variables=variables):
                    answers[loaded.entry.id] = self._rendered(loaded, variables)
                case LookBack():
                    answers[loaded.entry.id] = tuple(missed(loaded.case.plan, loaded.entry, person))
        meeting = [(loaded, question) for loaded, question in asked if isinstance(question, OthersWait)]
        waiting = await others_wait(self.reading, meeting, self._loaded.values())
        return {**answers, **waiting, **await self._heard(asked, answers)}

    def _first(self, loaded: LoadedEntry, person: Person, filters: Sequence[Any]) -> int | None:
        for place, each in enumerate(filters):
            if matches(
                each,
                person,
                now=loaded.entry.moved,  # DEC-1
                context=loaded.entry.context,  # AUP-1
                segments=loaded.publication.segments,
                canvas=loaded.entry.canvas,
                key=loaded.entry.key,
                entry=loaded.entry.id,
            ):
                return place  # AUP-2
        return None

    async def _heard(
        self, asked: Sequence[tuple[LoadedEntry, Question]], answers: Mapping[str, Any]
    ) -> Mapping[str, object]:
        """What was missed by entries that are perhaps not alone at their step: one of them hears it (ACT-9)."""
        looking = [
            (loaded, answers[loaded.entry.id])
            for loaded, question in asked
            if isinstance(question, LookBack) and several(loaded.case.plan)
        ]
        return await self._hearings.answers(self.reading, looking)

    async def _histories(
        self, asked: Sequence[tuple[LoadedEntry, Question]]
    ) -> dict[tuple[int, UUID], History]:
        """What the people of these questions did, in one query a workspace, and none if it is not needed.

        One entry of a person moves at a time, so that there is one question about each.
        """
        wanted: dict[int, dict[UUID, tuple[Needs, datetime]]] = {}
        for loaded, question in asked:
            needed = _needed(loaded, question)
            if needed is not None:
                wanted.setdefault(loaded.profile.workspace, {})[loaded.profile.id] = needed
        return {
            (workspace, person): past
            for workspace, people in wanted.items()
            for person, past in (await self.reading.history(workspace, people)).items()
        }

    async def _read_consents(self, asked: Sequence[tuple[LoadedEntry, Question]]) -> None:
        """Give the profiles of these questions their consents, where a filter looks at them; those of this transaction too."""
        wanted: dict[int, dict[UUID, Profile]] = {}
        for loaded, question in asked:
            if isinstance(question, Matches) and asks_consents(question.filters, loaded.publication.segments):
                wanted.setdefault(loaded.profile.workspace, {})[loaded.profile.id] = loaded.profile
        for workspace, profiles in wanted.items():
            await self.reading.consents(workspace, profiles.values())
            for said in self.consents:
                if said.workspace == workspace and said.person in profiles:
                    profile = profiles[said.person]
                    profile.consents = {**profile.consents, said.channel: said.state}  # UPD-2
            for one in self.subscriptions:
                if one.workspace == workspace and one.person in profiles:
                    profile = profiles[one.person]
                    profile.subscriptions = {**profile.subscriptions, one.name: Said(one.channel, one.state)}

    def _person(self, loaded: LoadedEntry, histories: Mapping[tuple[int, UUID], History]) -> Person:
        return loaded.profile.as_person(loaded.publication.zone, histories.get(loaded.place))

    def _rendered(self, loaded: LoadedEntry, variables: Sequence[tuple[str, str, str]]) -> Mapping[str, Any]:
        entry = loaded.entry
        found = rendered(variables, self._values(loaded, entry.step, entry.context, entry.moved))
        for name, reason in found.missing.items():
            self.fact(loaded, "not_updated", entry.moved, entry.step, {"name": name, "reason": reason})
        return found.values

    def _values(
        self, loaded: LoadedEntry, step: str | None, context: Mapping[str, Any], now: datetime
    ) -> Any:
        return loaded.publication.values(
            loaded.profile, loaded.case.plan, step, loaded.entry.variant, context, NOTHING, now
        )

    # The end of the transaction --------------------------------------------------------------------------------

    async def store_updates(self, connection: Any) -> None:
        """Write the profiles, the consents and the events to come of the updates; the people are locked."""
        said = self.consents, self.subscriptions
        await store_updates(connection, self.changed.values(), *said, self.derived_events, self._watched)

    def settle(self, loaded_entries: Iterable[LoadedEntry]) -> None:
        """Put the states of these entries on the page, where they changed."""
        for loaded in loaded_entries:
            if loaded.admission_key is not None:
                self.writes.new_entries.append(self._state(loaded) + self._new_entry(loaded))
            elif loaded.case.moved_on:
                self.writes.states.append(self._state(loaded))
        self.writes.hearings += [(*place, entry) for place, entry in self._hearings.new.items()]

    def _state(self, loaded: LoadedEntry) -> tuple[Any, ...]:
        entry, profile = loaded.entry, loaded.profile
        return (
            profile.workspace, profile.id, loaded.id, loaded.told_too, entry.moved, entry.variant, entry.step, entry.begun,
            entry.wake_at, loaded.case.alarm(), entry.phase, entry.leaving, entry.ended,
            entry.moved if entry.ended else None, dict(entry.context), dict(entry.properties), entry.heard,
            loaded.case.change, loaded.hops,
        )  # fmt: skip

    def _new_entry(self, loaded: LoadedEntry) -> tuple[Any, ...]:
        answered = 1 if loaded.case.moved_on else 0
        return (
            loaded.profile.shard, loaded.entry.canvas, loaded.case.plan.id, loaded.admission_key, loaded.priority,
            loaded.entry.entered, answered, loaded.entry.key, loaded.alarm or loaded.id,
        )  # fmt: skip


def _needed(loaded: LoadedEntry, question: Question) -> tuple[Needs, datetime] | None:
    """What must be known of the person for a question, up to which instant."""
    entry = loaded.entry
    match question:
        case Matches(filters=filters):
            return needs(filters, loaded.publication.segments), entry.moved
        case BestTime():
            return LEARNS, entry.moved
        case LookBack(since=since):
            until = entry.wake_at or loaded.case.clock
            past = Past(until - since)
            triggers = loaded.case.plan.steps[entry.step or ""].triggers()
            return Needs({named(trigger): past for _, trigger in triggers}), until
    return None
