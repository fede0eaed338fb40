"""What a workspace may have of what all share: so much at once, so much in each second, and its turn among others."""

from __future__ import annotations

import asyncio

import pytest

from journeys.engine.fair_shares import LATELY, REMEMBERED, Allowance, AtWork, Lanes, Turns


def test_what_was_had_comes_back_with_time_and_what_was_too_much_is_paused_for() -> None:
    allowance = Allowance(at_once=1.0, each_second=0.25)
    allowance.spend(1, 1.5, 10.0)
    assert allowance.left(1, 10.0) == -0.5
    assert allowance.pause(1, 10.0) == 2.0
    assert allowance.pause(1, 12.0) == 0.0
    assert allowance.left(1, 99.0) == 1.0, "nothing is saved up beyond what it may have at once"
    assert allowance.left(2, 10.0) == 1.0, "no other has had anything"

    allowance.spend(2, 60.0, 10.0)
    assert allowance.pause(2, 10.0) == 4.0, "a minute too much is not paid back for minutes"


def test_so_many_workspaces_are_remembered_and_no_more() -> None:
    allowance = Allowance(at_once=1.0, each_second=0.25)
    for workspace in range(REMEMBERED + 1):
        allowance.spend(workspace, 1.0, 1.0)
    assert allowance.left(0, 1.0) == 1.0, "it is forgotten"
    assert allowance.left(REMEMBERED, 1.0) == 0.0


def test_those_who_come_again_come_one_after_the_other_and_those_of_others_between() -> None:
    turns = Turns(soonest=2.0, apart=0.5)
    assert [turns.next(1, 10.0) for _ in range(4)] == [2.0, 2.5, 3.0, 3.5]
    assert turns.next(2, 10.0) == 2.0
    assert turns.next(1, 12.0) == 2.0
    assert turns.next(1, 12.0) == 2.5
    assert turns.next(1, 50.0) == 2.0, "nobody is before it any more"


def test_a_workspace_is_at_work_for_a_moment_after_something_was_done_for_it() -> None:
    at_work = AtWork()
    at_work.add(1, 10.0)
    assert not at_work.others(1, 10.0)
    assert at_work.others(2, 10.0)
    at_work.add(2, 10.0)
    at_work.add(1, 10.1)
    assert at_work.others(1, 10.1)
    assert not at_work.others(1, 10.1 + LATELY)
    at_work.add(3, 10.2)
    assert at_work.others(1, 10.2)


async def test_who_has_a_lane_sees_that_another_workspace_waits_for_it() -> None:
    lanes = Lanes(1)
    async with lanes.held(1):
        own = asyncio.create_task(_once(lanes, 1))
        await asyncio.sleep(0)
        assert not lanes.wanted(1), "its own do not count"
        other = asyncio.create_task(_once(lanes, 2))
        await asyncio.sleep(0)
        assert lanes.wanted(1)
        other.cancel()
        with pytest.raises(asyncio.CancelledError):
            await other
        assert not lanes.wanted(1), "it has given up"
    await own
    await _once(lanes, 2)


async def _once(lanes: Lanes, workspace: int) -> None:
    async with lanes.held(workspace):
        pass
