"""Several pauses and stops, one after the other, and bursts that come on time or late: held against a plain model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from journeys.canvas.events_and_commands import (
    Answered,
    Ask,
    Command,
    Entry,
    Event,
    Happened,
    LookBack,
    Note,
    Occurrence,
    Send,
    ZonesAnswer,
)
from journeys.canvas.plan import Plan, compile
from journeys.engine.core.drive import Case, drive
from journeys.engine.core.life import Change, to_drive
from tests.stage import canvas, definitions_of

NOON = datetime(2026, 12, 7, 12, tzinfo=UTC)
ZONES = ZonesAnswer("UTC", "UTC")
SPANS = (7, 20, 3, 45, 30)
END = 400.5
"""A minute after all waits and pauses."""


def plan_of(steps: str) -> Plan:
    return compile(definitions_of(canvas(steps)).canvases["story"].value)


def message(name: str, more: str = "") -> str:
    return f"  - {{type: message, id: {name}, channel: email, template: hello{more}}}\n"


WAITS = plan_of(
    "".join(
        f"  - {{type: delay, id: d{no}, duration: {span} minutes}}\n{message(f'm{no}')}"
        for no, span in enumerate(SPANS)
    )
)


def at(minute: float) -> datetime:
    return NOON + timedelta(minutes=minute)


def minute_of(instant: datetime) -> float:
    return (instant - NOON) / timedelta(minutes=1)


def asleep(step: str, until: float, phase: str = "") -> Entry:
    """An entry that came to its step at noon, and waits until that minute."""
    return Entry(
        id="e", canvas="story", person="p", moved=NOON, entered=NOON, variant="all", step=step, begun=NOON,
        wake_at=at(until), phase=phase,
    )  # fmt: skip


@dataclass(frozen=True)
class Halt:
    """A pause from a minute to another, stopped after it or not; or a stop alone."""

    since: int
    until: int
    timers: str | None
    stopped: int | None = None

    def changes(self, numbers: count[int]) -> list[Change]:
        words = [("stop" if self.timers is None else "pause", self.since)]
        words += [] if self.stopped is None else [("stop", self.stopped)]
        words.append(("resume", self.until))
        return [
            Change(next(numbers), word, at(minute), at(minute), self.timers if word == "resume" else None)
            for word, minute in words
        ]


@st.composite
def histories(draw: Any, timers: Sequence[str | None] = ("shift", "send", "skip", None)) -> list[Halt]:
    """Up to five halts, one after the other."""
    found, minute = [], 0
    for _ in range(draw(st.integers(0, 5))):
        since = minute + draw(st.integers(0, 20))
        until = since + draw(st.integers(0, 40))
        chosen = draw(st.sampled_from(timers))
        stopped = None
        if chosen is not None and None in timers and draw(st.booleans()):
            stopped = draw(st.integers(since, until))
        found.append(Halt(since, until, chosen, stopped))
        minute = until
    return found


BURSTS = st.lists(st.integers(0, 300).map(lambda minute: minute + 0.5), max_size=6).map(sorted)
"""Minutes at which the entry is driven; between them nobody reads it."""


@dataclass
class Model:
    """The entry as one would move it by hand: counted in minutes, one halt after the other."""

    wake: float = SPANS[0]
    begun: float = 0
    floor: float = 0
    passed: int = 0
    sent: list[tuple[str, float]] = field(default_factory=list)
    ended: str | None = None

    def meets(self, halt: Halt) -> None:
        paused_until = (
            halt.since if halt.timers is None else halt.until if halt.stopped is None else halt.stopped
        )
        if halt.timers == "skip":
            self.goes(paused_until, (halt.since, paused_until))
        elif halt.timers == "shift" and not self.ended and self.wake >= halt.since:
            self.wake += paused_until - max(halt.since, self.begun)
        if not self.ended and paused_until <= self.wake < halt.until and paused_until < halt.until:
            self.ended = "stopped"
        if halt.timers != "skip" or halt.stopped is not None:
            self.floor = halt.until

    def goes(self, until: float, silent: tuple[float, float] = (0, 0)) -> None:
        """On through all waits that end before a minute; between two minutes it says nothing."""
        while not self.ended and self.wake < until:
            self.begun = max(self.wake, self.floor)
            if not silent[0] <= self.begun < silent[1]:
                self.sent.append((f"m{self.passed}", self.begun))
            self.passed += 1
            if self.passed == len(SPANS):
                self.ended = "completed"
            else:
                self.wake = self.begun + SPANS[self.passed]


@dataclass
class Told:
    """An entry as bursts leave it, and what they said."""

    plan: Plan
    entry: Entry
    change: int = 1
    said: list[Command] = field(default_factory=list)
    happened: list[Occurrence] = field(default_factory=list)

    def burst(self, minute: float, log: Sequence[Change], unheard: Sequence[Event] = ()) -> None:
        """Drive it at a minute as a burst does: not while its canvas is halted."""
        known = [each for each in log if self.change < each.no and each.at <= at(minute)]
        present = to_drive(self.plan, self.entry, self.change, known, ZONES)
        self.said += present.commands
        self.entry = self.entry if present.parked else present.entry
        if present.parked or self.entry.ended:
            return
        case = Case(
            self.plan, present.entry, unheard, clock=at(minute), late_after=timedelta.max, change=present.change,
            skip=present.skip, later=present.later, zones=ZONES,
        )  # fmt: skip
        course, answers = drive([case]), None
        while True:
            try:
                said = course.send(answers)
            except StopIteration:
                break
            self.said += [command for _, commands in said for command in commands]
            answers = {case.entry.id: self._answer(case, said[0][1][-1])} if said[0][1] else {}
        self.entry, self.change = case.entry, case.change

    def _answer(self, case: Case, command: Command) -> object:
        if not isinstance(command, Ask):
            return None
        assert isinstance(command.question, LookBack)
        entry = case.entry
        assert entry.begun is not None and entry.wake_at is not None
        return tuple(
            Happened(label="liked", occurrence=each)
            for each in self.happened
            if entry.begun <= each.at < entry.wake_at
        )

    def sent(self) -> list[tuple[str, float]]:
        return [(one.step, minute_of(one.at)) for one in self.said if isinstance(one, Send)]

    def withdrawn(self) -> list[str | None]:
        return [one.step for one in self.said if isinstance(one, Note) and one.fact == "withdrawn"]


def log_of(halts: Sequence[Halt]) -> list[Change]:
    numbers = count(2)
    return [each for halt in halts for each in halt.changes(numbers)]


def halted(halts: Sequence[Halt], minute: float) -> bool:
    return any(halt.since <= minute < halt.until for halt in halts)


@given(histories(), BURSTS)
@example([Halt(5, 10, "skip"), Halt(12, 30, "shift")], [])
@example([Halt(5, 10, "skip"), Halt(12, 40, None)], [])
@example([Halt(5, 30, "skip", 8)], [])
def test_an_entry_goes_through_any_sequence_of_pauses_and_stops_as_if_each_were_met_by_itself(
    halts: list[Halt], bursts: list[float]
) -> None:
    """STA-3, X4: a second pause, before the burst that goes through a skipped one, moves the wait that it meets then."""
    told, model, met = Told(WAITS, asleep("d0", SPANS[0])), Model(), 0
    log = log_of(halts)
    for minute in [*bursts, END]:
        told.burst(minute, log)
        if not halted(halts, minute):
            while met < len(halts) and halts[met].until <= minute:
                model.meets(halts[met])
                met += 1
            model.goes(minute)

    assert told.sent() == model.sent
    assert told.entry.ended == model.ended


@given(histories(("skip",)), BURSTS)
def test_after_pauses_that_are_skipped_all_is_as_if_there_had_been_none_but_for_the_messages_of_that_time(
    halts: list[Halt], bursts: list[float]
) -> None:
    """STA-3: whenever the bursts came."""
    told, log = Told(WAITS, asleep("d0", SPANS[0])), log_of(halts)
    for minute in [*bursts, END]:
        told.burst(minute, log)

    instants = [(f"m{no}", float(sum(SPANS[: no + 1]))) for no in range(len(SPANS))]
    assert told.sent() == [(name, minute) for name, minute in instants if not halted(halts, minute)]
    assert told.withdrawn() == [name for name, minute in instants if halted(halts, minute)]
    assert told.entry.moved == at(sum(SPANS))


@pytest.mark.parametrize(
    ("happened", "path", "begun"),
    [(14, "liked", 30), (30, "liked", 30), (44, "liked", 44), (45, "otherwise", 45), (5, "otherwise", 45)],
)
def test_the_window_that_a_skipped_pause_led_to_is_moved_by_the_next_pause_and_hears_what_came_in_both_parts(
    happened: float, path: str, begun: float
) -> None:
    """STA-3, ACT-4: it is open from minute 7 to 27, and a pause from minute 12 to 30 makes that 45."""
    plan = plan_of(
        "  - {type: delay, id: d, duration: 7 minutes}\n"
        "  - {type: action_paths, id: p, within: 20 minutes, paths: [{name: liked, triggers: [{event: liked}]}]}\n"
        "  - {type: delay, id: e, duration: 1 hour}\n" + message("m")
    )
    log = log_of([Halt(5, 10, "skip"), Halt(12, 30, "shift")])
    what = Occurrence(no=5, kind="event", name="liked", at=at(happened), properties={})
    told = Told(plan, asleep("d", 7), happened=[what])
    told.burst(50, log)

    took = [one.data["path"] for one in told.said if isinstance(one, Note) and one.fact == "took"]
    assert took == [path]
    assert (told.entry.step, told.entry.begun) == ("e", at(begun))
    assert told.change == 5


@pytest.mark.parametrize("before", [True, False])
def test_who_came_to_a_web_service_in_a_time_that_is_skipped_waits_for_it_as_long_as_others(
    before: bool,
) -> None:
    """STA-3: nobody is asked during a pause; one that is longer than that wait does not end it."""
    plan = plan_of(
        "  - {type: delay, id: d, duration: 1 hour}\n"
        '  - {type: context, id: asks, set: [{name: a, value: "{% connected_content https://example.com/ %}"}]}\n'
        "  - {type: delay, id: e, duration: 1 hour}\n" + message("m")
    )
    hour, log = 60, log_of([Halt(30, 100 * 60, "skip")])
    told = Told(plan, asleep("asks", 72 * hour, "asked") if before else asleep("d", hour))
    told.burst(100 * hour + 1, log)

    since = 30 if before else hour
    begun = 0 if before else hour
    assert (told.entry.step, told.entry.wake_at) == ("asks", at(begun + 172 * hour - since))
    told.burst(101 * hour, log, [Answered({"a": "1"}, at(100 * hour + 30))])
    assert (told.entry.step, told.entry.begun) == ("e", at(100 * hour + 30))
