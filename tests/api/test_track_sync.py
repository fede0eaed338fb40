"""`/users/track/sync`, and what is promised of `/users/track` as a whole."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import TypeAdapter

from journeys.canvas.filters import Filter
from journeys.engine.people.audience_sql import to_sql
from tests.api.parts import Door

SYNC = "/users/track/sync"
AT, LATER = "2026-12-01T09:00:00.000Z", "2026-12-02T09:00:00.000Z"
FILTER: TypeAdapter[Any] = TypeAdapter(Filter)


async def said(door: Door, **arrays: Any) -> tuple[int, dict[str, Any]]:
    answer = await door.post(SYNC, arrays)
    return answer.status_code, answer.json()


async def test_the_answer_shows_the_attributes_that_were_named_as_they_are_now(door: Door) -> None:
    """TRK-12, TRK-13, ATT-3: those that are removed are not there; a refused change shows the old value."""
    await door.post(
        "/users/track", {"attributes": [{"external_id": "mel", "visits": 2, "other": 1, "gone": 1}]}
    )

    status, answer = await said(
        door, attributes=[{"external_id": "mel", "visits": {"inc": 3}, "gone": None, "first_name": "Mel"}]
    )
    refused = await said(door, attributes=[{"external_id": "mel", "visits": "x" * 256}])

    assert (status, answer) == (
        201,
        {"message": "success", "users": [{"external_id": "mel", "custom_attributes": {"visits": 5}}]},
    )
    assert refused[0] == 201
    assert refused[1]["users"] == [{"external_id": "mel", "custom_attributes": {"visits": 5}}]
    assert refused[1]["errors"] == [
        {"type": "'visits' must not be longer than 255 characters", "input_array": "attributes", "index": 0}
    ]
    assert (await door.profile("mel"))["first_name"] == "Mel"
    many = {f"a{n}": n for n in range(60)}
    assert (await said(door, attributes=[{"external_id": "mel", **many}]))[1]["users"][0][
        "custom_attributes"
    ] == many


async def test_the_answer_shows_how_often_an_event_or_a_purchase_was(door: Door) -> None:
    """TRK-13, EVT-3, PUR-3."""
    bought = {
        "external_id": "mel",
        "product_id": "shoe",
        "currency": "EUR",
        "price": 2,
        "quantity": 2,
        "time": AT,
    }

    await said(door, events=[{"external_id": "mel", "name": "liked", "time": LATER}])
    event = await said(door, events=[{"external_id": "mel", "name": "liked", "time": AT}])
    purchase = await said(door, purchases=[bought])

    counted = {"name": "liked", "first": AT, "last": LATER, "count": 2}
    assert event == (
        201,
        {"message": "success", "users": [{"external_id": "mel", "custom_events": [counted]}]},
    )
    counted = {"product_id": "shoe", "first": AT, "last": AT, "count": 2}
    assert purchase[1]["users"] == [{"external_id": "mel", "purchase_events": [counted]}]


async def test_the_person_is_named_as_in_the_call_and_nobody_is_there_who_was_not_to_be_made(
    door: Door,
) -> None:
    """TRK-13, IDN-6, IDN-7."""
    alias = {"alias_name": "n", "alias_label": "l"}

    made = await said(door, attributes=[{"user_alias": alias, "_update_existing_only": False, "x": 1}])
    unknown = await said(door, attributes=[{"external_id": "zoe", "_update_existing_only": True, "x": 1}])

    assert made[1]["users"] == [{"user_alias": alias, "custom_attributes": {"x": 1}}]
    assert unknown == (201, {"message": "success", "users": []})


@pytest.mark.parametrize(("arrays", "says"), [
    ({"attributes": [{"external_id": "a"}, {"external_id": "b"}]}, "Exactly one object"),
    ({"attributes": [{"external_id": "a"}], "events": [{"external_id": "a"}]}, "Exactly one object"),
    ({"attributes": []}, "Valid data must be provided"),
    ({"events": None}, "Valid data must be provided"),
    ({"attributes": [{"x": 1}]}, "Valid data must be provided"),
    ({"attributes": {"external_id": "a"}}, "'attributes' must be"),
])  # fmt: skip
async def test_a_call_of_none_or_several_objects_is_refused(door: Door, arrays: Any, says: str) -> None:
    """TRK-12, TRK-6: nothing is written."""
    status, answer = await said(door, **arrays)

    assert status == 400
    assert answer["message"].startswith(says)
    assert ("errors" in answer) == (arrays == {"attributes": [{"x": 1}]})
    assert await door.stage.db.pool.fetchval("select count(*) from people") == 0


async def test_calls_of_one_person_at_once_are_carried_out_one_after_the_other(door: Door) -> None:
    """TRK-14: each increments, by either route, and the answers tell each number once."""
    one = {"attributes": [{"external_id": "mel", "visits": {"inc": 1}}]}

    answers = await asyncio.gather(*(door.post(path, one) for path in [SYNC, "/users/track/bulk"] * 10))

    assert {each.status_code for each in answers} == {201}
    assert (await door.profile("mel"))["attributes"] == {"visits": 20}
    events = {"events": [{"external_id": "mel", "name": "liked", "time": AT}]}
    told = await asyncio.gather(*(door.post(SYNC, events) for _ in range(10)))
    assert max(each.json()["users"][0]["custom_events"][0]["count"] for each in told) == 10


async def test_a1_seventy_five_objects_of_each_kind_are_taken_at_once_and_read_back(door: Door) -> None:
    """TRK-2, TRK-4, API-5: the export of all ids shows each value."""
    ids = [f"p{n}" for n in range(75)]
    body = {
        "attributes": [{"external_id": one, "n": place} for place, one in enumerate(ids)],
        "events": [{"external_id": one, "name": "liked", "time": AT} for one in ids],
        "purchases": [
            {"external_id": one, "product_id": "shoe", "currency": "EUR", "price": 1, "time": AT}
            for one in ids
        ],
    }

    answer = await door.post("/users/track", body)

    counts = dict.fromkeys(("attributes_processed", "events_processed", "purchases_processed"), 75)
    assert (answer.status_code, answer.json()) == (201, {"message": "success", **counts})
    for some in (ids[:50], ids[50:]):
        found = (await door.post("/users/export/ids", {"external_ids": some})).json()["users"]
        assert [(one["external_id"], one["custom_attributes"]) for one in found] == [
            (one, {"n": ids.index(one)}) for one in some
        ]


async def test_a2_what_lies_deep_and_what_is_one_of_many_is_found_at_once(door: Door) -> None:
    """NST-1, NST-8: five levels of objects, and two hundred objects in a list, on which audiences are judged."""
    deep: Any = {"a": {"b": {"c": {"d": {"e": "found"}}}}}
    many = {"pets": [{"x": n} for n in range(200)]}

    answer = await door.post("/users/track", {"attributes": [{"external_id": "mel", **deep, **many}]})

    assert answer.status_code == 201
    for path, value in (("a.b.c.d.e", "found"), ("pets[].x", 199)):
        what = FILTER.validate_python({"attribute": path, "equals": value})
        asked = to_sql(what, now=door.stage.clock.now(), first=2)
        query = f"select p.external_id from people p where p.workspace = $1 and {asked.text}"
        rows = await door.stage.db.pool.fetch(query, door.stage.workspace, *asked.parameters)
        assert (asked.exact, [row["external_id"] for row in rows]) == (True, ["mel"])
