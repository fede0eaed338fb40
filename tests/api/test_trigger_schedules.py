"""Entries by API whose time comes later: when they come, for whom, and that they can be moved and withdrawn (7.2 to 7.4)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from journeys.engine.store import Database
from journeys.engine.workspaces.api_keys import create_key
from journeys.engine.workspaces.canvas_changes import change
from tests.api.parts import STORY, Door
from tests.stage import see_to_runs, stage_on

CREATE, UPDATE, DELETE = (f"/canvas/trigger/schedule/{word}" for word in ("create", "update", "delete"))


@pytest.fixture
async def door(db: Database) -> AsyncIterator[Door]:
    stage = await stage_on(db, STORY)
    made = Door(stage, await create_key(db, stage.workspace, "test", ["*"]))
    await made.post(
        "/users/track",
        {
            "attributes": [
                {"external_id": "tokyo", "time_zone": "Asia/Tokyo", "n": 1},
                {"external_id": "paris", "time_zone": "Europe/Paris", "n": 2},
            ]
        },
    )
    yield made
    await made.client.aclose()


async def asks(door: Door, path: str, body: dict[str, Any], status: int = 201) -> dict[str, Any]:
    answer = await door.post(path, {"canvas_id": "story", **body})
    assert answer.status_code == status, answer.text
    return dict(answer.json())


def to(*people: str) -> dict[str, Any]:
    return {"recipients": [{"external_user_id": person} for person in people]}


async def comes(door: Door, at: datetime) -> dict[str, datetime]:
    """See to the runs at an instant; who has entered by then, and when."""
    object.__setattr__(door.stage.clock, "at", at)
    await see_to_runs(door.stage.db, door.stage.published, door.stage.clock)
    query = "select p.external_id, e.entered from entries e join people p on (p.workspace, p.id) = (e.workspace, e.person)"
    return dict(await door.stage.db.pool.fetch(query))


async def test_an_entry_comes_at_its_time_with_the_context_and_attributes_of_its_recipients(
    door: Door,
) -> None:
    """ENT-23: attributes are written when it comes, before the entry; each has a context of their own."""
    said = await asks(
        door,
        CREATE,
        {
            "schedule": {"time": "2026-12-08T09:00:00Z"},
            "context": {"a": 1},
            "recipients": [
                {"external_user_id": "tokyo", "context": {"b": 2}, "attributes": {"n": {"inc": 5}}},
                {"external_user_id": "nobody"},
            ],
        },
    )
    assert {"dispatch_id", "schedule_id", "message"} <= set(said)
    assert await comes(door, datetime(2026, 12, 8, 8, 59, tzinfo=UTC)) == {}
    assert await comes(door, datetime(2026, 12, 8, 9, 0, tzinfo=UTC)) == {
        "tokyo": datetime(2026, 12, 8, 9, tzinfo=UTC)
    }
    assert await door.stage.db.pool.fetchval("select context from entries") == {"a": 1, "b": 2}
    assert (await door.profile("tokyo"))["attributes"]["n"] == 6
    row = await door.stage.db.pool.fetchrow("select state, recipients, members, entered from runs")
    assert tuple(row) == ("done", None, 1, 1), "the recipients are forgotten with the run"


async def test_a_local_time_comes_in_each_zone_at_its_own_hour(door: Door) -> None:
    """7.2: for named people and for all."""
    await asks(
        door,
        CREATE,
        {"schedule": {"time": "2026-12-08T10:00:00", "in_local_time": True}, **to("tokyo", "paris")},
    )
    tokyo, paris = datetime(2026, 12, 8, 1, tzinfo=UTC), datetime(2026, 12, 8, 9, tzinfo=UTC)
    assert await comes(door, tokyo) == {"tokyo": tokyo}
    assert await comes(door, paris) == {"tokyo": tokyo, "paris": paris}


async def test_at_the_best_time_each_comes_when_they_are_reached_best_on_that_date(door: Door) -> None:
    """IT-1, 7.2: who is not known well enough comes at the time of day that is given."""
    events = [
        {"external_id": "paris", "name": "session_start", "time": f"2026-12-0{day}T17:30:00Z"}
        for day in (1, 2, 3)
    ]
    await door.post("/users/track", {"events": events})
    await asks(
        door, CREATE, {"schedule": {"time": "2026-12-09T11:00", "at_optimal_time": True}, "broadcast": True}
    )
    tokyo, paris = datetime(2026, 12, 9, 2, tzinfo=UTC), datetime(2026, 12, 9, 17, 30, tzinfo=UTC)
    assert await comes(door, datetime(2026, 12, 9, 1, 59, tzinfo=UTC)) == {}
    assert await comes(door, tokyo) == {"tokyo": tokyo}
    assert await comes(door, datetime(2026, 12, 9, 17, 29, tzinfo=UTC)) == {"tokyo": tokyo}
    assert await comes(door, paris) == {"tokyo": tokyo, "paris": paris}
    await comes(door, datetime(2026, 12, 9, 23, 30, tzinfo=UTC))
    assert await door.stage.db.pool.fetchval("select state from runs") == "done"


async def test_an_update_forgets_the_former_schedule_whole(door: Door) -> None:
    """Case 131: without `in_local_time` it is UTC."""
    said = await asks(
        door, CREATE, {"schedule": {"time": "2026-12-08T10:00", "in_local_time": True}, **to("tokyo")}
    )
    named = {"schedule_id": said["schedule_id"]}
    await asks(door, UPDATE, {**named, "schedule": {"time": "2026-12-08T10:00"}})
    assert await comes(door, datetime(2026, 12, 8, 1, tzinfo=UTC)) == {}
    at = datetime(2026, 12, 8, 10, tzinfo=UTC)
    assert await comes(door, at) == {"tokyo": at}
    late = await asks(door, UPDATE, {**named, "schedule": {"time": "2026-12-09T10:00"}}, 400)
    assert "has begun, or is over" in late["message"]


async def test_what_was_withdrawn_does_not_come(door: Door) -> None:
    said = await asks(door, CREATE, {"schedule": {"time": "2026-12-08T10:00"}, **to("tokyo")})
    await asks(door, DELETE, {"schedule_id": said["schedule_id"]})
    assert await comes(door, datetime(2026, 12, 9, tzinfo=UTC)) == {}
    again = await asks(door, DELETE, {"schedule_id": said["schedule_id"]}, 400)
    assert again["message"].startswith("Invalid Schedule ID")


@pytest.mark.parametrize(
    ("schedule", "text"),
    [
        (None, "'schedule' must be an object"),
        ({"time": "soon"}, "an instant by ISO 8601"),
        ({"time": "2026-12-08T10:00:00+01:00", "in_local_time": True}, "has an offset"),
        ({"time": "2026-12-06T10:00:00", "in_local_time": True}, "past in every time zone"),
        ({"time": "2026-12-06T10:00:00Z"}, "this time is past"),
        ({"time": "2026-12-08T10:00:00", "in_local_tyme": True}, "has no key 'in_local_tyme'"),
        ({"time": "2026-12-08T10:00:00", "in_local_time": 1}, "must be true or false"),
    ],
)
async def test_a_schedule_that_cannot_be_meant_is_refused(door: Door, schedule: Any, text: str) -> None:
    said = await asks(door, CREATE, {"schedule": schedule, **to("tokyo")}, 400)
    assert text in said["message"]
    assert await door.stage.db.pool.fetchval("select count(*) from runs") == 0


async def test_a_repetition_with_one_key_is_one_schedule(door: Door) -> None:
    body = {"canvas_id": "story", "schedule": {"time": "2026-12-08T10:00"}, **to("tokyo")}
    first = await door.post(CREATE, body, **{"Idempotency-Key": "k"})
    again = await door.post(CREATE, body, **{"Idempotency-Key": "k"})
    assert first.json()["schedule_id"] == again.json()["schedule_id"]
    assert await door.stage.db.pool.fetchval("select count(*) from runs") == 1


async def test_a_canvas_that_is_stopped_takes_no_schedule(door: Door) -> None:
    """STA-5"""
    await change(door.stage.db, door.stage.workspace, "story", "stop", at=door.stage.clock.now())
    said = await asks(door, CREATE, {"schedule": {"time": "2026-12-08T10:00"}, **to("tokyo")})
    assert "the canvas is stopped" in said["notice"]
    assert await door.stage.db.pool.fetchval("select count(*) from runs") == 0
