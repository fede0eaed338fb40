"""`/users/merge` and `/users/identify` over the REST API."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.parts import Door
from tests.api.test_identity import alias, named, said, track

MERGE, IDENTIFY = "/users/merge", "/users/identify"
MUST_BE = (
    "identifiers must be objects with an 'external_id' property that is a string, 'user_alias' property that is an object, "
    "'email' property that is a string, or 'phone' property that is a string"
)
ONLY = "'merge_updates' must only have 'identifier_to_merge' and 'identifier_to_keep'"
MEL = {"external_id": "mel"}


def pair(gone: Any, kept: Any) -> dict[str, Any]:
    return {"identifier_to_merge": gone, "identifier_to_keep": kept}


async def count(door: Door) -> int:
    return int(await door.stage.db.pool.fetchval("select count(*) from people"))


async def attributes(door: Door, *objects: dict[str, Any]) -> None:
    assert (await door.post("/users/track", {"attributes": objects})).json()["attributes_processed"] == len(
        objects
    )


async def test_people_named_in_whatever_way_become_one_before_the_answer(door: Door) -> None:
    """IDN-25, IDN-30, A8: the two may be named in different ways."""
    await attributes(
        door,
        {"external_id": "mel", "a": 1},
        {"user_alias": alias("n"), "_update_existing_only": False, "b": 2},
        {"email": "mel@example.com", "c": 3},
        {"phone": "+4930901820", "d": 4},
    )
    body = {
        "merge_updates": [
            pair({"user_alias": alias("n")}, MEL),
            pair({"email": "Mel@example.com", "prioritization": ["unidentified"]}, MEL),
            pair({"phone": "+49 30 901820", "prioritization": []}, MEL),
            pair({"external_id": "nobody"}, MEL),
            pair({"email": "no address"}, MEL),
        ]
    }

    assert await said(door, MERGE, body) == (202, {"message": "success"})
    assert await count(door) == 1
    assert (await door.profile("mel"))["attributes"] == {"a": 1, "b": 2, "c": 3, "d": 4}
    assert await named(door, "user_alias", "l\x1fn") == "mel"
    assert await said(door, MERGE, body) == (202, {"message": "success"}), "again it changes nothing"


async def test_of_several_who_share_an_address_the_one_who_is_meant_is_merged_or_nobody(door: Door) -> None:
    """IDN-28, IDN-16"""
    await attributes(
        door,
        {"external_id": "mel"},
        {"external_id": "one", "email": "x@example.com", "a": 1},
        {"external_id": "two", "email": "x@example.com", "a": 2},
    )
    for priorities in (None, ["identified"], ["unidentified"], ["identified", "least_recently_updated"]):
        who: dict[str, Any] = {"email": "x@example.com"}
        if priorities is not None:
            who["prioritization"] = priorities
        assert (await said(door, MERGE, {"merge_updates": [pair(who, MEL)]}))[0] == 202
        assert await count(door) == (2 if priorities and len(priorities) == 2 else 3)
    assert (await door.profile("mel"))["attributes"] == {"a": 1}


@pytest.mark.parametrize(
    ("updates", "reason"),
    [
        ("x", "'merge_updates' must be an array of objects"),
        (None, "'merge_updates' is required"),
        (["x"], "'merge_updates' must be an array of objects"),
        ([pair(MEL, MEL)] * 51, "a single request may not contain more than 50 merge updates"),
        ([{"identifier_to_merge": MEL}], ONLY),
        ([{**pair(MEL, MEL), "more": 1}], ONLY),
        ([pair("mel", MEL)], MUST_BE),
        ([pair(MEL, {})], MUST_BE),
        ([pair(MEL, {"braze_id": "x"})], MUST_BE),
        ([pair({"external_id": 7}, MEL)], MUST_BE),
        ([pair({"user_alias": "x"}, MEL)], MUST_BE),
        ([pair({"email": {}}, MEL)], MUST_BE),
        (
            [pair({"user_alias": {}}, MEL)],
            "'user_alias' must be an object with 'alias_name' and 'alias_label'",
        ),
        ([pair({"external_id": ""}, MEL)], "'external_id' must not be empty"),
        (
            [pair({"email": "a@b.example", "prioritization": ["identified", "unidentified"]}, MEL)],
            "'prioritization' must not have both 'identified' and 'unidentified'",
        ),
    ],
)
async def test_a_call_to_merge_that_is_wrong_in_one_place_does_nothing(
    door: Door, updates: Any, reason: str
) -> None:
    """IDN-30"""
    await track(door, "mel", "zoe")
    good = [pair({"external_id": "zoe"}, MEL)]
    body = {
        "merge_updates": [*good, *updates] if isinstance(updates, list) and len(updates) < 50 else updates
    }
    assert await said(door, MERGE, body) == (400, {"message": reason})
    assert await count(door) == 2


async def test_an_alias_becomes_the_person_with_an_external_id(door: Door) -> None:
    """IDN-20, IDN-27, A8: a new external id is given, a known one's person takes over; with that label, nothing happens."""
    await attributes(
        door,
        *(
            {"user_alias": alias(f"n{number}"), "_update_existing_only": False, f"a{number}": 1}
            for number in range(4)
        ),
        {"external_id": "zoe", "z": 1},
        {"external_id": "labelled"},
    )
    await said(door, "/users/alias/new", {"user_aliases": [alias("own", external_id="labelled")]})
    wanted = [
        {"external_id": "new", "user_alias": alias("n0")},
        {"external_id": "zoe", "user_alias": alias("n1")},
        {"external_id": "labelled", "user_alias": alias("n2")},
        {"external_id": "made", "user_alias": alias("nobodys")},
        {"external_id": "other", "user_alias": alias("n0")},  # is new already
    ]

    status, answer = await said(door, IDENTIFY, {"aliases_to_identify": wanted})

    assert (status, answer) == (201, {"message": "success", "aliases_processed": 5})
    assert (await door.profile("new"))["attributes"] == {"a0": 1}
    assert (await door.profile("zoe"))["attributes"] == {"z": 1, "a1": 1}
    assert (await door.profile("labelled"))["attributes"] == {}
    assert [await named(door, "user_alias", f"l\x1fn{number}") for number in range(4)] == [
        "new",
        "zoe",
        "",
        "",
    ]
    assert [await named(door, "external_id", name) for name in ("made", "other")] == [None, None]
    assert await count(door) == 5


async def test_addresses_and_numbers_are_identified_too(door: Door) -> None:
    """IDN-20, IDN-28"""
    await attributes(
        door,
        {"email": "mel@example.com", "a": 1},
        {"phone": "+4930901820", "b": 1},
        {"external_id": "zoe", "email": "zoe@example.com"},
    )
    body = {
        "emails_to_identify": [
            {"external_id": "mel", "email": "mel@example.com", "prioritization": ["unidentified"]},
            {"external_id": "zoe", "email": "zoe@example.com"},
            {"external_id": "x", "email": 7},
        ],
        "phone_numbers_to_identify": [{"external_id": "mel", "phone": "+4930901820"}],
        "merge_behavior": "merge",
    }

    status, answer = await said(door, IDENTIFY, body)

    error = {"type": "'email' must be a string", "input_array": "emails_to_identify", "index": 2}
    assert (status, answer) == (
        201,
        {
            "message": "success",
            "aliases_processed": 0,
            "emails_processed": 2,
            "phones_processed": 1,
            "errors": [error],
        },
    )
    assert (await door.profile("mel"))["attributes"] == {"a": 1, "b": 1}
    assert await count(door) == 2


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"user_alias": alias()}, "'external_id' is required"),
        ({"external_id": "a"}, "'user_alias' is required"),
        ({"external_id": 7, "user_alias": alias()}, "'external_id' must be a string"),
        (
            {"external_id": "a", "user_alias": 7},
            "'user_alias' must be an object with 'alias_name' and 'alias_label'",
        ),
        ("x", "each object must be a JSON object"),
    ],
)
async def test_an_identification_that_is_wrong_is_told_as_clients_read_it(
    door: Door, given: Any, reason: str
) -> None:
    """IDN-20, A8: the form that clients have recorded."""
    assert await said(door, IDENTIFY, {"aliases_to_identify": [given]}) == (
        201,
        {
            "aliases_processed": 0,
            "message": "success",
            "errors": [{"type": reason, "input_array": "user_identifiers", "index": 0}],
        },
    )


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({}, "one of 'aliases_to_identify', 'emails_to_identify', 'phone_numbers_to_identify' is required"),
        ({"aliases_to_identify": "x"}, "'aliases_to_identify' must be an array of objects"),
        (
            {"aliases_to_identify": [{}] * 30, "emails_to_identify": [{}] * 21},
            "a single request may not contain more than 50 users to identify",
        ),
        (
            {"aliases_to_identify": [{}], "merge_behavior": "some"},
            "'merge_behavior' must be 'merge' or 'none'",
        ),
    ],
)
async def test_a_call_to_identify_names_somebody_and_fifty_at_most(
    door: Door, body: Any, reason: str
) -> None:
    """IDN-20, IDN-32"""
    assert await said(door, IDENTIFY, body) == (400, {"message": reason})


async def test_all_calls_that_change_who_people_are_share_their_limit(door: Door) -> None:
    """IDN-25"""
    left = [
        (await door.post(path, {})).headers["x-ratelimit-remaining"]
        for path in (MERGE, IDENTIFY, "/users/alias/new")
    ]
    assert left == ["19999", "19998", "19997"]
