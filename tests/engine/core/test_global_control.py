"""The global control group: who is in it, and whom a canvas keeps out for it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from journeys.canvas.definition_kinds import GlobalControl, WorkspaceSettings
from journeys.engine.audience.match import Person
from journeys.engine.core.gates import Candidate, opening, refusal, seen
from journeys.engine.core.global_control import BUCKETS, held_out, samples
from journeys.engine.core.simulate import simulate
from tests.engine.core.test_decisions import MAIL, PARIS, plan_of
from tests.stage import MONDAY as NOW

FIVE = GlobalControl(share=5, except_tags=("transactional",))


@pytest.mark.parametrize("share", [1, 5, 15])
def test_the_group_has_exactly_its_share_of_the_buckets_and_of_each_part_of_them(share: int) -> None:
    """GCG-1: no filter by bucket takes more of them than of the others."""
    group = held_out(GlobalControl(share=share), 1, ())

    assert len(group) == BUCKETS * share // 100
    tenths = Counter(bucket // 1000 for bucket in group)
    assert all(0.5 * share < tenths[tenth] / 10 < 1.6 * share for tenth in range(10))


@pytest.mark.parametrize("share", [1, 5, 15])
def test_the_sample_of_the_others_is_as_large_and_spread_in_the_same_way(share: int) -> None:
    """GCG-1"""
    group, sample = samples(share, 1)

    assert group == held_out(GlobalControl(share=share), 1, ())
    assert (len(sample), group & sample) == (len(group), frozenset())
    tenths = Counter(bucket // 1000 for bucket in sample)
    assert all(0.3 * share < tenths[tenth] / 10 < 2 * share for tenth in range(10))


def test_each_drawing_takes_others_and_the_same_one_always_the_same() -> None:
    """GCG-4: about five per cent of the first group are in the second one."""
    first, second = held_out(FIVE, 1, ()), held_out(FIVE, 2, ())

    assert held_out(FIVE, 1, ("other",)) == first
    assert len(first & second) < 0.12 * len(first)


def test_a_canvas_with_an_excepted_tag_and_a_workspace_without_a_group_keep_nobody_out() -> None:
    """GCG-3"""
    assert held_out(FIVE, 1, ("editorial", "transactional")) == frozenset()
    assert held_out(None, 1, ()) == frozenset()


def test_the_gate_comes_after_the_audience_so_that_it_counts_those_who_would_have_entered() -> None:
    """AUD-2, GCG-2"""
    door = opening(
        plan_of(MAIL, more="audience: {attribute: vip, equals: true}"), PARIS, held_out=frozenset({7})
    )
    mel = Person("mel", bucket=7)
    candidate = Candidate(person=replace(mel, custom={"vip": True}), at=NOW)

    assert refusal(door, Candidate(person=mel, at=NOW)) == "audience"
    assert refusal(door, candidate) == "global_control"
    assert seen(door, candidate, "global_control") == {"bucket": 7}
    assert refusal(door, replace(candidate, person=replace(candidate.person, bucket=8))) is None


def test_made_up_people_of_the_group_do_not_enter_in_the_simulator_either() -> None:
    plan = plan_of(MAIL)
    report = simulate(plan, 4000, starts=NOW, held_out=held_out(FIVE, 1, ()))

    assert 140 < report.refused["global_control"] < 260
    assert report.refused["global_control"] + sum(report.entered.values()) == 4000
    known = [Person(f"p{bucket}", bucket=bucket) for bucket in sorted(held_out(FIVE, 1, ()))[:3]]
    assert dict(simulate(plan, known, starts=NOW, held_out=held_out(FIVE, 1, ())).refused) == {
        "global_control": 3
    }


@pytest.mark.parametrize(
    ("given", "at"),
    [
        ({"share": 0}, ("share",)),
        ({"share": 16}, ("share",)),
        ({"share": 2.5}, ("share",)),
        ({"share": 5, "except_tags": "transactional"}, ("except_tags",)),
        ({"share": 5, "except": ["transactional"]}, ("except",)),
        ({}, ("share",)),
    ],
)
def test_a_share_is_a_whole_number_of_one_to_fifteen_per_cent(given: Any, at: tuple[str, ...]) -> None:
    """GCG-1"""
    with pytest.raises(ValidationError) as told:
        GlobalControl.model_validate(given)
    assert [each["loc"] for each in told.value.errors()] == [at]


def test_an_excepted_tag_is_one_of_the_workspaces_where_it_lists_them() -> None:
    given = {"name": "default", "global_control": {"share": 5, "except_tags": ["transactionl"]}}
    assert WorkspaceSettings.model_validate(given).global_control is not None
    with pytest.raises(ValidationError, match="no tag “transactionl”"):
        WorkspaceSettings.model_validate({**given, "tags": ["transactional"]})
