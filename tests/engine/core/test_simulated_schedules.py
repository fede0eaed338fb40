"""Schedules by the clock in a simulation: whole audiences come at each occurrence, by the gates of production."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from journeys.canvas.plan import Plan, compile
from journeys.canvas.yaml_definitions import read_text
from journeys.engine.audience.match import Person
from journeys.engine.core.simulate import Probabilities, simulate
from tests.stage import canvas

MONDAY = datetime(2026, 12, 7, 8, 0, tzinfo=UTC)
WAIT = "  - {type: delay, id: wait, duration: 30 hours}\n  - {type: delay, id: more, duration: 1 day}"


def plan_of(schedule: str, more: str = "", steps: str = WAIT) -> Plan:
    [found], problems = read_text(canvas(steps, schedule=schedule, more=more))
    assert problems == []
    return compile(found.value)


@pytest.mark.parametrize(
    ("schedule", "more", "entered", "refused"),
    [
        ('{every: day, at: "09:00"}', "", 1, {"already_entered": 3}),
        ('{every: day, at: "09:00"}', "reentry: {after: 0 days}", 4, {}),
        ('{every: day, at: "09:00"}', "reentry: {after: 2 days}", 2, {"reentry_window": 2}),
        ('{every: day, at: "09:00"}', "reentry: {after: 0 days, overlap: false}", 2, {"still_inside": 2}),
        ('{every: day, at: "09:00", times: 3}', "reentry: {after: 0 days}", 3, {}),
        ("{once: 2026-12-09T10:00}", "", 1, {}),
        ("{at_launch: true}", "", 1, {}),
        ("{event: signed_up}", "", 1, {}),
    ],
)
def test_each_occurrence_lets_in_whom_the_gates_let_through(
    schedule: str, more: str, entered: int, refused: dict[str, int]
) -> None:
    """ENT-1, ENT-6, CTL-3, CTL-5: made-up people and real ones alike."""
    plan = plan_of(schedule, more)
    people = [Person("mel", "UTC"), Person("kim", "UTC")]
    for who in (2, people):
        report = simulate(plan, who, starts=MONDAY, occurrences=4)
        assert report.people == 2
        assert sum(report.entered.values()) == 2 * entered
        assert report.refused == {gate: 2 * count for gate, count in refused.items()}


@pytest.mark.parametrize("starts", [MONDAY, MONDAY + timedelta(minutes=31, seconds=7)])
def test_at_launch_everybody_comes_at_the_five_minutes_before_it(starts: datetime) -> None:
    """ENT-4: a simulation begins at any moment, as a launch does; one by local time takes who is still to come: ENT-8."""
    people = [Person("paris", "Europe/Paris"), Person("lima", "America/Lima")]

    assert sum(simulate(plan_of("{at_launch: true}"), people, starts=starts).entered.values()) == 2
    nine = plan_of("{once: 2026-12-07T09:00, zone: local}")
    assert sum(simulate(nine, people, starts=starts).entered.values()) == (2 if starts == MONDAY else 1)


def test_by_local_time_each_comes_at_their_own_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    """ENT-2"""
    plan = plan_of("{once: 2026-12-09T10:00, zone: local}")
    came: dict[str, datetime] = {}
    from journeys.engine.core import simulate as module

    real = module.run

    def noting(plan: Plan, name: str, starts: datetime, *given: Any, **more: Any) -> Any:
        came[name] = starts
        return real(plan, name, starts, *given, **more)

    monkeypatch.setattr(module, "run", noting)
    simulate(plan, [Person("tokyo", "Asia/Tokyo"), Person("lima", "America/Lima")], starts=MONDAY)
    assert came == {
        "tokyo": datetime(2026, 12, 9, 1, tzinfo=UTC),
        "lima": datetime(2026, 12, 9, 15, tzinfo=UTC),
    }


def test_who_is_not_in_the_audience_stays_out_of_every_occurrence() -> None:
    """ENT-6: by chance where nothing is known, and the limit of a run counts each run by itself."""
    plan = plan_of(
        '{every: day, at: "09:00"}', "audience: {attribute: likes, equals: running}\nreentry: {after: 0 days}"
    )
    report = simulate(plan, 400, starts=MONDAY, probabilities=Probabilities(matches=0.25), occurrences=2)
    assert report.refused["audience"] == 800 - sum(report.entered.values())
    assert 120 < sum(report.entered.values()) < 280
    limited = plan_of(
        '{every: day, at: "09:00"}', "entry_limit: {entries: 3, per: day}\nreentry: {after: 0 days}"
    )
    report = simulate(limited, 10, starts=MONDAY, occurrences=2)
    assert (sum(report.entered.values()), report.refused) == (6, {"entry_limit": 14})
    assert report.longest == timedelta(hours=30)
