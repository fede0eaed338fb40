"""Entry limits as pure functions: in which period an admission falls, and how many places are left in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from journeys.canvas.canvas import Canvas, Schedule
from journeys.canvas.entry_rules import EntryLimit
from journeys.engine.core.gates import Period, full, period_of, places
from journeys.engine.core.simulate import simulate
from tests.engine.core.test_decisions import MAIL, plan_of

NOW = datetime(2026, 12, 7, 23, 30, tzinfo=UTC)
RUN = UUID(int=7)


def limit(per: Any, entries: int = 1000) -> EntryLimit:
    return EntryLimit(entries=entries, per=per)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


PERIODS = [
    ("hour", "2026-12-07T23:30Z", "Asia/Kathmandu", Period("hour 2026-12-07T23Z", at("2026-12-07T23:00Z"), at("2026-12-08T00:00Z"))),
    ("hour", "2026-10-25T01:30+01:00", "Europe/Paris", Period("hour 2026-10-25T00Z", at("2026-10-25T00:00Z"), at("2026-10-25T01:00Z"))),
    ("hour", "2026-10-25T02:30+01:00", "Europe/Paris", Period("hour 2026-10-25T01Z", at("2026-10-25T01:00Z"), at("2026-10-25T02:00Z"))),
    ("day", "2026-12-07T23:30Z", "Europe/Paris", Period("day 2026-12-08", at("2026-12-08T00:00+01:00"), at("2026-12-09T00:00+01:00"))),
    ("day", "2026-12-07T23:30Z", "Asia/Kathmandu", Period("day 2026-12-08", at("2026-12-08T00:00+05:45"), at("2026-12-09T00:00+05:45"))),
    ("day", "2026-12-07T23:30Z", "America/Lima", Period("day 2026-12-07", at("2026-12-07T00:00-05:00"), at("2026-12-08T00:00-05:00"))),
    ("day", "2026-03-29T12:00Z", "Europe/Paris", Period("day 2026-03-29", at("2026-03-29T00:00+01:00"), at("2026-03-30T00:00+02:00"))),
    ("day", "2018-11-04T12:00Z", "America/Sao_Paulo", Period("day 2018-11-04", at("2018-11-04T03:00Z"), at("2018-11-05T02:00Z"))),
    ("run", "2026-12-07T23:30Z", "UTC", Period(f"run {RUN}")),
    ("lifetime", "2026-12-07T23:30Z", "UTC", Period("lifetime")),
]  # fmt: skip


@pytest.mark.parametrize(("per", "now", "company", "period"), PERIODS)
def test_an_hour_is_one_of_utc_and_a_day_one_of_the_company(
    per: str, now: str, company: str, period: Period
) -> None:
    """CTL-7, X12: days as long as the clocks of the company make them."""
    assert period_of(limit(per), at(now), company, RUN) == period


@given(st.integers(1, 50), st.integers(0, 60), st.integers(0, 60))
def test_never_more_enter_than_there_are_places_and_all_for_whom_there_is_one(
    entries: int, taken: int, wanted: int
) -> None:
    """CTL-7: also where a new limit is lower than what has entered."""
    found = places(limit("day", entries), taken, wanted)

    assert 0 <= found <= wanted
    assert found == wanted or max(taken, entries) == taken + found


def test_the_gate_says_the_limit_and_when_there_are_places_again() -> None:
    day = period_of(limit("day"), NOW, "UTC")

    assert full(limit("day"), day) == {"limit": 1000, "per": "day", "until": at("2026-12-08T00:00Z")}
    assert full(limit("lifetime"), Period("lifetime")) == {"limit": 1000, "per": "lifetime"}


def test_a_limit_by_run_is_for_canvases_that_have_runs() -> None:
    for schedule in (Schedule(api=True), Schedule(event="ping")):
        with pytest.raises(ValidationError, match="has no runs"):
            Canvas(name="story", schedule=schedule, entry_limit=limit("run"))
        assert Canvas(name="story", schedule=schedule, entry_limit=limit("day")).entry_limit == limit("day")


@pytest.mark.parametrize(
    "given_",
    [
        {"entries": 0, "per": "day"},
        {"entries": 1.5, "per": "day"},
        {"entries": 5, "per": "week"},
        {"entries": 5},
        {"per": "day"},
    ],
)
def test_a_limit_has_a_whole_number_and_a_period(given_: Any) -> None:
    with pytest.raises(ValidationError):
        EntryLimit.model_validate(given_)


def test_the_simulator_lets_in_so_many_and_no_more() -> None:
    """The first who pass the other gates; those whom the audience refuses take no place."""
    plan = plan_of(
        MAIL, more="audience: {attribute: vip, equals: true}\nentry_limit: {entries: 30, per: hour}"
    )

    report = simulate(plan, 200, starts=NOW - timedelta(days=1))

    assert sum(report.entered.values()) == 30
    assert report.refused["entry_limit"] + report.refused["audience"] == 170
    assert 50 < report.refused["audience"] < 150
