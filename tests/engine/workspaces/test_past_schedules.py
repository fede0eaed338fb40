"""A schedule whose last occurrence is past is not published; one that has run goes on standing in its file."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from journeys.canvas.yaml_definitions import Definitions, read_text
from journeys.engine.workspaces.inventory import problems_together
from journeys.engine.workspaces.validate import problems_of

SETTINGS = "kind: workspace\nformat: 1\nname: default\nzone: Europe/Paris\n---\n"
CANVAS = "kind: canvas\nformat: 1\nname: c\nsteps: [{type: delay, id: d, duration: 1 day}]\nschedule: "
CODES = ("J407", "J915", "J916")


def given(schedule: str, settings: str = SETTINGS) -> Definitions:
    found = Definitions()
    for one in read_text(settings + CANVAS + schedule + "\n", "c.yaml")[0]:
        found.add(one)
    return found


def said(found: Definitions, now: str, stands: Definitions | None = None) -> list[str]:
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    problems = (
        problems_of(found, {}, at) if stands is None else problems_together(stands, found, {}, "default", at)
    )
    return [str(one) for one in problems if one.code in CODES]


ONCE = "{once: 2026-12-01T09:00}"
ENDED = "{every: day, at: '09:00', ends: 2026-12-01T10:00}"


@pytest.mark.parametrize("schedule", [ONCE, ENDED])
def test_a_schedule_that_is_past_is_a_warning_in_a_file_and_not_published_anew(schedule: str) -> None:
    """ENT-5: to the minute, by the company's clock."""
    found, nothing = given(schedule), Definitions()

    assert said(found, "2026-12-01T08:00") == said(found, "2026-12-01T08:00", nothing) == []
    [warning] = said(found, "2026-12-01T08:01")
    [refusal] = said(found, "2026-12-01T08:01", nothing)
    assert "J915 nobody would enter: this time is past (write a later one)" in warning
    assert "J407 nobody would enter" in refusal and refusal.startswith("c.yaml:10:")


def test_a_schedule_that_the_workspace_has_may_be_past() -> None:
    """ENT-5: a folder is published again and again, long after one of its canvases has run."""
    assert said(given(ONCE), "2027-01-01T00:00", given(ONCE)) == []
    assert len(said(given(ENDED), "2027-01-01T00:00", given(ONCE))) == 1


def test_without_a_company_a_time_is_past_when_it_is_past_everywhere() -> None:
    """ENT-5"""
    assert said(given(ONCE, ""), "2026-12-01T21:00") == []
    assert len(said(given(ONCE, ""), "2026-12-01T21:01")) == 1


def test_a_local_time_that_is_past_in_some_zones_is_a_warning() -> None:
    """ENT-8: once; who repeats it lets those people in the next time."""
    local = given("{once: 2026-12-01T09:00, zone: local}")

    assert said(local, "2026-11-30T19:00") == []
    [warning] = said(local, "2026-11-30T19:01", Definitions())
    assert "J916 this local time is past in some zones" in warning
    assert ["J407" in one for one in said(local, "2026-12-01T21:01", Definitions())] == [True]
    assert said(given("{every: day, at: '09:00', zone: local}"), "2026-12-01T08:01", Definitions()) == []
    assert said(given("{at_launch: true}"), "2026-12-01T08:01", Definitions()) == []
