"""Who gets which variant and which path: written down, so that no release and no process assigns anybody otherwise."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from journeys.canvas.assignment import hash_fraction
from journeys.canvas.canvas import Canvas, Schedule, Variant
from journeys.canvas.events_and_commands import Entered, Entry, Go, Note
from journeys.canvas.plan import compile
from journeys.canvas.steps import ExperimentControl, ExperimentPath, ExperimentPaths
from journeys.canvas.steps.base import Here
from journeys.engine.core.machine import advance

NOW = datetime(2026, 12, 7, tzinfo=UTC)
PEOPLE = [f"p{number}" for number in range(24)]


def variants(canvas: str) -> str:
    """The variants of twenty-four people in a canvas, a letter each: half of them a, three in ten b, the others c."""
    shares = (Variant(name="a", weight=50), Variant(name="b", weight=30))
    control = Variant(name="c", weight=20, control=True)
    plan = compile(Canvas(name=canvas, schedule=Schedule(api=True), variants=(*shares, control)))
    return "".join(plan.variant_of(person).name for person in PEOPLE)


def paths(canvas: str, step: str, *, entry: str = "e") -> str:
    """The ways of twenty-four people at an experiment, a letter each; c is the control group's."""
    shares = (ExperimentPath(name="a", weight=50), ExperimentPath(name="b", weight=30))
    experiment = ExperimentPaths(id=step, paths=shares, control=ExperimentControl(weight=20))
    ways = []
    for person in PEOPLE:
        at = Entry(id=entry, canvas=canvas, person=person, moved=NOW, entered=NOW, step=step)
        outcome = experiment.arrive(Here(at, NOW, last=False))
        assert isinstance(outcome, Go)
        ways.append(outcome.exit[0])
    return "".join(ways)


def test_a_person_has_one_variant_of_a_canvas_for_good() -> None:
    """VAR-2: it depends on the person and the canvas, and on nothing else."""
    assert hash_fraction("mel", "story") == 0.8365467377178633
    assert variants("story") == "cbcaaaaacaaabbaaaacbbaab"
    assert variants("other") == "bccaacaaccbacbccccaaabaa"


def test_who_enters_gets_the_variant_that_is_theirs_and_keeps_it() -> None:
    """VAR-2: the machine says which."""
    shares = (Variant(name="a", weight=50), Variant(name="b", weight=50))
    plan = compile(Canvas(name="story", schedule=Schedule(api=True), variants=shares))

    for person in PEOPLE[:6]:
        entry = Entry(id="e", canvas="story", person=person, moved=NOW, entered=NOW)
        after, said = advance(plan, entry, Entered(), NOW)
        assert after.variant == plan.variant_of(person).name
        assert said[0] == Note(fact="entered", at=NOW, data={"variant": after.variant})
        assert advance(plan, replace(after, ended=None), Entered(), NOW) == (replace(after, ended=None), ())


def test_a_person_goes_one_way_at_an_experiment_for_good() -> None:
    """EXP-3: it depends on the person, the canvas and the step, and not on the entry."""
    assert paths("story", "offer") == "abbaacbccaaaababacbcbaca"
    assert paths("story", "gift") == "cabcbaaaaccbabaccaaaaacc"
    assert paths("other", "offer") == "aaacbbababbabbaacaaaaacc"
    assert paths("story", "offer", entry="another") == paths("story", "offer")


@pytest.mark.parametrize("seed", ["1", "2"])
def test_another_process_draws_the_same(seed: str) -> None:
    """VAR-2, EXP-3: also where Python's own hashes are seeded otherwise."""
    said = subprocess.run(
        [sys.executable, "-c", "from tests.canvas.test_assignment import *; print(variants('story'), paths('story', 'offer'))"],
        cwd=Path(__file__).parents[2], env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert said.stdout.split() == ["cbcaaaaacaaabbaaaacbbaab", "abbaacbccaaaababacbcbaca"]


def test_fractions_lie_evenly() -> None:
    drawn = [hash_fraction(f"p{number}", "story") for number in range(2000)]

    assert 0.45 < sum(drawn) / 2000 < 0.55
    assert 0.2 < sum(each < 0.25 for each in drawn) / 2000 < 0.3
