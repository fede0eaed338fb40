"""`/users/delete` over the REST API."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.parts import Door
from tests.api.test_identity import named, said, track

DELETE = "/users/delete"


async def test_people_are_deleted_by_whatever_names_them_and_who_is_not_there_counts_not(door: Door) -> None:
    """IDN-26"""
    await track(door, "mel", "zoe", "ann")
    assert await said(door, DELETE, {"external_ids": ["mel", "nobody", "mel"]}) == (
        201,
        {"message": "success", "deleted": 1},
    )
    zoe = await door.stage.db.pool.fetchval("select id::text from people where external_id = 'zoe'")
    assert (await said(door, DELETE, {"braze_ids": [zoe]}))[1]["deleted"] == 1
    assert (await named(door, "external_id", "mel"), await named(door, "external_id", "ann")) == (None, "ann")


async def test_of_several_with_one_address_nobody_goes_unless_one_is_meant(door: Door) -> None:
    """IDN-28"""
    people = [{"external_id": one, "email": "a@example.com"} for one in ("mel", "zoe")]
    await door.post("/users/track", {"attributes": people})
    both: dict[str, Any] = {"email": "a@example.com", "prioritization": ["identified"]}
    assert (await said(door, DELETE, {"email_addresses": [both]}))[1]["deleted"] == 0
    both["prioritization"].append("least_recently_updated")
    status, answer = await said(door, DELETE, {"email_addresses": [both, {"phone": "1"}]})
    assert status == 201 and [one["index"] for one in answer["errors"]] == [0, 1]
    await door.post("/users/track", {"attributes": [{"external_id": "mel", "a": 1}]})
    both["prioritization"] = ["identified", "most_recently_updated"]
    assert (await said(door, DELETE, {"email_addresses": [both]}))[1]["deleted"] == 1
    assert (await named(door, "external_id", "mel"), await named(door, "external_id", "zoe")) == (None, "zoe")


@pytest.mark.parametrize(
    "body",
    [{}, {"external_ids": ["a"], "braze_ids": ["b"]}, {"external_ids": []}, {"external_ids": ["a"] * 51}],
)
async def test_a_call_names_people_in_one_way_and_at_most_fifty(door: Door, body: dict[str, Any]) -> None:
    assert (await said(door, DELETE, body))[0] == 400
