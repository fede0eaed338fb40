"""The way that a person would take through a canvas from now on, in virtual time: nothing is stored or called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from journeys.canvas.events_and_commands import (
    BestTime,
    BestTimeAnswer,
    Command,
    Entry,
    Note,
    Question,
    Render,
    Send,
    Update,
)
from journeys.canvas.plan import Plan
from journeys.canvas.steps import Message
from journeys.engine.audience.match import Needs, Person, needs
from journeys.engine.core.best_time import LEARNS, learn
from journeys.engine.core.gates import Candidate, seen
from journeys.engine.core.simulate import Probabilities, Scenario, run
from journeys.engine.core.simulated_gates import Door
from journeys.engine.people.profiles import Profile, history
from journeys.engine.store.database import Database
from journeys.engine.workspaces.liquid_values import rendered
from journeys.engine.workspaces.published import Publication

NOBODY_ACTS = Probabilities(happens=0, sent=1, answered=1)
"""Where a step waits for what the person may do, they do nothing, unless it is chosen."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What happens at an instant, in words."""

    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Way:
    """What would happen one after the other, and the paths that the person `could` choose at the steps that they pass."""

    lines: list[Moment] = field(default_factory=list)
    could: dict[str, list[str]] = field(default_factory=dict)


class _AsTheyAre(Scenario):
    """Answers by what is known of the person, and by the choices."""

    def __init__(self, publication: Publication, profile: Profile, choices: Mapping[str, str]) -> None:
        super().__init__(
            probabilities=NOBODY_ACTS,
            company=publication.zone,
            choices=choices,
            segments=publication.segments,
        )
        self.publication, self.profile = publication, profile

    def answer(self, plan: Plan, entry: Entry, question: Question, person: Person | None) -> object:
        """See base class."""
        match question:
            case BestTime(channel=channel) if person is not None:
                return BestTimeAnswer(person.zone, learn(person, channel))
            case Render(variables=variables):
                values = self.publication.values(
                    self.profile, plan, entry.step, entry.variant, entry.context, {}, entry.moved
                )
                return rendered(variables, values).values
        return super().answer(plan, entry, question, person)


async def way_of(
    db: Database,
    publication: Publication,
    plan: Plan,
    profile: Profile,
    now: datetime,
    context: Mapping[str, Any],
    choices: Mapping[str, str],
) -> Way:
    """Take the person through the canvas from now on, as they are; `choices` say which path they take at a step."""
    asked = {profile.id: (_needed(plan, publication), now)}
    past = (await history(db.pool, publication.workspace, asked)).get(profile.id)
    person = profile.as_person(publication.zone, past)
    scenario = _AsTheyAre(publication, profile, choices)
    scenario.door = Door(publication.held_out(plan))
    way = Way()
    for at, _, command in run(plan, str(profile.id), now, scenario, profile=person, context=dict(context)):
        text = _words(plan, command)
        if isinstance(command, Note) and command.fact == "refused":
            canvas = publication.opening(publication.running[plan.canvas.name], active=True)
            saw = seen(canvas, Candidate(person=person, at=at, context=context), command.data["reason"])
            text += "".join(f", {name} {value}" for name, value in saw.items())
        if text:
            way.lines.append(Moment(at, text))
        if isinstance(command, Note) and command.fact == "reached" and command.step is not None:
            paths = list(dict.fromkeys(label for label, _ in plan.steps[command.step].triggers()))
            if paths and command.step not in choices:
                way.could[command.step] = paths
    return way


def _needed(plan: Plan, publication: Publication) -> Needs:
    filters: list[Any] = [each for step in plan.steps.values() for _, each in step.filters()]
    filters += plan.audience_exits
    if plan.canvas.audience is not None:
        filters.append(plan.canvas.audience)
    found = needs(filters, publication.segments).history
    both = {name: found[name] | past if name in found else past for name, past in LEARNS.history.items()}
    return Needs({**found, **both})


def _words(plan: Plan, command: Command) -> str:
    match command:
        case Note(fact="reached", step=str(step)):
            return f"reaches {step} ({plan.steps[step].type})"
        case Note(fact="took", step=step, data=data):
            return f"takes {data['path']} at {step}"
        case Note(fact="waits", data=data):
            return f"waits until {data['until']}"
        case Note(fact="ended", data=data):
            return f"leaves: {data['reason']}"
        case Note(fact="entered", data=data):
            return f"enters, variant {data['variant']}"
        case Note(fact="refused", data=data):
            return f"does not enter: {data['reason']}"
        case Note(fact=fact, step=step, data=data):
            return f"the message of {step} does not leave: {fact}, {data.get('reason', '')}"
        case Send(step=step):
            sender = plan.steps[step]
            assert isinstance(sender, Message), "only messages are sent"
            return f"is sent {sender.template} by {sender.channel}"
        case Update(step=step):
            return f"is updated by {step}"
    return ""
