"""`/users/export/ids`: what is known of people, as programs read it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from journeys.channels.email import Email, SmtpSettings
from journeys.channels.mailbox import Mailbox
from journeys.engine.people.profile_export import FIELDS
from journeys.engine.people.profiles import Profile
from journeys.engine.store import Database
from journeys.engine.workspaces.api_keys import create_key
from tests.api.parts import Door
from tests.stage import EMAIL, MONDAY, stage_on

WELCOME = (
    """
kind: canvas
format: 1
name: welcome
schedule: {api: true}
variants:
  - name: mailed
    weight: 50
    steps:
      - {type: message, id: hello, channel: email, template: hello}
      - {type: delay, id: wait, duration: 30 days}
  - {name: kept_out, weight: 50, control: true}
"""
    + EMAIL
)
PATH = "/users/export/ids"
ALIAS = {"alias_name": "m-1", "alias_label": "crm"}
KNOWN: dict[str, Any] = {
    "first_name": "Mel",
    "last_name": "Doe",
    "email": "mel@example.com",
    "dob": "1990-12-31",
    "home_city": "Lyon",
    "country": "FR",
    "phone": "+4930901820",
    "language": "fr",
    "time_zone": "Europe/Paris",
    "gender": "F",
}


@pytest.fixture
async def door(db: Database) -> AsyncIterator[Door]:
    stage = await stage_on(db, WELCOME)
    made = Door(stage, await create_key(db, stage.workspace, "test", ["*"]))
    yield made
    await made.client.aclose()


async def track(door: Door, **arrays: Any) -> None:
    answer = await door.post("/users/track", arrays)
    assert (answer.status_code, answer.json().get("errors")) == (201, None)


async def export(door: Door, **body: Any) -> Any:
    answer = await door.post(PATH, body)
    assert (answer.status_code, answer.json()["message"]) == (201, "success")
    return answer.json()


async def test_what_was_sent_is_read_as_it_was_sent_and_at_once(door: Door) -> None:
    """XPT-1, API-5: each type, whatever it is nested in; what has no value is left out."""
    custom = {
        "vip": True, "points": 7, "weight": 1.5, "note": "é", "list": [1, "b"], "deep": {"a": {"b": [{"c": None}, 2]}},
    }  # fmt: skip
    place = {"current_location": {"longitude": 2.5, "latitude": 48.25}}
    await track(
        door,
        attributes=[
            {"external_id": "mel", **KNOWN, **custom, **place, "email_subscribe": "opted_in"},
            {"user_alias": ALIAS, "_update_existing_only": False, "push_subscribe": "unsubscribed"},
        ],
    )

    found = await export(door, external_ids=["mel"], user_aliases=[ALIAS])

    mel, other = found["users"]
    assert found["invalid_user_ids"] == []
    assert {name: mel[name] for name in KNOWN} == KNOWN
    assert (mel["external_id"], mel["custom_attributes"]) == (
        "mel",
        {**custom, "deep": {"a": {"b": [{}, 2]}}},
    )
    assert mel["last_coordinates"] == [2.5, 48.25]  # D7
    assert (mel["email_subscribe"], mel["email_opted_in_at"]) == ("opted_in", "2026-12-07T09:00:00.000Z")
    assert mel["created_at"].endswith(" UTC") and len(mel["created_at"]) == len("2020-07-10 15:00:00.000 UTC")
    assert UUID(mel["braze_id"]) and 0 <= mel["random_bucket"] < 10_000
    assert (mel["push_subscribe"], "push_opted_in_at" in mel) == ("subscribed", False)
    assert "user_aliases" not in mel and "total_revenue" not in mel and "custom_events" not in mel
    assert other["user_aliases"] == [ALIAS]
    assert {"external_id", "custom_attributes", "email"} & set(other) == set()
    assert (other["push_subscribe"], other["push_unsubscribed_at"]) == (
        "unsubscribed",
        "2026-12-07T09:00:00.000Z",
    )
    assert set(mel) | set(other) <= FIELDS


async def test_only_the_fields_that_are_asked_for_are_told_and_one_that_nobody_has_is_said(
    door: Door,
) -> None:
    """XPT-1"""
    await track(door, attributes=[{"external_id": "mel", **KNOWN, "x": 1}])

    found = await export(
        door, external_ids=["mel"], fields_to_export=["email", "dob", "apps", "custom_attribute"]
    )
    assert found["users"] == [{"email": "mel@example.com", "dob": "1990-12-31"}]
    assert found["notice"] == "'custom_attribute' is no field to export; did you mean 'custom_attributes'?"
    assert (await export(door, external_ids=["mel"], fields_to_export=["apps"])) == {
        "message": "success",
        "users": [{}],
        "invalid_user_ids": [],
    }


async def test_events_and_purchases_of_ninety_days_are_counted_and_all_revenue(door: Door) -> None:
    """XPT-5: a quantity counts so often."""
    times = [(MONDAY - timedelta(days=days)).isoformat() for days in (100, 89, 2)]
    await track(
        door,
        events=[{"external_id": "mel", "name": "liked", "time": time} for time in times]
        + [{"external_id": "mel", "name": "old", "time": times[0]}],
        purchases=[
            {
                "external_id": "mel",
                "product_id": "shoe",
                "currency": "EUR",
                "price": 2.5,
                "quantity": 1 + place,
                "time": time,
            }
            for place, time in enumerate(times)
        ],
    )

    [mel] = (await export(door, external_ids=["mel"]))["users"]

    first, last = "2026-09-09T09:00:00.000Z", "2026-12-05T09:00:00.000Z"
    assert mel["custom_events"] == [{"name": "liked", "first": first, "last": last, "count": 2}]
    assert mel["purchases"] == [{"name": "shoe", "first": first, "last": last, "count": 5}]
    assert mel["total_revenue"] == 15.0


async def test_the_canvases_of_a_person_are_told_with_their_steps_and_the_control_group(
    door: Door, mailbox: Mailbox
) -> None:
    """XPT-1, XPT-5"""
    stage = door.stage
    plan = (await stage.published.of(stage.workspace)).running["welcome"].plan
    people: list[Profile] = []
    while len({plan.variant_of(str(each.id)).name for each in people}) < 2:
        name = f"p{len(people)}"
        people.append(await stage.person(email=f"{name}@example.com", external_id=name))
    for entry in await stage.enter(*people, name="welcome"):
        await stage.burst(entry)
    await stage.deliver(Email(SmtpSettings(host="127.0.0.1", port=mailbox.port)))

    found = await export(
        door, external_ids=[f"p{n}" for n in range(len(people))][:50], fields_to_export=["canvases_received"]
    )

    at = "2026-12-07T09:00:00.000Z"
    one = {
        "name": "welcome",
        "api_canvas_id": str((await stage.published.of(stage.workspace)).running["welcome"].id),
        "last_entered": at,
    }
    step = {"name": "hello", "api_canvas_step_id": "hello", "last_received": at}
    mailed = {**one, "variation_name": "mailed", "in_control": False, "steps_received": [step], "last_received_message": at}  # fmt: skip
    kept_out = {**one, "variation_name": "kept_out", "in_control": True, "steps_received": [], "last_entered_control_at": at}  # fmt: skip
    told = [each["canvases_received"] for each in found["users"]]
    for [each] in told:
        assert {key: value for key, value in each.items() if key != "last_exited"} in (mailed, kept_out)
    assert {each["in_control"] for [each] in told} == {True, False}


async def test_people_are_named_in_each_way_and_each_comes_once(door: Door) -> None:
    """XPT-1, IDN-4: an address that several share names all of them, the identified first."""
    await track(
        door,
        attributes=[
            {"email": "mel@example.com", "n": 1},
            {"external_id": "zoe", "email": "mel@example.com", "phone": "+4930901820", "n": 2},
            {"user_alias": ALIAS, "_update_existing_only": False, "n": 3},
        ],
    )
    [zoe] = (await export(door, external_ids=["zoe"]))["users"]

    async def named(**body: Any) -> tuple[list[int], list[Any]]:
        found = await export(door, **body)
        return [each["custom_attributes"]["n"] for each in found["users"]], found["invalid_user_ids"]

    assert await named(braze_id=zoe["braze_id"].upper()) == ([2], [])
    assert await named(email_address="Mel@Example.com") == ([2, 1], [])
    assert await named(phone="+49 30 901820") == ([2], [])
    assert await named(external_ids=["zoe", "zoe"], user_aliases=[], braze_id=zoe["braze_id"]) == ([2], [])
    assert await named(external_ids=[], user_aliases=ALIAS) == ([3], [])
    stranger = {"alias_name": "m-2", "alias_label": "crm"}
    assert await named(external_ids=["zoe", "no"], user_aliases=[stranger]) == ([2], ["no", stranger])
    for way in ("braze_id", "email_address", "phone", "device_id"):
        assert await named(**{way: "nobody"}) == ([], ["nobody"])
    assert await named(braze_id=str(uuid4()), email_address="no@example.com") != ([], [])


WRONG: list[Any] = [
    ({}, "'external_ids', 'user_aliases', 'device_id', 'braze_id', 'email_address' or 'phone' is required"),
    (
        {"external_ids": [], "user_aliases": []},
        "'external_ids', 'user_aliases', 'device_id', 'braze_id', 'email_address' or 'phone' is required",
    ),
    (
        {"external_ids": [str(n) for n in range(26)], "user_aliases": [ALIAS] * 25},
        "The max number of external_ids and aliases per request was exceeded",
    ),
    ({"external_ids": [7]}, "'external_ids.0' must be a string"),
    ({"external_ids": {"a": 1}}, "'external_ids.0' must be a string"),
    ({"user_aliases": [{"alias_name": "a"}]}, "'user_aliases.0.alias_label' is required"),
]


@pytest.mark.parametrize(("body", "said"), WRONG)
async def test_what_cannot_be_meant_is_refused(door: Door, body: Any, said: str) -> None:
    """XPT-1"""
    answer = await door.post(PATH, body)

    assert (answer.status_code, answer.json()) == (400, {"message": said})


async def test_fewer_calls_are_allowed_where_the_canvases_are_read_and_the_answer_says_so(door: Door) -> None:
    """LIM-1, LIM-2: 250 a minute, or 40 a second."""
    body = {"external_ids": ["mel"], "fields_to_export": ["email"]}
    quick = [(await door.post(PATH, body)) for _ in range(41)]
    slow = await door.post(PATH, {"external_ids": ["mel"]})

    assert [each.status_code for each in quick] == [201] * 40 + [429]
    assert quick[-1].json() == {"message": "Rate Limited"}
    assert quick[-1].headers["retry-after"] == "1"
    assert [quick[0].headers[f"x-ratelimit-{name}"] for name in ("limit", "remaining")] == ["40", "39"]
    assert [slow.headers[f"x-ratelimit-{name}"] for name in ("limit", "remaining")] == ["250", "249"]


async def test_fifty_people_cost_as_many_statements_as_one(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    real = asyncpg.Connection.fetch

    def counting(self: Any, query: str, *args: Any, **more: Any) -> Any:
        said.append(query)
        return real(self, query, *args, **more)

    names = [f"p{n}" for n in range(50)]
    await track(door, attributes=[{"external_id": name, "x": 1} for name in names])
    monkeypatch.setattr(asyncpg.Connection, "fetch", counting)
    counts = []
    for some in (names[:1], names):
        said.clear()
        assert len((await export(door, external_ids=some))["users"]) == len(some)
        counts.append(len(said))

    assert counts[0] == counts[1] < 10
