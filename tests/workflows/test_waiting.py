"""What Temporal is still to be told of: the workspaces take turns, and a full queue has room for whoever has little in it."""

from __future__ import annotations

from uuid import uuid4

from journeys.engine.ports import PendingAlarm
from journeys.workflows.alarm_sync import Urgency, Waiting


def _alarm(workspace: int) -> PendingAlarm:
    return PendingAlarm(workspace, uuid4(), uuid4(), uuid4(), 0, 1, 0, False, None, 1, "c", "p")


def _all(waiting: Waiting) -> list[PendingAlarm]:
    return [waiting.next() for _ in range(len(waiting))]


def test_workspaces_take_turns_and_each_keeps_its_order() -> None:
    waiting = Waiting(100)
    several = [_alarm(1) for _ in range(5)]
    one, other, third = _alarm(2), _alarm(2), _alarm(3)
    for each in (*several, one, third, other):
        assert waiting.add(each) is None

    assert _all(waiting) == [several[0], one, third, several[1], other, *several[2:]]
    assert not waiting


def test_in_a_full_queue_whoever_has_little_takes_a_place_of_the_one_who_has_most() -> None:
    waiting = Waiting(10)
    much = [_alarm(1) for _ in range(10)]
    for each in much:
        assert waiting.add(each) is None

    assert waiting.add(extra := _alarm(1)) is extra, "its own newest has no room"
    little = _alarm(2)
    assert waiting.add(little) == much[-1]
    assert len(waiting) == 10
    assert _all(waiting) == [much[0], little, *much[1:-1]]


def test_a_queue_without_any_room_gives_everything_back() -> None:
    waiting = Waiting(0)

    assert waiting.add(one := _alarm(1)) is one
    assert not waiting


def test_a_workspace_that_is_told_of_much_is_less_urgent_and_no_other() -> None:
    """It is as urgent as before as soon as it is told of little again."""
    urgency = Urgency(at_once=3, each_second=2.0)
    assert [urgency.urgent(1, 10.0) for _ in range(5)] == [True, True, True, False, False]
    assert urgency.urgent(2, 10.0)
    assert [urgency.urgent(1, 11.0) for _ in range(3)] == [True, True, False]
    assert [urgency.urgent(1, 99.0) for _ in range(4)] == [True, True, True, False]
