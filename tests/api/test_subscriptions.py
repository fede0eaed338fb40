"""Subscription groups over the REST API, on a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from journeys.api.app import app
from journeys.engine.people.consents import store_consents
from journeys.engine.store import Database
from journeys.engine.workspaces.api_keys import create_key
from tests.api.parts import services_of
from tests.stage import EMAIL, Stage, canvas, stage_on

STORY = (
    canvas("  - {type: message, id: m, channel: email, template: hello}")
    + EMAIL
    + """
---
kind: subscription_group
format: 1
name: news
channel: email
id: 6b1f
---
kind: subscription_group
format: 1
name: texts
channel: sms
"""
)
SET, SET2, GET, GROUPS = (
    "/subscription/status/set",
    "/v2/subscription/status/set",
    "/subscription/status/get",
    "/subscription/user/status",
)


class Desk:
    """The API, called with a key."""

    def __init__(self, stage: Stage, key: str) -> None:
        self.stage = stage
        self.client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=app(services_of(stage))),
            base_url="http://api",
            headers={"Authorization": f"Bearer {key}"},
        )

    async def set(self, path: str = SET, **body: Any) -> tuple[int, str]:
        answer = await self.client.post(path, json=body)
        return answer.status_code, answer.json()["message"]

    async def status(self, group: str, query: str) -> dict[str, str]:
        answer = await self.client.get(f"{GET}?subscription_group_id={group}&{query}")
        assert (answer.status_code, answer.json()["message"]) == (200, "success"), answer.text
        return dict(answer.json()["status"])

    async def groups(self, query: str) -> dict[str, Any]:
        answer = await self.client.get(f"{GROUPS}?{query}")
        assert (answer.status_code, answer.json()["message"]) == (200, "success"), answer.text
        return dict(answer.json())

    async def history(self) -> list[Any]:
        rows = await self.stage.db.pool.fetch(
            "select data from facts where fact in ('consent_changed', 'subscription_changed') order by no"
        )
        return [row["data"] for row in rows]


@pytest.fixture
async def desk(db: Database) -> AsyncIterator[Desk]:
    stage = await stage_on(db, STORY)
    made = Desk(stage, await create_key(db, stage.workspace, "test", ["*"]))
    yield made
    await made.client.aclose()


async def test_a_state_is_set_by_the_name_or_the_id_of_the_group_and_read_as_it_was_said_last(
    desk: Desk,
) -> None:
    """CNS-1, CNS-5, CNS-7: one id or several; whom nobody knows is passed over, and made by nothing."""
    for name in ("mel", "kim", "sam"):
        await desk.stage.person(external_id=name)
    state = {"subscription_state": "subscribed"}

    assert await desk.set(subscription_group_id="6b1f", external_id="mel", **state) == (201, "success")
    assert await desk.set(subscription_group_id="news", external_id=["kim", "nobody"], **state) == (
        201,
        "success",
    )
    asked = "external_id[]=mel&external_id[]=kim&external_id[]=sam&external_id[]=nobody"
    told = {"mel": "Subscribed", "kim": "Subscribed", "sam": "Unknown", "nobody": "Unknown"}
    assert await desk.status("6b1f", asked) == await desk.status("news", asked) == told
    assert await desk.status("texts", "external_id=mel") == {"mel": "Unknown"}

    gone = {"subscription_state": "unsubscribed"}
    assert await desk.set(subscription_group_id="news", external_id="mel", **gone) == (201, "success")
    assert await desk.status("news", "external_id=mel") == {"mel": "Unsubscribed"}
    assert await desk.stage.db.pool.fetchval("select count(*) from people") == 3


async def test_all_who_share_an_address_or_a_number_are_set_alike_and_told_one_by_one(desk: Desk) -> None:
    """CNS-9: by the address, or by one of those who have it; on other channels by the number."""
    both = {"email": "us@example.com", "phone": "+4930901820"}
    await desk.stage.person(external_id="mel", **both)
    await desk.stage.person(external_id="kim", **both)
    other = await desk.stage.person(external_id=None, **both)
    await desk.stage.person(external_id="sam", email="sam@example.com")
    state = {"subscription_state": "subscribed"}

    assert await desk.set(subscription_group_id="news", email="US@example.com", **state) == (201, "success")
    told = {"mel": "Subscribed", "kim": "Subscribed", str(other.id): "Subscribed"}
    assert await desk.status("news", "email=us@example.com") == told
    assert await desk.status("news", "external_id=sam") == {"sam": "Unknown"}

    assert await desk.set(subscription_group_id="texts", external_id="mel", **state) == (201, "success")
    assert await desk.status("texts", "phone=%2B4930901820") == told
    assert await desk.status("texts", "phone=+4930901820") == told, "a plus that was not encoded"


async def test_several_groups_are_set_in_one_call_or_none_of_them(desk: Desk) -> None:
    """CNS-6"""
    await desk.stage.person(external_id="mel", email="mel@example.com", phone="+4930901820")
    news = {
        "subscription_group_id": "news",
        "subscription_state": "subscribed",
        "emails": ["mel@example.com"],
    }
    texts = {
        "subscription_group_id": "texts", "subscription_state": "unsubscribed", "phones": ["+49 30 901820"],
        "external_ids": None, "use_double_opt_in_logic": None,
    }  # fmt: skip

    wrong = {**texts, "subscription_group_id": "x"}
    assert (await desk.set(SET2, subscription_groups=[news, wrong]))[0] == 400
    assert await desk.history() == []
    assert await desk.set(SET2, subscription_groups=[news, texts], partner="x") == (201, "success")
    [mel] = (await desk.groups("external_id=mel"))["users"]
    assert mel == {
        "external_id": "mel",
        "email": "mel@example.com",
        "phone": "+4930901820",
        "subscription_groups": [
            {"id": "6b1f", "name": "news", "channel": "email", "status": "Subscribed"},
            {"id": "texts", "name": "texts", "channel": "sms", "status": "Unsubscribed"},
        ],
    }


async def test_people_with_their_groups_come_in_pages(desk: Desk) -> None:
    """CNS-8: only groups with a history."""
    for name in ("mel", "kim", "sam"):
        await desk.stage.person(external_id=name, email="us@example.com")
    await desk.set(subscription_group_id="news", subscription_state="subscribed", email="us@example.com")

    first = await desk.groups("email=us@example.com&limit=2")
    last = await desk.groups("email=us@example.com&limit=2&offset=2")
    past = await desk.groups("email=us@example.com&limit=2&offset=4")
    assert [len(one["users"]) for one in (first, last, past)] == [2, 1, 0]
    assert {one["total_count"] for one in (first, last, past)} == {3}
    names = [each["external_id"] for one in (first, last) for each in one["users"]]
    assert sorted(names) == ["kim", "mel", "sam"]
    assert (await desk.groups("external_id=nobody"))["users"] == []
    assert (await desk.groups("external_id[]=mel&external_id[]=kim"))["total_count"] == 2


async def test_what_a_person_said_of_a_group_outlasts_what_they_say_of_the_channel(desk: Desk) -> None:
    """CNS-2, CNS-7"""
    mel = await desk.stage.person(external_id="mel")
    await desk.set(subscription_group_id="news", subscription_state="subscribed", external_id="mel")
    body = {"attributes": [{"external_id": "mel", "email_subscribe": "unsubscribed"}]}
    assert (await desk.client.post("/users/track", json=body)).status_code == 201

    assert await desk.status("news", "external_id=mel") == {"mel": "Subscribed"}
    state = await desk.stage.db.pool.fetchval("select state from consents where person = $1", mel.id)
    assert state == "unsubscribed"


async def test_each_change_of_a_state_has_a_row_and_what_stays_as_it_was_has_none(desk: Desk) -> None:
    """CNS-3"""
    mel = await desk.stage.person(external_id="mel")
    for state in ("subscribed", "subscribed", "unsubscribed"):
        await desk.set(subscription_group_id="news", subscription_state=state, external_id="mel")
    async with desk.stage.db.transaction() as connection:
        for state in ("opted_in", "opted_in", "unsubscribed"):
            said = {(mel.id, "email"): state}
            await store_consents(connection, desk.stage.workspace, said, desk.stage.clock.now())

    assert await desk.history() == [
        {"subscription": "news", "state": "subscribed", "source": "rest"},
        {"subscription": "news", "state": "unsubscribed", "source": "rest"},
        {"channel": "email", "state": "opted_in", "source": "rest"},
        {"channel": "email", "state": "unsubscribed", "source": "rest"},
    ]


async def test_track_sets_states_in_groups_for_all_who_share_the_address_and_says_what_is_wrong(
    desk: Desk,
) -> None:
    """PRF-5, TRK-5: one that names no group, or is none, leaves the others alone; of two the last counts."""
    for name in ("mel", "kim"):
        await desk.stage.person(external_id=name, email="us@example.com")

    def says(group: Any, state: Any) -> dict[str, Any]:
        return {"subscription_group_id": group, "subscription_state": state}

    objects = [
        {"external_id": "mel", "subscription_groups": [says("6b1f", "subscribed"), says("no", "subscribed"), says("news", "x"), 7]},
        {"external_id": "new", "email": "us@example.com", "subscription_groups": [says("news", "unsubscribed"), says("texts", "subscribed")]},
        {"external_id": "kim", "subscription_groups": None},
        {"external_id": "kim", "subscription_groups": "news"},
    ]  # fmt: skip
    answer = await desk.client.post("/users/track", json={"attributes": objects})

    assert [(one["index"], one["type"]) for one in answer.json()["errors"]] == [
        (0, "'subscription_state' must be 'subscribed' or 'unsubscribed'"),
        (0, "an object in 'subscription_groups' must have 'subscription_group_id' and 'subscription_state'"),
        (0, "'subscription_group_id' is no subscription group of this workspace: 'no'"),
        (3, "'subscription_groups' must be an array of objects"),
    ]
    told = dict.fromkeys(("mel", "kim", "new"), "Unsubscribed")
    assert await desk.status("news", "email=us@example.com") == told
    assert await desk.status("texts", "external_id[]=new&external_id[]=mel") == {
        "new": "Subscribed",
        "mel": "Unknown",
    }


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"email": "a@example.com", "phone": "+4930901820"}, "Either an email address or a phone number should be provided, but not both."),
        ({}, "'external_id', 'email' or 'phone' is required"),
        ({"external_id": []}, "'external_id', 'email' or 'phone' is required"),
        ({"external_id": ["a"] * 51}, "The max number of ids per request was exceeded"),
        ({"external_id": 7}, "'external_id' must be a string or an array of strings"),
        ({"external_id": ["a", 7]}, "'external_id.1' must be a string"),
        ({"external_id": ""}, "'external_id.0' must not be empty"),
        ({"email": "mel"}, "The value provided for the 'email' field is not a valid email."),
        ({"phone": "+4930901820"}, "'phone' names nobody for a subscription group of the channel email"),
        ({"subscription_group_id": "texts", "email": "a@example.com"}, "'email' names nobody for a subscription group of the channel sms"),
        ({"subscription_group_id": "texts", "phone": "1"}, "'phone' must be a phone number with its country code"),
        ({"external_id": "a", "subscription_group_id": "x"}, "'subscription_group_id' is no subscription group of this workspace"),
        ({"external_id": "a", "subscription_group_id": None}, "'subscription_group_id' is required"),
        ({"external_id": "a", "subscription_state": "opted_in"}, "'subscription_state' must be 'subscribed' or 'unsubscribed'"),
    ],
)  # fmt: skip
async def test_a_call_that_is_wrong_is_refused_with_its_reason(
    desk: Desk, body: dict[str, Any], message: str
) -> None:
    """CNS-5"""
    right = {"subscription_group_id": "news", "subscription_state": "subscribed"}

    assert await desk.set(**{**right, **body}) == (400, message)
    assert await desk.history() == []


async def test_a_question_that_is_wrong_is_refused_with_its_reason(desk: Desk) -> None:
    for path, message in (
        (f"{GET}?external_id=mel", "'subscription_group_id' is required"),
        (f"{GET}?subscription_group_id=news", "'external_id', 'email' or 'phone' is required"),
        (f"{GET}?subscription_group_id=x&external_id=a", "'subscription_group_id' is no subscription group of this workspace"),
        (GROUPS, "'external_id', 'email' or 'phone' is required"),
        (f"{GROUPS}?external_id=a&limit=101", "'limit': Input should be less than or equal to 100"),
        (f"{GROUPS}?external_id=a&limit=x", "'limit': Input should be a valid integer"),
    ):  # fmt: skip
        answer = await desk.client.get(path)
        assert (answer.status_code, answer.json()["message"]) == (400, message)
