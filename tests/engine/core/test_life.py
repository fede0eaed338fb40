"""What the changes of a canvas mean for those inside, as pure functions: over all logs that an operator can write."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeys.canvas.events_and_commands import Entry, Note, ZonesAnswer
from journeys.canvas.plan import compile
from journeys.engine.core.life import (
    AFTER,
    LETS_IN,
    Change,
    Present,
    current,
    dropped,
    runs_may,
    shown,
    to_drive,
)
from tests.stage import canvas, definitions_of

NOON = datetime(2026, 12, 7, 12, tzinfo=UTC)
"""A Monday."""

STEPS = """
  - {type: delay, id: d, duration: 1 hour}
  - {type: delay, id: nine, duration: 1 hour, at: "09:00", zone: local}
  - {type: delay, id: days, calendar_days: 1}
  - {type: delay, id: monday, weekdays: [monday], at: "13:00", when_passed: advance}
  - {type: delay, id: until, until: 2026-12-07T13:00}
  - {type: message, id: evening, channel: email, template: hello, at: "18:00"}
  - {type: message, id: best, channel: email, template: hello, at: best_time, on_fail: exit}
  - {type: context, id: asks, set: [{name: a, value: "{% connected_content https://example.com/ %}"}]}
  - {type: delay, id: e, duration: 1 hour}
"""
PLAN = compile(definitions_of(canvas(STEPS)).canvases["story"].value)
ZONES = ZonesAnswer("UTC", "Europe/Paris")


def at(minute: float) -> datetime:
    return NOON + timedelta(minutes=minute)


def asleep(until: float | None, begun: float = 0, step: str = "d", phase: str = "") -> Entry:
    """An entry that came to its step at that minute, and waits until another."""
    wake_at = None if until is None else at(until)
    return Entry(
        id="e", canvas="story", person="p", moved=at(begun), entered=NOON, variant="all", step=step, begun=at(begun),
        wake_at=wake_at, phase=phase,
    )  # fmt: skip


def now(entry: Entry, changes: list[Change], change: int = 1) -> Present:
    return current(PLAN, entry, change, changes, ZONES)


def log(*words: tuple[str, float], timers: str | None = None) -> list[Change]:
    """The changes after the first publication; `timers` are those of each resume."""
    return [
        Change(number, word, at(minute), at(minute), timers if word == "resume" else None)
        for number, (word, minute) in enumerate(words, start=2)
    ]


@st.composite
def logs(draw: Any, without: tuple[str, ...] = ()) -> list[Change]:
    """Any log: each word where it changes something, publications anywhere."""
    status, minute, changes = "active", 0, []
    for no in range(2, draw(st.integers(0, 8)) + 2):
        after = AFTER_A_PUBLICATION if status == "archived" else {**STAYS, **_changing(status)}
        word = draw(st.sampled_from(sorted(after.keys() - set(without))))
        status = after[word] or status
        minute += draw(st.integers(0, 20))
        timers = draw(st.sampled_from(["shift", "send", "skip"])) if word == "resume" else None
        changes.append(Change(no, word, at(minute), at(minute), timers))
    return changes


STAYS = {"publish": ""}
AFTER_A_PUBLICATION = {"publish": "active"}


def _changing(status: str) -> dict[str, str]:
    return {word: ways[status] for word, ways in AFTER.items() if status in ways and ways[status] != status}


DUE = st.one_of(st.none(), st.integers(0, 100))


def stops(changes: list[Change]) -> list[tuple[datetime, datetime]]:
    """The times during which a canvas was stopped and resumed afterwards."""
    found, begun = [], None
    for each in changes:
        if each.kind == "stop":
            begun = each.at
        elif each.kind == "resume" and begun is not None:
            found.append((begun, each.at))
        if each.kind in ("resume", "archive"):
            begun = None
    return found


# Stops and archives ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("resumed", "ended"),
    [(3.5 * 60, "stopped"), (160, None), (181, None), (181.1, "stopped")],
)
def test_who_was_due_while_the_canvas_was_stopped_leaves_at_the_resume_and_who_was_not_goes_on_as_planned(
    resumed: float, ended: str | None
) -> None:
    """X4, STA-3, case 121: stopped at 14:30, due at 15:01; resumed at 14:40 she goes on at 15:01, at 15:30 she leaves."""
    found = now(asleep(181), log(("stop", 150), ("resume", resumed)))

    assert (found.entry.ended, found.change, found.parked) == (ended, 3, False)
    if ended:
        assert found.commands == (Note(fact="ended", at=at(resumed), step="d", data={"reason": "stopped"}),)
    else:
        assert found.entry.wake_at == at(181)


def test_who_was_due_before_the_stop_or_waits_for_nothing_goes_on_at_the_resume_at_the_earliest() -> None:
    """X4: that fell due before, and was only not carried out yet."""
    for due in (29.9, None):
        found = now(asleep(due), log(("stop", 30), ("resume", 90)))
        assert (found.entry.ended, found.entry.moved) == (None, at(90))


@given(DUE, logs(without=("pause",)))
def test_an_entry_ends_by_the_log_if_it_was_due_in_a_stop_or_met_an_archive(
    due: int | None, changes: list[Change]
) -> None:
    """X4, STA-1"""
    found = now(asleep(due), changes)
    firsts = [each.no for each in changes if each.kind == "archive"][:1]
    before = [each for each in changes if not firsts or each.no < firsts[0]]
    missed = due is not None and any(begun <= at(due) < end for begun, end in stops(before))

    assert found.entry.ended == ("stopped" if missed else "archived" if firsts else None)
    assert (found.entry.step, found.entry.begun) == ("d", NOON)


@given(DUE, st.sampled_from(list(PLAN.steps)), logs(), st.data())
def test_it_makes_no_difference_when_and_how_often_an_entry_is_brought_to_the_present(
    due: int | None, step: str, changes: list[Change], data: Any
) -> None:
    """Whoever reads it, and writes back or not, comes to the same: what it has behind it need not be read again.

    The parked are not written.
    """
    cut = data.draw(st.integers(0, len(changes)))
    first = now(asleep(due, step=step), changes[:cut])
    rest = [each for each in changes if each.no > first.change]
    whole = now(asleep(due, step=step), changes)

    second = first
    if first.parked:
        second = now(asleep(due, step=step), changes)
    elif not first.entry.ended:
        second = now(first.entry, rest, first.change)
    assert second == whole
    assert not changes or whole.change <= changes[-1].no


@given(DUE, logs())
def test_a_stop_or_a_pause_that_lasts_is_never_behind_an_entry(
    due: int | None, changes: list[Change]
) -> None:
    """So it is met again at each reading, and the resume finds it."""
    found = now(asleep(due), changes)
    last = next((each for each in reversed(changes) if each.kind != "publish"), None)
    if found.entry.ended is None:
        assert found.parked == (last is not None and last.kind in ("stop", "pause"))
        assert not found.parked or last is None or found.change < last.no


@given(DUE, logs(without=("pause",)))
def test_a_message_is_dropped_as_its_entry_would_be(due: int | None, changes: list[Change]) -> None:
    """STA-2: what fell due while the canvas was stopped, and what an archive found; what was due before, or is later, not."""
    instant = None if due is None else at(due)

    assert dropped(at(-1), instant, changes) == now(asleep(due), changes).entry.ended


def test_a_canvas_is_idle_when_its_window_is_over_and_nobody_is_inside() -> None:
    assert shown("active", inside=0, over=True) == "idle"
    for status, inside, over in (("active", 1, True), ("active", 0, False), ("stopped", 0, True)):
        assert shown(status, inside=inside, over=over) == status


@pytest.mark.parametrize(
    ("due", "reason"),
    [(None, None), (5, None), (15, "stopped"), (25, None), (35, "stopped"), (45, None)],
)
def test_a_message_that_fell_due_in_any_stop_is_dropped(due: float | None, reason: str | None) -> None:
    """X4: before, between and after stops it is sent."""
    changes = log(("stop", 10), ("resume", 20), ("stop", 30), ("resume", 40))

    assert dropped(at(0), None if due is None else at(due), changes) == reason


# Pauses ----------------------------------------------------------------------------------------------------------


@st.composite
def pauses(draw: Any) -> list[tuple[int, int]]:
    """Pauses one after the other, from a minute to another."""
    found, minute = [], 0
    for _ in range(draw(st.integers(0, 5))):
        since = minute + draw(st.integers(0, 30))
        minute = since + draw(st.integers(0, 30))
        found.append((since, minute))
    return found


def logged(spans: list[tuple[int, int]], timers: str = "shift") -> list[Change]:
    words = [word for since, until in spans for word in (("pause", since), ("resume", until))]
    return log(*words, timers=timers)


def waited(span: int, begun: int, spans: list[tuple[int, int]]) -> int:
    """The first minute outside of all pauses at which so many minutes outside of them have passed: counted one by one."""
    minute = begun
    while True:
        halted = any(since <= minute < until for since, until in spans)
        if span == 0 and not halted:
            return minute
        span -= not halted
        minute += 1


@given(st.integers(0, 60), st.integers(0, 60), pauses(), st.data())
def test_after_pauses_a_span_is_due_as_much_later_as_it_waited_of_them(
    begun: int, span: int, spans: list[tuple[int, int]], data: Any
) -> None:
    """STA-3: whichever pauses there are, also where the wait began during one, and however often the entry is read."""
    entry, changes = asleep(begun + span, begun), logged(spans)
    cut = data.draw(st.integers(0, len(changes)))
    first = now(entry, changes[:cut])
    found = now(first.entry, [each for each in changes if each.no > first.change], first.change)

    assert found.entry.wake_at == at(waited(span, begun, spans))
    assert (found.entry.begun, found.change, found.parked) == (at(begun), len(changes) + 1, False)
    assert found.entry == now(entry, changes).entry


@given(st.integers(0, 60), st.sampled_from(["send", "skip"]), pauses())
def test_without_a_shift_a_deadline_stays_where_it_is(
    due: int, timers: str, spans: list[tuple[int, int]]
) -> None:
    """STA-3: what is overdue goes on at once, or as if it had not been late."""
    found = now(asleep(due), logged(spans, timers))

    assert found.entry.wake_at == at(due)
    ends = [at(until) for _, until in spans]
    assert found.entry.moved == (max([NOON, *ends]) if timers == "send" else NOON)


@pytest.mark.parametrize(
    ("step", "due", "next_"),
    [
        ("nine", "2026-12-08T08:00", "2026-12-10T08:00"),
        ("days", "2026-12-08T00:00", "2026-12-10T00:00"),
        ("monday", "2026-12-07T13:00", "2026-12-14T13:00"),
        ("until", "2026-12-07T13:00", "2026-12-09T13:30"),
        ("evening", "2026-12-07T17:00", "2026-12-09T17:00"),
        ("best", "2026-12-07T16:20", "2026-12-09T16:20"),
    ],
)
def test_a_time_of_the_wall_clock_that_fell_into_a_pause_is_its_next_occurrence(
    step: str, due: str, next_: str
) -> None:
    """STA-3: by the clock of the company or the person; an instant that has passed comes at the resume."""
    minutes = (datetime.fromisoformat(due).replace(tzinfo=UTC) - NOON) / timedelta(minutes=1)
    entry = asleep(minutes, step=step, phase="when")
    found = now(entry, log(("pause", 30), ("resume", 2 * 1440 + 90), timers="shift"))

    assert found.entry.wake_at == datetime.fromisoformat(next_).replace(tzinfo=UTC)
    for halted in ((30, 40), (minutes + 10, minutes + 20)):
        words = log(("pause", halted[0]), ("resume", halted[1]), timers="shift")
        assert now(entry, words).entry.wake_at == entry.wake_at, "before or after it: it is as it was"


@pytest.mark.parametrize("timers", ["shift", "send", "skip"])
@pytest.mark.parametrize(("step", "phase"), [("best", "held"), ("asks", "asked")])
def test_a_pause_does_not_count_into_the_time_that_an_entry_waits_for_others(
    step: str, phase: str, timers: str
) -> None:
    """STA-3: nobody is asked meanwhile, and nothing leaves."""
    entry = asleep(72 * 60, step=step, phase=phase)
    found = now(entry, log(("pause", 60), ("resume", 100 * 60), timers=timers))

    assert found.entry.wake_at == at((72 + 99) * 60)


@pytest.mark.parametrize("timers", ["shift", "send", "skip"])
def test_who_enters_during_a_pause_begins_at_the_resume(timers: str) -> None:
    """STA-3: before the first step there is nothing that could be skipped."""
    entry = Entry(id="e", canvas="story", person="p", moved=at(30), entered=at(30))
    found = to_drive(PLAN, entry, 1, log(("pause", 20), ("resume", 50), timers=timers), ZONES)

    assert (found.entry, found.skip) == (replace(entry, moved=at(50)), None)


def test_while_a_pause_lasts_a_deadline_that_was_ahead_may_still_move() -> None:
    """So an event after it is kept for the step until the resume says whether it came in time."""
    paused, stopped = log(("pause", 20)), log(("pause", 20), ("stop", 30))
    for due, movable in ((19, False), (20, True), (60, True), (None, False)):
        for changes in (paused, stopped):
            found = now(asleep(due), changes)
            assert (found.movable, found.parked) == (movable, True)
    assert not now(asleep(60), log(("stop", 20))).movable


@pytest.mark.parametrize(
    ("timers", "due", "ended", "wakes"),
    [
        ("shift", 25, "stopped", None),  # five minutes were left at the pause: ten after it, in the stop
        ("shift", 29.9, "stopped", None),
        ("shift", 60, None, 70),
        ("send", 25, None, 25),
        ("send", 35, "stopped", None),
        ("skip", 25, None, 25),
        ("skip", 35, "stopped", None),
    ],
)
def test_a_stop_in_a_pause_ends_the_pause_and_whoever_is_due_in_the_stop_leaves(
    timers: str, due: float, ended: str | None, wakes: float | None
) -> None:
    """STA-3: paused from minute 20, stopped at minute 30, resumed at minute 50."""
    found = now(asleep(due), log(("pause", 20), ("stop", 30), ("resume", 50), timers=timers))

    assert (found.entry.ended, found.entry.wake_at) == (ended, None if wakes is None else at(wakes))


@pytest.mark.parametrize(
    ("timers", "sent", "due", "reason"),
    [
        ("skip", 0, None, None),
        ("skip", 0, 5, None),
        ("skip", 0, 15, "skipped"),
        ("skip", 10, None, "skipped"),  # its burst was under way when the canvas was paused
        ("skip", 0, 25, "stopped"),
        ("skip", 0, 35, None),
        ("send", 10, 15, None),
        ("shift", 0, 15, None),
        ("shift", 0, 25, "stopped"),
        ("shift", 0, 45, "stopped"),
    ],
)
def test_a_message_that_waits_leaves_after_a_pause_unless_its_instant_is_skipped(
    timers: str, sent: float, due: float | None, reason: str | None
) -> None:
    """STA-3: paused from minute 10, stopped from minute 20 to minute 30; stopped once more from 40 to 50."""
    words = (("pause", 10), ("stop", 20), ("resume", 30), ("stop", 40), ("resume", 50), ("publish", 60))

    assert dropped(at(sent), None if due is None else at(due), log(*words, timers=timers)) == reason
    assert dropped(at(sent), None, log(("pause", 10), ("archive", 20))) == "archived"


def test_a_status_says_who_enters_and_what_runs_do() -> None:
    """STA-3: while a canvas is paused people enter by event and API, and its runs are held."""
    said = {status: (status in LETS_IN, runs_may(status)) for status in ("draft", *AFTER["archive"])}
    assert said == {
        "draft": (False, "end"),
        "active": (True, "go_on"),
        "paused": (True, "hold"),
        "stopped": (False, "end"),
        "archived": (False, "end"),
    }


def test_only_an_active_canvas_is_paused_and_only_what_is_inside_is_stopped() -> None:
    """STA-3: a draft is launched by a resume, or archived; it has nobody inside."""
    assert {word: set(AFTER[word]) for word in AFTER} == {
        "stop": {"active", "paused", "stopped"},
        "pause": {"active", "paused"},
        "resume": {"draft", "active", "stopped", "paused"},
        "archive": {"draft", "active", "stopped", "paused", "archived"},
    }
