"""Lists of events, attributes, products and segments, and purchases by day and hour."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from journeys.engine.people import known_names
from journeys.engine.store import Database
from journeys.engine.workspaces.api_keys import create_key
from journeys.engine.workspaces.series import Buckets
from tests.api.parts import Door
from tests.stage import canvas, stage_on

UPDATES = canvas(
    """
  - {type: user_update, id: mark, attributes: {seen: true}, events: [{name: marked}]}
  - {type: delay, id: wait, duration: 1 day}"""
)
SEGMENTS = """
---
kind: segment
format: 1
name: runners
description: Those who run
when: {attribute: sport, equals: running}
---
kind: segment
format: 1
name: adults
when: {attribute: age, at_least: 18}
---
kind: workspace
format: 1
name: default
zone: Europe/Paris
"""


@pytest.fixture
async def door(db: Database) -> AsyncIterator[Door]:
    stage = await stage_on(db, UPDATES + SEGMENTS)
    made = Door(stage, await create_key(db, stage.workspace, "test", ["*"]))
    yield made
    await made.client.aclose()


async def read(door: Door, path: str, status: int = 200, **asked: Any) -> Any:
    headers = {"Authorization": f"Bearer {door.key}"}
    answer = await door.client.get(path, params=asked, headers=headers)
    assert answer.status_code == status, answer.text
    return answer.json()


def bought(time: str, product: str = "shoe", price: float = 2.5, quantity: int = 1) -> dict[str, Any]:
    return {
        "external_id": "mel", "product_id": product, "currency": "EUR", "price": price, "quantity": quantity, "time": time,
    }  # fmt: skip


async def test_what_came_is_listed_with_the_answer_to_what_brought_it(door: Door) -> None:
    """XPT-15, XPT-16, XPT-17: in the order of the names, and what canvases make too."""
    time = "2026-12-07T08:00:00Z"
    attributes = {
        "vip": True,
        "age": 7,
        "note": "x",
        "list": ["a"],
        "deep": {"a": 1},
        "pets": [{"a": 1}],
        "Zoo": 1,
    }
    answer = await door.post(
        "/users/track",
        {
            "attributes": [{"external_id": "mel", "first_name": "Mel", "gone": None, **attributes}],
            "events": [{"external_id": "mel", "name": name, "time": time} for name in ("b", "a", "Ä", "a")],
            "purchases": [bought(time), bought(time, "hat")],
        },
    )
    assert answer.status_code == 201

    assert await read(door, "/events/list") == {"message": "success", "events": ["a", "b", "Ä"]}
    assert (await read(door, "/purchases/product_list"))["products"] == ["hat", "shoe"]
    listed = (await read(door, "/custom_attributes"))["attributes"]
    assert {each["name"]: each["data_type"] for each in listed} == {
        "Zoo": "Number", "age": "Number", "deep": "Object", "list": "Array", "note": "String", "pets": "Object Array",
        "seen": "String", "vip": "Boolean",
    }  # fmt: skip
    assert [each["name"] for each in listed] == sorted(each["name"] for each in listed)
    assert (await read(door, "/events"))["events"][0] == {
        "name": "a", "description": None, "included_in_analytics_report": False, "status": "Active", "tag_names": [],
    }  # fmt: skip

    [entry] = await door.stage.enter(await door.stage.person())
    await door.stage.burst(entry)
    await door.stage.hear_derived()
    assert (await read(door, "/events/list"))["events"] == ["a", "b", "marked", "Ä"]


async def test_names_come_in_pages_by_number_and_by_cursor(door: Door) -> None:
    """XPT-15, XPT-16: a page past the end is empty; the way to the next page is a path, and needs no encoding."""
    names = [f"e{n:03}?é" for n in range(251)]
    await known_names.note(
        door.stage.db,
        door.stage.workspace,
        dict.fromkeys(known_names.of_events(("event", each) for each in names)),
    )

    assert (await read(door, "/events/list"))["events"] == names[:250]
    assert (await read(door, "/events/list", page=1))["events"] == names[250:]
    assert (await read(door, "/events/list", page=2))["events"] == []
    seen: list[str] = []
    place: str | None = "/events"
    headers = {"Authorization": f"Bearer {door.key}"}
    while place is not None:
        answer = await door.client.get(place, headers=headers)
        seen += [each["name"] for each in answer.json()["events"]]
        link = answer.headers.get("link")
        place = None if link is None else link.removesuffix('>; rel="next"').removeprefix("<")
        assert place is None or (place.startswith("/events?cursor=") and "%" not in place)
    assert seen == names
    for path in ("/events", "/custom_attributes"):
        refused = await read(door, path, 400, cursor="/w")
        assert refused == {"message": "'cursor' is not valid"}


async def test_a_name_is_asked_of_the_database_once_by_a_process_and_a_list_has_a_bound(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = door.stage
    monkeypatch.setattr(known_names, "MOST", 2)
    for name in ("a", "b", "c"):
        await known_names.note(stage.db, stage.workspace, {("event", name): None})
    await known_names.note(stage.db, stage.workspace, {("attribute", "x"): "number"})

    assert (await read(door, "/events/list"))["events"] == ["a", "b"]
    assert [each["name"] for each in (await read(door, "/custom_attributes"))["attributes"]] == ["seen", "x"]
    await stage.db.pool.execute("delete from known_names")
    await known_names.note(stage.db, stage.workspace, {("event", "a"): None})
    assert (await read(door, "/events/list"))["events"] == []


async def test_purchases_are_counted_by_day_and_hour_of_the_company(door: Door) -> None:
    """XPT-17: exactly so many spans, the last is that of `ending_at`."""
    await door.post(
        "/users/track",
        {
            "purchases": [
                bought("2026-12-05T22:59:00Z", quantity=3),
                bought("2026-12-05T23:00:00Z"),
                bought("2026-12-06T22:59:00Z", "hat", 10),
                bought("2026-12-07T08:30:00Z", quantity=2),
            ]
        },
    )

    days = await read(door, "/purchases/revenue_series", length=3)
    assert days == {
        "message": "success",
        "data": [
            {"time": "2026-12-05", "revenue": 7.5},
            {"time": "2026-12-06", "revenue": 12.5},
            {"time": "2026-12-07", "revenue": 5.0},
        ],
    }
    ending = "2026-12-06T23:30:00+01:00"
    asked = {"length": 2, "unit": "hour", "ending_at": ending}
    hours = (await read(door, "/purchases/quantity_series", **asked))["data"]
    assert hours == [
        {"time": "2026-12-06T22:00:00+01:00", "purchase_quantity": 0},
        {"time": "2026-12-06T23:00:00+01:00", "purchase_quantity": 1},
    ]
    headers = {"Authorization": f"Bearer {door.key}"}
    plain = await door.client.get(
        f"/purchases/quantity_series?length=1&product=hat&ending_at={ending}", headers=headers
    )
    assert plain.json()["data"] == [{"time": "2026-12-06", "purchase_quantity": 1}]


def test_a_day_is_as_long_as_its_zone_makes_it() -> None:
    """XPT-17"""
    paris = ZoneInfo("Europe/Paris")
    days = Buckets.of("day", 2, datetime(2026, 10, 25, 12, tzinfo=UTC), paris)
    hours = Buckets.of("hour", 26, datetime(2026, 10, 25, 23, tzinfo=UTC), paris)

    assert [str(late - early) for early, late in zip(days.edges, days.edges[1:], strict=False)] == [
        "1 day, 0:00:00",
        "1 day, 1:00:00",
    ]
    assert len(set(hours.labels)) == 26
    assert days.whole().edges == (days.edges[0], days.edges[-1])


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "'length' is required"),
        ({"length": "101"}, "'length': Input should be less than or equal to 100"),
        ({"length": "x"}, "'length': Input should be a valid integer"),
        ({"length": "1", "unit": "week"}, "'unit' must be 'day' or 'hour'"),
        ({"length": "1", "ending_at": "soon"}, "a time of the query is no ISO 8601 datetime"),
    ],
)
async def test_what_cannot_be_meant_of_a_series_is_refused(door: Door, asked: Any, said: str) -> None:
    """XPT-17"""
    assert await read(door, "/purchases/revenue_series", 400, **asked) == {"message": said}


async def test_a_segment_is_told_in_words(door: Door) -> None:
    """XPT-18: today a segment is a filter that has a name, in a file."""
    listed = await read(door, "/segments/list")
    assert [each["name"] for each in listed["segments"]] == ["adults", "runners"]
    assert listed["segments"][0] == {
        "id": "adults",
        "name": "adults",
        "analytics_tracking_enabled": False,
        "tags": [],
    }
    assert [
        each["id"] for each in (await read(door, "/segments/list", sort_direction="desc"))["segments"]
    ] == [
        "runners",
        "adults",
    ]
    assert (await read(door, "/segments/list", page=1))["segments"] == []

    one = await read(door, "/segments/details", segment_id="runners")
    assert (one["description"], one["text_description"]) == ("sport = running", "Those who run")
    assert (one["tags"], one["teams"], one["created_at"]) == ([], [], one["updated_at"])
    refused = await read(door, "/segments/details", 400, segment_id="runer")
    assert refused == {"message": "Invalid Segment ID: did you mean “runners”?"}
