"""What is to become of the entries of a dump: what the simulator says, given what is recorded of the people."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from journeys.canvas.events_and_commands import (
    BestTime,
    BestTimeAnswer,
    Entry,
    Matches,
    Note,
    Occurrence,
    Question,
    Send,
    Update,
)
from journeys.canvas.plan import Plan
from journeys.canvas.steps import Message
from journeys.canvas.steps.user_update import Increment
from journeys.engine.audience.match import Person, matches
from journeys.engine.core.best_time import learn
from journeys.engine.core.simulate import Probabilities, Scenario, run
from journeys.engine.store import Database
from journeys.engine.workspaces.published import Publication
from tests.dumps.moving import refuses
from tests.dumps.restored import unpacked
from tests.stage import Stage

MACHINE = ("entered", "reached", "took", "waits", "ended")
"""The facts that the machine says; the simulator says them, too."""

Happening = tuple[datetime, str, str, Mapping[str, Any]]
"""When somebody does something, of which kind, by which name, with which properties."""

Said = tuple[str, str | None, datetime, Mapping[str, Any]]
"""A fact, its step, its instant, and what it says beside them."""


class Recorded(Scenario):
    """Answers as the world did: by what a person had done until then, what was recorded, and who refuses a message."""

    def __init__(self, entry: Mapping[str, Any], publication: Publication, email: str | None) -> None:
        super().__init__(
            company=publication.zone,
            segments=publication.segments,
            values=entry["answers"],
            probabilities=Probabilities(happens=0),
        )
        self.email = email

    def draw(self, *names: str) -> float:
        """See base class."""
        return float(names[-1] == "sent" and refuses(self.email, names[-2]))

    def answer(self, plan: Plan, entry: Entry, question: Question, person: Person | None) -> object:
        """See base class."""
        assert person is not None
        match question:
            case BestTime(channel=channel):
                return BestTimeAnswer(person.zone, learn(until(person, entry.moved), channel))
            case Matches(filters=filters):
                then = until(person, entry.moved)
                given = {"now": entry.moved, "context": entry.context, "segments": self.segments}
                found = (matches(each, then, canvas=entry.canvas, **given) for each in filters)
                return next((place for place, answer in enumerate(found) if answer), None)
        return super().answer(plan, entry, question, person)


def until(person: Person, at: datetime) -> Person:
    """The person as they were known at this instant."""
    past = {name: [each for each in many if each.at <= at] for name, many in person.history.items()}
    return replace(person, history=past)


@dataclass
class Expected:
    """What is to become of one entry."""

    facts: list[Said] = field(default_factory=list)
    sends: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By key: the subject, and what comes of it."""
    conversions: dict[str, tuple[datetime, str | None]] = field(default_factory=dict)


@dataclass
class Somebody:
    """A person of the dump, and what the simulator says of their entries."""

    told: Mapping[str, Any]
    attributes: dict[str, Any] = field(default_factory=dict)
    entries: dict[UUID, Expected] = field(default_factory=dict)

    @property
    def id(self) -> UUID:
        return UUID(self.told["id"])

    @property
    def does(self) -> list[Happening]:
        return [(datetime.fromisoformat(at), *what) for at, *what in self.told["does"]]

    def simulate(self, plans: Mapping[UUID, Plan], publication: Publication) -> None:
        """Take each entry through its plan. What steps log is heard by all of them, so it is done until nothing is new."""
        logged: list[Happening] = []
        while True:
            before, logged = logged, []
            self.attributes = dict(self.told["attributes"])
            happens = sorted(self.does + before, key=lambda each: each[0])
            for entry in self.told["entries"]:
                identity = UUID(entry["id"])
                self.entries[identity] = self._run(entry, plans[identity], publication, happens, logged)
            if logged == before:
                return

    def _run(
        self,
        entry: Mapping[str, Any],
        plan: Plan,
        publication: Publication,
        happens: Sequence[Happening],
        logged: list[Happening],
    ) -> Expected:
        entered = datetime.fromisoformat(entry["entered"])
        person = self.person(publication.zone, happens)
        script = [
            (at - entered, name, said)
            for at, kind, name, said in happens
            if kind == "event" and at >= entered
        ]
        world = Recorded(entry, publication, self.told["email"])
        expected = Expected(conversions=converted(plan, entered, happens))
        course = run(plan, person.id, entered, world, profile=person, script=script, context=entry["context"])
        for at, _, command in course:
            match command:
                case Note(fact=fact, step=step, data=data) if fact in MACHINE:
                    expected.facts.append((fact, step, at, data))
                case Send(step=step):
                    expected.sends[f"{entry['id']}/{step}"] = (
                        self.subject(command),
                        self.outcome(plan, command, person),
                    )
                case Update(step=step):
                    logged += self.update(plan.steps[step], command.at)
        return expected

    def person(self, company: str, happens: Sequence[Happening]) -> Person:
        """As filters see them at the entry; what updates change, the simulator changes of its own."""
        history: dict[tuple[str, str], list[Occurrence]] = {}
        for no, (at, kind, name, said) in enumerate(happens):
            occurrence = Occurrence(no=no, kind=kind, name=name, at=at, properties=said)  # type: ignore[arg-type]
            history.setdefault((kind, name), []).append(occurrence)
        standard = {name: self.told[name] for name in ("email", "language", "country")}
        zone = self.told["zone"] or company
        return Person(self.told["id"], zone, self.told["bucket"], standard, dict(self.attributes), history)

    def update(self, step: Any, at: datetime) -> list[Happening]:
        """Set what a step sets; gives back what it logs."""
        for name, change in step.attributes.items():
            more = isinstance(change, Increment)
            self.attributes[name] = self.attributes.get(name, 0) + change.increment if more else change
        return [(at, "event", event.name, event.properties) for event in step.events]

    def subject(self, send: Send) -> str:
        """What the template makes of what the message carries, worked out by hand."""
        name = self.told["first_name"] or "reader"
        return f"{send.step} | {send.context.get('shoe', '-')} | {send.properties.get('colour', '-')} | Good day, {name}!"

    def outcome(self, plan: Plan, send: Send, person: Person) -> str:
        """What comes of a message."""
        message = plan.steps[send.step]
        assert isinstance(message, Message)
        if self.told["email"] is None or self.told["unsubscribed"]:
            return "unreachable"
        if message.only_when is not None and not matches(message.only_when, person, now=send.at):
            return "invalid"
        return "failed" if refuses(self.told["email"], send.step) else "sent"


def converted(
    plan: Plan, entered: datetime, happens: Sequence[Happening]
) -> dict[str, tuple[datetime, str | None]]:
    """By its name, when a conversion is credited and what it brought: to the first such event of its window."""
    found = {}
    for one in plan.canvas.conversions:
        for at, kind, name, said in happens:
            if (kind, name) == ("event", one.event) and entered <= at < entered + one.within:
                found[one.name] = at, str(said[one.revenue]) if one.revenue else None
                break
    return found


@dataclass
class Expectations:
    """What is to become of all that is in a dump."""

    at: datetime
    """The instant of the dump."""
    people: list[Somebody]
    replies: Mapping[str, Any]
    """What is answered to the canvas that asks others, by path."""

    @property
    def entries(self) -> dict[UUID, Expected]:
        return {identity: wanted for one in self.people for identity, wanted in one.entries.items()}


async def expectations(stage: Stage, version: str) -> Expectations:
    """What the simulator says, by the plans that the store has kept for the entries."""
    told = json.loads(unpacked(version, "json"))
    rows = await stage.db.pool.fetch("select id, plan from entries")
    plans = {row["id"]: await stage.published.plan(stage.workspace, row["plan"]) for row in rows}
    publication = await stage.published.of(stage.workspace)
    people = [Somebody(one) for one in told["people"]]
    for one in people:
        one.simulate(plans, publication)
    return Expectations(datetime.fromisoformat(told["at"]), people, told["replies"])


def instant(version: str) -> datetime:
    """The instant of the dump."""
    return datetime.fromisoformat(json.loads(unpacked(version, "json"))["at"])


async def facts_of(db: Database, *facts: str) -> dict[UUID, list[Said]]:
    """What is said of each entry, in order."""
    found: dict[UUID, list[Said]] = {}
    query = "select entry, fact, step, at, data from facts where fact = any($1::text[]) order by no"
    for row in await db.pool.fetch(query, list(facts)):
        found.setdefault(row["entry"], []).append((row["fact"], row["step"], row["at"], row["data"]))
    return found


def alike(said: Sequence[Said], wanted: Sequence[Said]) -> bool:
    """Whether these are the facts that are expected; each may say more, as which event an exit goes back to."""
    return len(said) == len(wanted) and all(
        one[:3] == two[:3] and one[3].items() >= two[3].items() for one, two in zip(said, wanted, strict=True)
    )


def lines(facts: Sequence[Said]) -> list[str]:
    """Facts to be read."""
    return [f"{at:%m-%d %H:%M:%S} {fact} {step or ''} {dict(data)}" for fact, step, at, data in facts]
