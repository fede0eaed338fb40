"""The world of one database transaction: answers what the machine asks, and collects what it says.

The burst, the admission and the page of a batch are the same small loop around the driver; they differ in where
their entries come from. Nothing here touches a network, and nothing is written before the machine has come to rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from journeys.canvas.events_and_commands import (
    NOTHING,
    Ask,
    BestTime,
    BestTimeAnswer,
    Entry,
    Fetch,
    Happened,
    LookBack,
    Matches,
    Note,
    Question,
    Render,
    Send,
    Update,
    Zones,
    ZonesAnswer,
)
from journeys.engine.audience.match import Person, heard, matches, needs
from journeys.engine.content import Aborted, RenderError, TemplateError
from journeys.engine.core.best_time import LEARNS_FROM, learn
from journeys.engine.core.drive import Answers, Case, Round, drive
from journeys.engine.people.profiles import History, Profile, history
from journeys.engine.people.user_updates import Echo, updated
from journeys.engine.store.entry_writes import FETCHES, Page
from journeys.engine.workspaces.liquid_values import rendered
from journeys.engine.workspaces.published import Publication

LEARNT_OVER = timedelta(days=90)
"""How far back sessions, opens and clicks count for the best time."""


@dataclass(slots=True)
class Live:
    """One entry in this transaction: its case for the driver, and what the store knows beside it."""

    case: Case
    publication: Publication
    profile: Profile
    id: UUID
    priority: int = 1
    hops: int = 0
    key: str | None = None
    """Set for an entry that is born in this transaction."""
    before: Entry | None = None
    told_too: bool = True

    @property
    def entry(self) -> Entry:
        """The entry as it stands now."""
        return self.case.entry

    @property
    def place(self) -> tuple[int, UUID]:
        """Whose it is."""
        return self.profile.workspace, self.profile.id


@dataclass(slots=True)
class World:
    """One transaction. `drive` takes entries as far as they get; `write` writes what they said."""

    connection: Any
    clock: datetime
    page: Page = field(default_factory=Page)
    changed: dict[tuple[int, UUID], Profile] = field(default_factory=dict)
    echoes: list[Echo] = field(default_factory=list)
    channels: set[str] = field(default_factory=set)
    _lives: dict[str, Live] = field(default_factory=dict)

    async def drive(self, lives: Iterable[Live]) -> None:
        """Let these entries hear what they have not heard, and carry out what the machine says."""
        self._lives = {live.entry.id: live for live in lives}
        course = drive([live.case for live in self._lives.values()])
        answers: Answers | None = None
        while True:
            try:
                said = course.send(answers)
            except StopIteration:
                return
            answers = await self._carry_out(said)

    async def _carry_out(self, said: Round) -> Answers:
        asked: list[tuple[Live, Question]] = []
        for case, commands in said:
            live = self._lives[case.entry.id]
            for command in commands:
                match command:
                    case Ask(question=question):
                        asked.append((live, question))
                    case Send():
                        self._send(live, command)
                    case Fetch():
                        self._fetch(live, command)
                    case Note():
                        self._note(live, command)
                    case Update():
                        self._update(live, command)
        return await self._answers(asked) if asked else {}

    # What it says ----------------------------------------------------------------------------------------------

    def _send(self, live: Live, send: Send) -> None:
        step: Any = live.case.plan.steps[send.step]
        self.channels.add(step.channel)
        profile, entry = live.profile, live.entry
        self.page.dispatches.append((
            profile.workspace, profile.id, send.key, profile.shard, live.id, entry.canvas, live.case.plan.id, send.step,
            entry.variant, step.channel, send.at, dict(send.context), dict(send.properties), step.held, live.priority,
        ))  # fmt: skip

    def _fetch(self, live: Live, fetch: Fetch) -> None:
        profile = live.profile
        self.channels.add(FETCHES)
        self.page.fetches.append(
            (profile.workspace, profile.id, live.id, fetch.step, fetch.at, live.priority)
        )

    def _note(self, live: Live, note: Note) -> None:
        self.fact(live, note.fact, note.at, note.step, note.data)

    def fact(self, live: Live, fact: str, at: datetime, step: str | None, data: Mapping[str, Any]) -> None:
        """Remember something of an entry."""
        profile = live.profile
        self.page.facts.append((
            profile.workspace, profile.id, profile.shard, fact, at, live.entry.canvas, live.id, step, None, dict(data),
        ))  # fmt: skip

    def _update(self, live: Live, update: Update) -> None:
        """Write attributes and log events; what cannot be rendered writes nothing (UPD-8)."""
        step: Any = live.case.plan.steps[update.step]
        try:
            values = self._values(live, update.step, update.context, update.at)
            attributes, echoes = updated(live.profile, step, update, values, live.hops)
        except (Aborted, RenderError, TemplateError) as error:
            self.fact(live, "update_failed", update.at, update.step, {"reason": str(error)})
            return
        if attributes != live.profile.attributes:
            live.profile.attributes = attributes
            self.changed[live.place] = live.profile
        self.echoes.extend(echoes)

    # What it is asked ------------------------------------------------------------------------------------------

    async def _answers(self, asked: Sequence[tuple[Live, Question]]) -> Answers:
        histories = await self._histories(asked)
        answers: dict[str, object] = {}
        for live, question in asked:
            person = self._person(live, histories)
            match question:
                case Zones():
                    answers[live.entry.id] = ZonesAnswer(live.publication.zone, person.zone)
                case Matches(filters=filters):
                    answers[live.entry.id] = self._first(live, person, filters)
                case BestTime(channel=channel):
                    answers[live.entry.id] = BestTimeAnswer(person.zone, learn(person, channel))
                case Render(variables=variables):
                    answers[live.entry.id] = self._rendered(live, variables)
                case LookBack(since=since):
                    answers[live.entry.id] = self._heard(live, person, since)
        return answers

    def _first(self, live: Live, person: Person, filters: Sequence[Any]) -> int | None:
        for place, each in enumerate(filters):
            if matches(
                each,
                person,
                now=live.entry.moved,
                context=live.entry.context,
                segments=live.publication.segments,
                canvas=live.entry.canvas,
            ):
                return place
        return None

    def _heard(self, live: Live, person: Person, since: datetime) -> tuple[Happened, ...]:
        step = live.case.plan.steps[live.entry.step or ""]
        found = []
        for occurrence in sorted(
            (each for many in person.history.values() for each in many), key=lambda each: each.no
        ):
            if occurrence.at < since:
                continue
            label = heard(step, occurrence, person, live.entry.context, canvas=live.entry.canvas)
            if label is not None:
                found.append(Happened(label=label, occurrence=occurrence))
        return tuple(found)

    async def _histories(self, asked: Sequence[tuple[Live, Question]]) -> dict[tuple[int, UUID], History]:
        """What the people of these questions did, in one query a workspace, and none where nobody must know it."""
        wanted: dict[int, tuple[list[Any], set[UUID]]] = {}
        for live, question in asked:
            looks: Sequence[Any]
            match question:
                case Matches(filters=filters):
                    looks = filters
                case LookBack():
                    looks = [trigger for _, trigger in live.case.plan.steps[live.entry.step or ""].triggers()]
                case BestTime():
                    looks = LEARNS_FROM
                case _:
                    continue
            if needs(looks, live.publication.segments).history:
                workspace = wanted.setdefault(live.profile.workspace, ([], set()))
                workspace[0].extend(looks)
                workspace[1].add(live.profile.id)
        found: dict[tuple[int, UUID], History] = {}
        for workspace_id, (all_looks, people) in wanted.items():
            publication = next(
                live.publication for live, _ in asked if live.profile.workspace == workspace_id
            )
            wide = needs(all_looks, publication.segments)
            for person, past in (
                await history(self.connection, workspace_id, people, wide, self.clock)
            ).items():
                found[workspace_id, person] = past
        return found

    def _person(self, live: Live, histories: Mapping[tuple[int, UUID], History]) -> Person:
        return live.profile.as_person(live.publication.zone, histories.get(live.place))

    def _rendered(self, live: Live, variables: Sequence[tuple[str, str, str]]) -> Mapping[str, Any]:
        entry = live.entry
        found = rendered(variables, self._values(live, entry.step, entry.context, entry.moved))
        for name, reason in found.missing.items():
            self.fact(live, "not_updated", entry.moved, entry.step, {"name": name, "reason": reason})
        return found.values

    def _values(self, live: Live, step: str | None, context: Mapping[str, Any], now: datetime) -> Any:
        return live.publication.values(
            live.profile, live.case.plan, step, live.entry.variant, context, NOTHING, now
        )

    # The end of the transaction --------------------------------------------------------------------------------

    def settle(self, lives: Iterable[Live]) -> None:
        """Put the states of these entries on the page, where they changed."""
        for live in lives:
            if live.key is not None:
                self.page.births.append(self._state(live) + self._birth(live))
            elif live.case.moved_on:
                self.page.states.append(self._state(live))

    def _state(self, live: Live) -> tuple[Any, ...]:
        entry, profile = live.entry, live.profile
        return (
            profile.workspace, profile.id, live.id, live.told_too, entry.moved, entry.variant, entry.step, entry.begun,
            entry.wake_at, live.case.alarm(), entry.phase, entry.leaving, entry.ended,
            entry.moved if entry.ended else None, dict(entry.context), dict(entry.properties), entry.heard, live.hops,
        )  # fmt: skip

    def _birth(self, live: Live) -> tuple[Any, ...]:
        answered = 1 if live.case.moved_on else 0
        return (
            live.profile.shard, live.entry.canvas, live.case.plan.id, live.key, live.priority, live.entry.entered,
            answered,
        )  # fmt: skip
