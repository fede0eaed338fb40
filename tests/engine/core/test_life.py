"""What the changes of a canvas mean for those inside, as pure functions: over all logs that an operator can write."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeys.canvas.events_and_commands import Entry, Note
from journeys.canvas.plan import compile
from journeys.engine.core.life import AFTER, Change, current, dropped, shown
from tests.stage import canvas, definitions_of

NOON = datetime(2026, 12, 7, 12, tzinfo=UTC)
PLAN = compile(
    definitions_of(
        canvas("  - {type: delay, id: d, duration: 1 hour}\n  - {type: delay, id: e, duration: 1 hour}\n")
    )
    .canvases["story"]
    .value
)


def at(minute: float) -> datetime:
    return NOON + timedelta(minutes=minute)


def asleep(until: float | None) -> Entry:
    """An entry that came to its delay at noon."""
    wake_at = None if until is None else at(until)
    return Entry(
        id="e", canvas="story", person="p", moved=NOON, entered=NOON, variant="all", step="d", begun=NOON, wake_at=wake_at
    )  # fmt: skip


def log(*words: tuple[str, float]) -> list[Change]:
    """The changes after the first publication."""
    return [
        Change(number, word, at(minute), at(minute)) for number, (word, minute) in enumerate(words, start=2)
    ]


@st.composite
def logs(draw: Any) -> list[Change]:
    """Any log: each word where it changes something, publications anywhere."""
    status, minute, words = "active", 0.0, []
    for _ in range(draw(st.integers(0, 8))):
        after = AFTER_A_PUBLICATION if status == "archived" else {**STAYS, **_changing(status)}
        word = draw(st.sampled_from(sorted(after)))
        status = after[word] or status
        minute += draw(st.integers(0, 20))
        words.append((word, minute))
    return log(*words)


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


@pytest.mark.parametrize(
    ("resumed", "ended"),
    [(3.5 * 60, "stopped"), (160, None), (181, None), (181.1, "stopped")],
)
def test_who_was_due_while_the_canvas_was_stopped_leaves_at_the_resume_and_who_was_not_goes_on_as_planned(
    resumed: float, ended: str | None
) -> None:
    """X4, STA-3, case 121: stopped at 14:30, due at 15:01; resumed at 14:40 she goes on at 15:01, at 15:30 she leaves."""
    found = current(PLAN, asleep(181), 1, log(("stop", 150), ("resume", resumed)))

    assert (found.entry.ended, found.change, found.stopped) == (ended, 3, False)
    if ended:
        assert found.commands == (Note(fact="ended", at=at(resumed), step="d", data={"reason": "stopped"}),)
    else:
        assert found.entry.wake_at == at(181)


def test_who_was_due_before_the_stop_or_waits_for_nothing_goes_on_at_the_resume_at_the_earliest() -> None:
    """X4: that fell due before, and was only not carried out yet."""
    for due in (29.9, None):
        found = current(PLAN, asleep(due), 1, log(("stop", 30), ("resume", 90)))
        assert (found.entry.ended, found.entry.moved) == (None, at(90))


@given(DUE, logs())
def test_an_entry_ends_by_the_log_if_it_was_due_in_a_stop_or_met_an_archive(
    due: int | None, changes: list[Change]
) -> None:
    """X4, STA-1"""
    found = current(PLAN, asleep(due), 1, changes)
    firsts = [each.no for each in changes if each.kind == "archive"][:1]
    before = [each for each in changes if not firsts or each.no < firsts[0]]
    missed = due is not None and any(begun <= at(due) < end for begun, end in stops(before))

    assert found.entry.ended == ("stopped" if missed else "archived" if firsts else None)
    assert (found.entry.step, found.entry.begun) == ("d", NOON)


@given(DUE, logs(), st.data())
def test_it_makes_no_difference_when_and_how_often_an_entry_is_brought_to_the_present(
    due: int | None, changes: list[Change], data: Any
) -> None:
    """Whoever reads it, and writes back or not, comes to the same: what it has behind it need not be read again."""
    cut = data.draw(st.integers(0, len(changes)))
    first = current(PLAN, asleep(due), 1, changes[:cut])
    rest = [each for each in changes if each.no > first.change]
    whole = current(PLAN, asleep(due), 1, changes)

    second = current(PLAN, first.entry, first.change, rest) if not first.entry.ended else first
    assert (second.entry, second.change, second.stopped) == (whole.entry, whole.change, whole.stopped)
    assert not changes or whole.change <= changes[-1].no


@given(DUE, logs())
def test_a_stop_that_lasts_is_never_behind_an_entry(due: int | None, changes: list[Change]) -> None:
    """So it is met again at each reading, and the resume finds it."""
    found = current(PLAN, asleep(due), 1, changes)
    last = next((each for each in reversed(changes) if each.kind != "publish"), None)
    if found.entry.ended is None:
        assert found.stopped == (last is not None and last.kind == "stop")
        assert not found.stopped or last is None or found.change < last.no


@given(DUE, logs())
def test_a_message_is_dropped_as_its_entry_would_be(due: int | None, changes: list[Change]) -> None:
    """STA-2: what fell due while the canvas was stopped, and what an archive found; what was due before, or is later, not."""
    instant = None if due is None else at(due)

    assert dropped(instant, changes) == current(PLAN, asleep(due), 1, changes).entry.ended


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

    assert dropped(None if due is None else at(due), changes) == reason
