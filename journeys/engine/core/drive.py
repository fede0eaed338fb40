"""The driver: takes many entries through the machine at once, and asks their questions in groups.

`drive` is a generator and pure: it yields rounds of commands, grouped so that one query can answer all the
questions of a round, and is sent the answers. One entry of a person moves per round, so that a second entry sees
what the first did. Three small loops use it: the burst (one database transaction), the simulator
(virtual time), and the property tests.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from journeys.canvas.events_and_commands import (
    Answered,
    Ask,
    Command,
    Delivered,
    Entered,
    Entry,
    Event,
    Happened,
    Left,
    LookBack,
    Note,
    Send,
    Woke,
    ZonesAnswer,
)
from journeys.canvas.plan import Plan
from journeys.engine.core.life import Change, Span, after_skip
from journeys.engine.core.machine import advance

ROUNDING = timedelta(milliseconds=50)
"""A remainder below this counts as due: timers of the alarm are that coarse."""

LATE_AFTER = timedelta(minutes=5)
"""An alarm that comes later than this takes the clock's time instead of its own, and says so."""


UTC = ZonesAnswer("UTC", "UTC")


@dataclass(slots=True)
class Case:
    """One entry, what it has not heard yet (in order), and the time on the clock that its deadline is held against.

    `entry` changes as the case is driven; `moved_on` says whether it did. `grace` is how long a listening step's
    deadline waits for events that are on their way. `change` is the last change of its canvas that it has behind it.

    Through the time `skip` the entry goes as if it were not late, and sends nothing: a message of then is withdrawn,
    and heard as such. Then the changes in `later` are applied, by the clocks of `zones`, and it goes on.
    """

    plan: Plan
    entry: Entry
    unheard: Sequence[Event]
    clock: datetime
    grace: timedelta = timedelta(0)
    late_after: timedelta = LATE_AFTER
    moved_on: bool = field(default=False)
    change: int = 0
    skip: Span | None = None
    later: Sequence[Change] = ()
    zones: ZonesAnswer = UTC

    def skipped(self, at: datetime) -> bool:
        """Whether an instant is one of which nothing is sent."""
        return self.skip is not None and self.skip[0] <= at < self.skip[1]

    def alarm(self) -> datetime | None:
        """When this entry must be woken at the latest: its deadline, and the grace where its step listens."""
        if self.entry.wake_at is None:
            return None
        return self.entry.wake_at + (self.grace if self.listens() else timedelta(0))

    def listens(self) -> bool:
        """Whether the step at which the entry stands listens to anything."""
        step = self.entry.step
        return step is not None and bool(self.plan.steps[step].triggers())

    def rings(self) -> bool:
        """Whether its deadline is over; in a time that it skips nobody is asked, so that no wait for others ends."""
        entry, alarm = self.entry, self.alarm()
        if self.skip is None or entry.wake_at is None:
            return alarm is not None and alarm - ROUNDING <= self.clock
        others = entry.step is not None and self.plan.steps[entry.step].waits_for_others(entry)
        return entry.wake_at < (self.skip[0] if others else self.skip[1])


Said = tuple[Case, Sequence[Command]]
Round = Sequence[Said]
Answers = Mapping[str, object]
"""The answers of a round, by the id of the entry that asked."""


def drive(cases: Iterable[Case]) -> Generator[Round, Answers | None, None]:
    """Take these cases as far as they get. Yields rounds; send back the answers to the round's `Ask`s, if it has any.

    Afterwards each case's `entry` is its latest state.
    """
    queues: dict[str, deque[Case]] = {}
    for case in cases:
        queues.setdefault(case.entry.person, deque()).append(case)
    running: dict[str, tuple[Case, Course]] = {}
    for person in queues:
        _next_of(person, queues, running)
    answers: Answers = {}
    while running:
        said: list[Said] = []
        for person, (case, course) in list(running.items()):
            commands = _step(course, answers.get(case.entry.id))
            if commands is not None:
                said.append((case, commands))
            else:
                del running[person]
                _next_of(person, queues, running)
        answers = ((yield said) or {}) if said else {}


Course = Generator[Sequence[Command], object, None]


def _next_of(person: str, queues: dict[str, deque[Case]], running: dict[str, tuple[Case, Course]]) -> None:
    if queues[person]:
        case = queues[person].popleft()
        running[person] = (case, _course(case))


def _step(course: Course, answer: object) -> Sequence[Command] | None:
    try:
        return course.send(answer)
    except StopIteration:
        return None


def _course(case: Case) -> Course:
    """One entry's way through what it has not heard, up to its next wait."""
    unheard: Sequence[Event] = case.unheard
    stood = case.entry.begun, case.entry.step
    while not case.entry.ended:
        event, now = _next_event(case, unheard)
        if event is None and case.skip is None:
            return
        if event is None:
            due = case.entry.wake_at
            yield _go_on(case)
            if (case.entry.begun, case.entry.step) != stood and case.entry.wake_at != due:
                unheard = [*_others(unheard), *(yield from _look_back(case))]  # its window is another one now
            continue
        began = case.entry.begun, case.entry.step
        if isinstance(event, Woke) and _late(case):
            yield [Note(fact="late", at=now, step=case.entry.step, data={"due": str(case.entry.wake_at)})]
        commands = _advance(case, event, now)
        withheld: list[Event] = []
        while commands:
            commands = _withhold(case, commands, withheld)
            answer = yield commands
            if not isinstance(commands[-1], Ask):
                break
            commands = _advance(case, Answered(answer), case.entry.moved)
        unheard = [*withheld, *(each for each in unheard if each is not event)]
        if (case.entry.begun, case.entry.step) != began:
            unheard = [*_others(unheard), *(yield from _look_back(case))]  # judged for the step it left


def _others(unheard: Sequence[Event]) -> list[Event]:
    """Without the events that a step listens to."""
    return [each for each in unheard if not isinstance(each, Happened)]


def _go_on(case: Case) -> Sequence[Command]:
    """Apply the changes after the time that an entry has gone through, up to the next one that it skips."""
    assert case.skip is not None, "it went through it"
    before = case.entry
    present = after_skip(case.plan, before, case.skip, case.change, case.later, case.zones)
    case.entry, case.change, case.skip, case.later = (
        present.entry,
        present.change,
        present.skip,
        present.later,
    )
    moved = case.entry.wake_at != before.wake_at or case.entry.ended is not None
    case.moved_on = case.moved_on or moved
    return present.commands


def _advance(case: Case, event: Event, now: datetime) -> Sequence[Command]:
    before = case.entry
    case.entry, commands = advance(case.plan, before, event, now)
    case.moved_on = case.moved_on or case.entry != before
    return commands


def _withhold(case: Case, commands: Sequence[Command], withheld: list[Event]) -> Sequence[Command]:
    """The commands, with a fact in the place of each message that is skipped; the entry hears of it."""
    if case.skip is None:
        return commands
    said: list[Command] = []
    for command in commands:
        if isinstance(command, Send) and case.skipped(command.at):
            step: Any = case.plan.steps[command.step]
            data = {"channel": step.channel, "reason": "skipped"}
            said.append(Note(fact="withdrawn", at=command.at, step=command.step, data=data))
            withheld.append(Delivered(step=command.step, outcome="skipped", at=command.at))
        else:
            said.append(command)
    return said


def _look_back(case: Case) -> Generator[Sequence[Command], object, list[Event]]:
    """What a step that begins to listen has missed since its own instant, never the event just heard."""
    if case.entry.ended or not case.listens():
        return []
    assert case.entry.begun is not None, "an entry in a step has the instant of its arrival"
    found = yield [Ask(LookBack(case.entry.begun))]
    assert isinstance(found, tuple), "a look back is answered with a tuple"
    return [event for event in found if isinstance(event, Left) or event.occurrence.no != case.entry.heard]


def _next_event(case: Case, unheard: Sequence[Event]) -> tuple[Event | None, datetime]:
    """The next thing that the entry hears, and the instant that it hears it at.

    What happened before the deadline goes before the deadline, whatever the clock says; what happened after it is
    not for this step.
    """
    entry = case.entry
    for event in unheard:
        at = _instant(entry, event)
        if at is not None and (case.skip is None or at < case.skip[1]):
            return event, at
    if case.rings():
        assert entry.wake_at is not None, "it has a deadline"
        return Woke(), _now(case) if _late(case) else entry.wake_at
    return None, case.clock


def _instant(entry: Entry, event: Event) -> datetime | None:
    """The instant at which an entry hears an event; None: it does not hear it."""
    match event:
        case Entered():
            return entry.moved
        case Happened(occurrence=what):
            return what.at if _in_time(entry, what.at) else None
        case _:
            at: datetime | None = getattr(event, "at", None)
            return at


def _now(case: Case) -> datetime:
    """The instant up to which an entry is driven: that of the clock, or the end of what it skips."""
    return case.skip[1] if case.skip else case.clock


def _in_time(entry: Entry, at: datetime) -> bool:
    # ACT-4
    return entry.begun is not None and entry.begun <= at and (entry.wake_at is None or at < entry.wake_at)


def _late(case: Case) -> bool:
    due = case.entry.wake_at
    return due is not None and _now(case) - due > case.late_after and not case.skipped(due)
