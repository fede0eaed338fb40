"""How long a workspace keeps its data, as a definition says it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from journeys.canvas.definition_kinds import WorkspaceSettings, parse
from journeys.canvas.retention import Retention
from journeys.canvas.yaml_definitions import read_text

WORKSPACE = "kind: workspace\nformat: 1\nname: shop\nretention: "


def test_it_is_written_in_years_or_as_any_span() -> None:
    [found], problems = read_text(
        WORKSPACE + "{events: 2 years, facts: 1 YEAR, refusals: 90 days, runs: P400D}\n"
    )

    assert problems == []
    assert found.value.retention == Retention(
        events=timedelta(days=730),
        facts=timedelta(days=365),
        refusals=timedelta(days=90),
        runs=timedelta(days=400),
    )


def test_it_is_stored_as_it_was_written() -> None:
    retention = {"events": "2 years", "facts": "1 year", "refusals": "90 days"}
    stored = parse("workspace", {"name": "shop", "retention": retention}).model_dump(mode="json")

    assert stored["retention"] == retention
    assert parse("workspace", stored).retention.events == timedelta(days=730)


def test_a_workspace_that_keeps_everything_is_stored_as_before() -> None:
    assert "retention" not in WorkspaceSettings(name="shop").model_dump(mode="json")


@pytest.mark.parametrize(
    ("said", "code", "place"),
    [
        ("{events: 30 days}", "J403", (4, 21)),
        ("{events: 200 years}", "J403", (4, 21)),
        ("{facts: 2 yaers}", "J107", (4, 20)),
        ("{facts: 7}", "J107", (4, 20)),
        ("{event: 1 year}", "J101", (4, 13)),
    ],
)
def test_what_cannot_be_is_a_problem_at_its_place(said: str, code: str, place: tuple[int, int]) -> None:
    _, [problem] = read_text(WORKSPACE + said + "\n")

    assert (problem.code, (problem.where.line, problem.where.column)) == (code, place)


def test_thirty_one_days_can_be_said() -> None:
    _, problems = read_text(WORKSPACE + "{events: 31 days}\n")

    assert problems == []
