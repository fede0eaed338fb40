"""The way that a person would take through a canvas from now on, in virtual time: nothing is stored or called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from journeys.canvas.events_and_commands import (
    BestTime,
    BestTimeAnswer,
    Command,
    Entry,
    Note,
    Occurrence,
    Question,
    Render,
    Send,
    Update,
)
from journeys.canvas.plan import Plan
from journeys.canvas.steps import Message
from journeys.engine.audience.match import Needs, Person, named, needs
from journeys.engine.core.best_time import LEARNS, learn
from journeys.engine.core.gates import Candidate, full, key_of, period_of, places, refusal, seen
from journeys.engine.core.life import LETS_IN
from journeys.engine.core.routing import brings_in
from journeys.engine.core.simulate import Probabilities, Scenario, run
from journeys.engine.entries.admission import EARLIER
from journeys.engine.entries.entered_before import Before, entered_before
from journeys.engine.entries.entry_counters import taken
from journeys.engine.people.profiles import Profile, history
from journeys.engine.store.database import Database
from journeys.engine.workspaces.liquid_values import rendered
from journeys.engine.workspaces.published import Publication, Published

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


@dataclass(frozen=True, slots=True)
class Given:
    """The event that brings the person in: its properties, and its `name`, where the event of the canvas is not meant."""

    name: str | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)


async def way_of(
    db: Database,
    publication: Publication,
    plan: Plan,
    profile: Profile,
    now: datetime,
    given: Given | None,
    choices: Mapping[str, str],
    told: Callable[[datetime], str] = datetime.isoformat,
) -> Way:
    """Take the person through the canvas from now on, as they are; `choices` say which path they take at a step.

    Where one of the gates would keep them out now, that is all. `given`: the event that brings them in; None: one that
    the canvas takes. `told`: how instants are written.
    """
    asked = {profile.id: (_needed(plan, publication), now)}
    past = (await history(db.pool, publication.workspace, asked)).get(profile.id)
    person = profile.as_person(publication.zone, past)
    context = {} if given is None else dict(given.properties)
    if given is not None and not _brings_in(plan, given, person, now):
        return Way([Moment(now, "does not enter: such an event lets nobody in")])
    if (text := await _kept_out(db, publication, plan, profile, person, now, context, told)) is not None:
        return Way([Moment(now, f"does not enter: {text}")])
    scenario = _AsTheyAre(publication, profile, choices)
    way = Way()
    for at, _, command in run(plan, str(profile.id), now, scenario, profile=person, context=context):
        text = _words(plan, command, told)
        if text:
            way.lines.append(Moment(at, text))
        if isinstance(command, Note) and command.fact == "reached" and command.step is not None:
            paths = list(dict.fromkeys(label for label, _ in plan.steps[command.step].triggers()))
            if paths and command.step not in choices:
                way.could[command.step] = paths
    return way


def _brings_in(plan: Plan, given: Given, person: Person, now: datetime) -> bool:
    """Whether the event lets people in. Into a canvas that no event or purchase opens its properties are brought along."""
    trigger = plan.canvas.schedule.trigger
    if trigger is None:
        return True
    kind, name = named(trigger)
    if kind not in ("event", "purchase"):
        return True
    what = Occurrence(
        no=0, kind=kind, name=given.name or name or "", at=now, properties=dict(given.properties)
    )
    return brings_in(plan, what, person)


async def _kept_out(
    db: Database,
    publication: Publication,
    plan: Plan,
    profile: Profile,
    person: Person,
    now: datetime,
    context: Mapping[str, Any],
    told: Callable[[datetime], str],
) -> str | None:
    """The gate that would refuse the person now, with what it sees; None: they would enter."""
    name, workspace = plan.canvas.name, publication.workspace
    [row] = await db.pool.fetch(EARLIER, workspace, name, [profile.id], [])
    active = row["status"] in LETS_IN
    before = Before(row["last"])
    if active and not plan.canvas.overlaps:
        key = {profile.id: key_of(plan.canvas, context)}
        known = await entered_before(
            db.pool, Published(db), publication, plan, {profile.id: profile}, {profile.id: before}, key
        )
        before = known[profile.id]
    candidate = Candidate(person=person, at=now, last=before.last, inside=before.inside, context=context)
    canvas = publication.opening(publication.running[name], active=active)
    reason = refusal(canvas, candidate)
    if reason is not None:
        saw = seen(canvas, candidate, reason) if active else {"status": row["status"]}
    elif (limit := plan.canvas.entry_limit) is not None and limit.per != "run":
        period = period_of(limit, now, publication.zone)
        if not places(limit, await taken(db.pool, workspace, name, period), 1):
            reason, saw = "entry_limit", full(limit, period)
    if reason is None:
        return None
    return reason + "".join(
        f", {each.replace('_', ' ')} {told(value) if isinstance(value, datetime) else value}"
        for each, value in saw.items()
    )


def _needed(plan: Plan, publication: Publication) -> Needs:
    filters: list[Any] = [each for step in plan.steps.values() for _, each in step.filters()]
    filters += plan.audience_exits
    if plan.canvas.audience is not None:
        filters.append(plan.canvas.audience)
    needed = needs(filters, publication.segments)
    found = needed.history
    both = {name: found[name] | past if name in found else past for name, past in LEARNS.history.items()}
    return replace(needed, history={**found, **both})


def _words(plan: Plan, command: Command, told: Callable[[datetime], str]) -> str:
    match command:
        case Note(fact="reached", step=str(step)):
            return f"reaches {step} ({plan.steps[step].type})"
        case Note(fact="took", step=step, data=data):
            return f"takes {data['path']} at {step}"
        case Note(fact="waits", data=data):
            return f"waits until {told(datetime.fromisoformat(data['until']))}"
        case Note(fact="ended", data=data):
            return f"leaves: {data['reason']}"
        case Note(fact="entered", data=data):
            return f"enters, variant {data['variant']}"
        case Note(fact=fact, step=step, data=data):
            return f"the message of {step} does not leave: {fact}, {data.get('reason', '')}"
        case Send(step=step):
            sender = plan.steps[step]
            assert isinstance(sender, Message), "only messages are sent"
            return f"is sent {sender.template} by {sender.channel}"
        case Update(step=step):
            return f"is updated by {step}"
    return ""
