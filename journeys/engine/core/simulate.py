"""The simulator: the same machine and driver in virtual time, months in milliseconds.

Same order and instants of events, same answers, same outcomes of deliveries: same path, here and on Temporal. Answers
are random numbers of a seed, unless they are given: by real people, by a script of events, by choices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from journeys.canvas.assignment import hash_fraction
from journeys.canvas.events_and_commands import (
    Answered,
    Ask,
    BestTime,
    BestTimeAnswer,
    Command,
    Delivered,
    Entered,
    Entry,
    Event,
    Happened,
    Left,
    LookBack,
    Matches,
    Note,
    Occurrence,
    OthersWait,
    Question,
    Render,
    Send,
    Update,
    Zones,
    ZonesAnswer,
)
from journeys.canvas.plan import Plan
from journeys.canvas.steps import Message, UserUpdate
from journeys.engine.audience.match import Person, matches, named
from journeys.engine.core import limits
from journeys.engine.core.changes import changes, watched_by
from journeys.engine.core.drive import Answers, Case, drive
from journeys.engine.core.gates import key_of
from journeys.engine.core.made_up_people import MadeUp, updated
from journeys.engine.core.routing import Hears, OpenEntry, decide
from journeys.engine.core.simulated_gates import Door, Stays, comings, with_key
from journeys.engine.core.simulation_report import Line, Report, count

REPORT_EVERY = 500
"""How many people pass between two reports of progress."""


@dataclass(frozen=True, slots=True)
class Probabilities:
    """Probabilities of what is not given.

    `matches`: that a filter holds; `happens`: that an awaited thing happens, at any instant of the window alike;
    `sent`: that a held message leaves; `answered`: that a web service answers, sooner or later. `rates`: of these two
    first ones, by the name of an event, product, engagement, segment or attribute.
    """

    matches: float = 0.5
    happens: float = 0.3
    sent: float = 0.98
    answered: float = 0.98
    rates: Mapping[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Scenario:
    """The answers for one simulated person. `choices` overrule the random ones: the way to take at a step.

    `values` are recorded answers: the values of a context step, or the texts of a user update by their
    source, by the step's id. None: there was no answer.
    """

    seed: int = 0
    probabilities: Probabilities = field(default_factory=Probabilities)
    company: str = "UTC"
    choices: Mapping[str, str] = field(default_factory=dict)
    segments: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, Any] | None] = field(default_factory=dict)
    made_up: MadeUp | None = None
    """The person whose way it is, where they do whatever the canvas listens to."""
    door: Door = field(default_factory=Door)
    """The gates, with what they count over all people."""

    def draw(self, *names: str) -> float:
        """A random number of this scenario."""
        return hash_fraction(str(self.seed), *names)

    def answer(self, plan: Plan, entry: Entry, question: Question, person: Person | None) -> object:
        """The answer to a question of the machine."""
        match question:
            case Zones():
                return ZonesAnswer(self.company, person.zone if person else self.company)
            case BestTime():
                minute = int(self.draw(entry.person, "best_time") * 288) * 5
                return BestTimeAnswer(person.zone if person else self.company, minute)
            case Render(variables=variables):
                recorded = self.values.get(entry.step or "")
                return _plain(variables) if recorded is None else recorded
            case Matches(filters=filters):
                return self._match(plan, entry, filters, person)
            case OthersWait():
                return False
            case _:
                assert isinstance(question, LookBack), "unknown question"
                return ()

    def kept(self, plan: Plan, entry: Entry, send: Send, person: Person | None) -> limits.Refusal | None:
        """Why a message does not leave, where the person is known; a simulated one has all consents and can be reached."""
        step = plan.steps[send.step]
        if person is None or not isinstance(step, Message):
            return None
        return limits.refusal(
            plan,
            step,
            person,
            send.at,
            context=send.context,
            segments=self.segments,
            key=entry.key,
            entry=entry.id,
        )

    def fetched(self, plan: Plan, entry: Entry) -> Mapping[str, Any] | None:
        """What comes of a step that asks others; None where they do not answer."""
        step: Any = plan.steps[entry.step or ""]
        if step.id in self.values:
            return self.values[step.id]
        if self.draw(entry.person, step.id, "answered") >= self.probabilities.answered:
            return None
        if isinstance(step, UserUpdate):
            return dict.fromkeys(step.sources().values(), "")
        return _plain([(each.name, each.type, each.value) for each in step.set])

    def _match(self, plan: Plan, entry: Entry, filters: Sequence[Any], person: Person | None) -> int | None:
        step = entry.step or ""
        if filters == plan.audience_exits and person is None:
            return self.made_up.leaves_by(filters, entry.moved) if self.made_up else None
        if step in self.choices:
            names = list(plan.steps[step].branches())
            place = names.index(self.choices[step]) if self.choices[step] in names else len(filters)
            return place if place < len(filters) else None
        for place, each in enumerate(filters):
            if person is not None:
                found = matches(
                    each,
                    person,
                    now=entry.moved,
                    key=entry.key,
                    entry=entry.id,
                    context=entry.context,
                    segments=self.segments,
                    canvas=entry.canvas,
                )
            elif self.made_up is not None:
                found = self.made_up.match(each, entry.moved, step, str(place))
            else:
                found = self.draw(entry.person, step, str(place)) < self.probabilities.matches
            if found:
                return place
        return None

    def awaited(self, plan: Plan, entry: Entry) -> Occurrence | None:
        """The first thing that the step awaits and that this person does within the window, if any."""
        step = plan.steps[entry.step or ""]
        assert entry.begun is not None and entry.wake_at is not None, "it waits"
        best: tuple[float, Any] | None = None
        for label, trigger in step.triggers():
            chosen = self.choices.get(step.id)
            if chosen is not None and chosen != label:
                continue
            rate = self.probabilities.rates.get(named(trigger)[1] or "purchase", self.probabilities.happens)
            happens = chosen == label or self.draw(entry.person, step.id, label) < rate
            at = self.draw(entry.person, step.id, label, "when")
            if happens and (best is None or at < best[0]):
                best = at, (label, trigger)
        if best is None:
            return None
        share, (label, trigger) = best
        kind, name = named(trigger)
        instant = entry.begun + (entry.wake_at - entry.begun) * share
        return Occurrence(
            no=entry.heard + 1, kind=kind, name=name or "anything", at=instant, properties={"@": label}
        )


def _plain(variables: Iterable[tuple[str, str, str]]) -> dict[str, Any]:
    """The variables that are written as they are."""
    return {name: source for name, kind, source in variables if kind == "text" and "{" not in source}


Script = Sequence[tuple[timedelta, str, Mapping[str, Any]]]
"""What a person does, and how long after the entry: events by name, with properties."""


def run(
    plan: Plan,
    person: str,
    starts: datetime,
    scenario: Scenario,
    *,
    profile: Person | None = None,
    script: Script = (),
    context: Mapping[str, Any] | None = None,
    stays: Stays | None = None,
) -> Iterator[Line]:
    """One person's way through a canvas: every command, with its instant and the entry after it.

    `stays` are their entries before.
    """
    entry = Entry(
        id=f"e-{person}",
        canvas=plan.canvas.name,
        person=person,
        moved=starts,
        entered=starts,
        context=context or {},
        key=key_of(plan.canvas, context or {}),
    )
    pending = sorted(
        (
            Occurrence(no=number + 1, kind="event", name=name, at=starts + after, properties=properties)
            for number, (after, name, properties) in enumerate(script)
        ),
        key=lambda each: each.at,
    )
    made_up = scenario.made_up
    reason = scenario.door.refuses(
        plan, profile, made_up, starts, context or {}, scenario.company, scenario.segments, stays
    )
    if reason is not None:
        if made_up is not None:
            made_up.refused = True
        yield starts, entry, Note(fact="refused", at=starts, data={"reason": reason})
        return
    unheard: list[Event] = [Entered()]
    clock = starts
    who = profile or Person(person, scenario.company)
    known = [profile]
    while True:
        case = Case(plan, entry, unheard, clock=clock, late_after=timedelta.max)
        outcomes: dict[str, str] = {}
        for at, command in _play(case, scenario, known):
            yield at, case.entry, command
            if made_up is not None:
                made_up.notes(command)
            if isinstance(command, Update):
                step: Any = plan.steps[command.step]
                before, who = who, updated(who, step, command)
                known[:] = [each and updated(each, step, command) for each in known]
                if made_up is not None:
                    made_up.person = updated(made_up.person, step, command)
                changed = [each.occurrence(0, at) for each in changes(watched_by([plan]), before, who)]
                logged = [(each.name, each.properties) for each in step.events]
                pending[:0] = [
                    *changed,
                    *(Occurrence(no=0, kind="event", name=n, at=at, properties=p) for n, p in logged),
                ]
            if isinstance(command, Send):
                kept = scenario.kept(plan, case.entry, command, known[0])
                outcomes[command.step] = kept.outcome if kept else ""
                if kept is not None:
                    yield (
                        at,
                        case.entry,
                        Note(fact=kept.outcome, at=at, step=command.step, data={"reason": kept.reason}),
                    )
        entry = case.entry
        if entry.ended or entry.wake_at is None:
            return
        clock, unheard = _next(plan, entry, scenario, pending, outcomes, who, scripted=bool(script))


def _play(
    case: Case, scenario: Scenario, person: Sequence[Person | None]
) -> Iterator[tuple[datetime, Command]]:
    course = drive([case])
    answers: Answers | None = None
    while True:
        try:
            said = course.send(answers)
        except StopIteration:
            return
        answers = {}
        for each, commands in said:
            for command in commands:
                if isinstance(command, Ask):
                    answers[each.entry.id] = scenario.answer(
                        each.plan, each.entry, command.question, person[0]
                    )
                else:
                    yield getattr(command, "at", each.entry.moved), command


def _next(
    plan: Plan,
    entry: Entry,
    scenario: Scenario,
    pending: list[Occurrence],
    outcomes: Mapping[str, str],
    person: Person,
    *,
    scripted: bool,
) -> tuple[datetime, list[Event]]:
    """What comes next to an entry that waits: the settlement of its message, an answer, an event, or its deadline."""
    assert entry.wake_at is not None and entry.step is not None, "it waits in a step"
    if entry.phase == "held" and entry.step in outcomes:
        leaves = scenario.draw(entry.person, entry.step, "sent") < scenario.probabilities.sent
        outcome = outcomes[entry.step] or ("sent" if leaves else "failed")
        return entry.moved, [Delivered(step=entry.step, outcome=outcome, at=entry.moved)]  # type: ignore[arg-type]
    if plan.steps[entry.step].needs_network:
        return entry.moved, [Answered(scenario.fetched(plan, entry), entry.moved)]
    while pending and pending[0].at < entry.wake_at:
        what = replace(pending.pop(0), no=entry.heard + 1)
        [after], decided = decide([OpenEntry(plan, entry)], what, person)
        if after.leaves:
            return what.at, [Left(reason=after.leaves, at=what.at, at_once=after.at_once)]
        match decided:
            case [Hears(label=label)]:
                return what.at, [Happened(label=label, occurrence=what)]
    left = None if scenario.made_up is None else scenario.made_up.leaves(entry, entry.wake_at)
    if not scripted and entry.phase == "watching" and plan.steps[entry.step].triggers():
        drawn = scenario.awaited(plan, entry)
        if drawn is not None and (left is None or drawn.at < left.at):
            return drawn.at, [Happened(label=str(drawn.properties["@"]), occurrence=drawn)]
    return (entry.wake_at, []) if left is None else (left.at, [left])


def simulate(
    plan: Plan,
    people: int | Iterable[Person],
    *,
    starts: datetime,
    seed: int = 0,
    probabilities: Probabilities | None = None,
    company: str = "UTC",
    segments: Mapping[str, Any] | None = None,
    script: Script = (),
    held_out: frozenset[int] = frozenset(),
    occurrences: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Report:
    """Take many people through a canvas; the same seed gives the same report.

    `people` is a number of simulated people, or real ones, whose attributes then decide. Simulated ones match the
    audience or do not, and do what exits and conversions listen to, unless a `script` says what they do. `held_out`: the
    buckets of the global control group, where it is kept out. A canvas with a schedule by the clock is launched at `starts`,
    and everybody comes at each of so many `occurrences`, by the clock of their own zone where it is local. `progress` gets how many are done.
    """
    report = Report()
    chances = probabilities or Probabilities()
    scenario = Scenario(seed, chances, company, segments=segments or {}, door=Door(held_out))
    everybody: Iterable[tuple[str, Person | None]]
    if isinstance(people, int):
        everybody = ((f"person-{number}", None) for number in range(people))
    else:
        everybody = ((person.id, person) for person in people)
    longest = plan.longest_from(starts)
    for name, person in everybody:
        stays, context = Stays(), with_key(plan.canvas, name)
        for at in comings(plan, company, starts, person.zone if person else company, occurrences):
            made_up = None if person or script else _made_up(plan, name, at, longest, scenario)
            scenario.made_up = made_up
            way = run(plan, name, at, scenario, profile=person, script=script, context=context, stays=stays)
            count(report, stays.noting(way), at)
            if made_up is not None and not made_up.refused:
                report.converted.update(made_up.converts())
        report.people += 1
        if progress and report.people % REPORT_EVERY == 0:
            progress(report.people)
    if progress:
        progress(report.people)
    return report


def _made_up(plan: Plan, name: str, starts: datetime, longest: timedelta, scenario: Scenario) -> MadeUp:
    chances = scenario.probabilities
    return MadeUp(
        plan=plan,
        person=Person(name, scenario.company),
        starts=starts,
        longest=longest,
        draw=partial(scenario.draw, name),
        rates=chances.rates,
        happens=chances.happens,
        matching=chances.matches,
        segments=scenario.segments,
    )
