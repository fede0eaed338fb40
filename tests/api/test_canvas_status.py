"""The life of a canvas by API: stop, pause, resume, archive, and the log of who did what when."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from journeys.api.openapi import document
from journeys.engine.core.life import Word
from journeys.engine.entries.following_changes import FollowingChanges
from journeys.engine.ports import NullNotifier
from journeys.engine.store import Database
from journeys.engine.workspaces.api_keys import create_key
from journeys.engine.workspaces.canvas_changes import change
from journeys.engine.workspaces.publishing import publish
from tests.api.parts import STORY, Door
from tests.stage import definitions_of, stage_on


@pytest.fixture
async def door(db: Database) -> AsyncIterator[Door]:
    stage = await stage_on(db, STORY)
    made = Door(stage, await create_key(db, stage.workspace, "ops", ["canvas.status"]))
    yield made
    await made.client.aclose()


async def says(door: Door, word: str, **more: Any) -> Any:
    answer = await door.post(f"/canvas/{word}", {"canvas_id": "story", **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def log(door: Door, **asked: Any) -> Any:
    headers = {"Authorization": f"Bearer {door.key}"}
    return await door.client.get("/canvas/changes", params={"canvas_id": "story", **asked}, headers=headers)


async def test_a_canvas_is_paused_resumed_stopped_and_archived_and_the_log_says_by_whom(door: Door) -> None:
    """STA-1, STA-2: each answer has the status and since when; named by its id as well."""
    paused = await says(door, "pause")
    assert (paused["status"], paused["canvas"], "notice" in paused) == ("paused", "story", False)
    again = await says(door, "pause", canvas_id=paused["canvas_id"])
    assert again == {**paused, "notice": "the canvas is paused already"}
    resumed = await says(door, "resume", canvas_id=paused["canvas_id"], timers="skip")
    assert (resumed["status"], resumed["timers"]) == ("active", "skip")
    assert (await says(door, "stop"))["status"] == "stopped"
    resumed = await says(door, "resume")
    assert (resumed["status"], "timers" in resumed) == ("active", False)
    archived = await says(door, "archive")

    found = (await log(door)).json()
    assert (found["status"], found["since"], found["canvas_id"]) == (
        "archived",
        archived["since"],
        archived["canvas_id"],
    )
    assert [(each["what"], each["who"]) for each in found["changes"]] == [
        ("archive", "key ops"), ("resume", "key ops"), ("stop", "key ops"), ("resume", "key ops"), ("pause", "key ops"),
        ("publish", ""),
    ]  # fmt: skip
    assert found["changes"][3]["details"] == {"timers": "skip"}
    assert found["changes"][0]["at"] == archived["since"]
    older = (await log(door, before=found["changes"][3]["no"])).json()
    assert older["changes"] == found["changes"][4:]


async def test_those_inside_are_brought_up_to_date_by_any_worker(door: Door) -> None:
    """STA-1: the answer does not wait for them."""
    entries = await door.stage.enter(*[await door.stage.person() for _ in range(3)])
    await says(door, "archive")
    following = FollowingChanges(door.stage.db, door.stage.bursts, door.stage.clock, NullNotifier())
    assert await following.unsettled() == 3
    assert {(await door.stage.row(entry))["ended"] for entry in entries} == {"archived"}


async def test_what_the_status_does_not_allow_is_a_conflict_and_what_cannot_be_meant_a_bad_request(
    door: Door,
) -> None:
    """STA-1: nothing is written."""
    wrong: list[tuple[str, dict[str, Any], int, str]] = [
        ("stop", {"canvas_id": "stor"}, 400, "did you mean “story”?"),
        ("stop", {"canvas_id": 7}, 400, "Invalid Canvas ID"),
        ("stop", {"canvas_id": "s" * 501}, 400, "Invalid Canvas ID"),
        ("stop", {"canvas_id": "st\0ry"}, 400, "Bad Request"),
        ("resume", {"timers": "forget"}, 400, "'timers' must be one of shift, send, skip"),
        ("resume", {"timers": ["shift"]}, 400, "'timers' must be one of"),
    ]
    for word, body, status, text in wrong:
        answer = await door.post(f"/canvas/{word}", {"canvas_id": "story", **body})
        assert (answer.status_code, text in answer.json()["message"]) == (status, True), answer.text
    said = await says(door, "stop", timers="shift")
    assert said["errors"][0]["type"].startswith("'timers'")
    for word, body, text in (
        ("pause", {}, "is stopped already"),
        ("resume", {"timers": "send"}, "was not paused"),
    ):
        answer = await door.post(f"/canvas/{word}", {"canvas_id": "story", **body})
        assert (answer.status_code, text in answer.json()["message"]) == (409, True), answer.text
    for asked in ({"canvas_id": "none"}, {"canvas_id": ""}, {"before": "x"}, {"before": "²"}):
        assert (await log(door, **asked)).status_code == 400
    assert await door.stage.db.pool.fetchval("select count(*) from canvas_changes") == 2


async def test_each_of_these_routes_wants_its_permission_and_is_described(door: Door) -> None:
    """API-3"""
    stage = door.stage
    door.key = await create_key(stage.db, stage.workspace, "poor", ["users.track"])
    described = document()["paths"]
    for word in ("stop", "pause", "resume", "archive"):
        answer = await door.post(f"/canvas/{word}", {"canvas_id": "story"})
        assert (answer.status_code, "canvas.status" in answer.json()["message"]) == (403, True)
        assert "canvas.status" in described[f"/canvas/{word}"]["post"]["description"]
    assert (await log(door)).status_code == 403
    assert "canvas.status" in described["/canvas/changes"]["get"]["description"]


@pytest.mark.parametrize(
    ("word", "notice", "inside"),
    [
        ("publish", None, 1),
        ("pause", "the canvas is paused: who enters begins when it is resumed", 1),
        ("stop", "the canvas is stopped: no one enters", 0),
        ("archive", "the canvas is archived: no one enters", 0),
        ("restore", "the canvas is a draft: no one enters", 0),
    ],
)
async def test_a_trigger_is_a_201_whatever_the_status_of_the_canvas_with_a_notice_where_nobody_begins(
    door: Door, word: Word, notice: str | None, inside: int
) -> None:
    """STA-5, case 129"""
    stage = door.stage
    door.key = await create_key(stage.db, stage.workspace, "shop", ["canvas.trigger.send", "users.track"])
    await stage.person(external_id="mel")
    if word == "restore":
        await change(stage.db, stage.workspace, "story", "archive", at=stage.clock.now())
        await publish(stage.db, "default", definitions_of(STORY), restore=True)
    elif word != "publish":
        await change(stage.db, stage.workspace, "story", word, at=stage.clock.now())
    body = {"canvas_id": "story", "recipients": [{"external_user_id": "mel"}]}
    answer = await door.post("/canvas/trigger/send", body)

    assert (answer.status_code, answer.json().get("notice")) == (201, notice)
    assert await stage.db.pool.fetchval("select count(*) from entries") == inside
