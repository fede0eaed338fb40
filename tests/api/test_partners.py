"""What partners' connectors send: requests made after the marks that are known of each, not recorded ones.

The state after them is compared with what is expected of it, and no call is refused but those that are meant to be.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.parts import Door

TRACK = "/users/track"
AT = "2026-12-01T09:00:00.123Z"


async def sent(door: Door, calls: list[dict[str, Any]], **headers: str) -> list[Any]:
    """The answers of these calls, all of which are accepted."""
    answers = [await door.post(TRACK, call, **headers) for call in calls]
    assert [answer.status_code for answer in answers] == [201] * len(calls), [each.text for each in answers]
    return [answer.json() for answer in answers]


async def state(door: Door) -> tuple[dict[str, Any], dict[tuple[str, str, str], int]]:
    """What is known of each person by their external id: standard and custom attributes; and what they did how often."""
    rows = await door.stage.db.pool.fetch(
        "select external_id, email, first_name, zone, attributes from people order by external_id"
    )
    people = {
        row["external_id"]: {
            **{name: row[name] for name in ("email", "first_name", "zone") if row[name] is not None},
            **row["attributes"],
        }
        for row in rows
    }
    counts = await door.stage.db.pool.fetch(
        "select p.external_id, c.kind, c.name, c.count from event_counts c join people p on p.id = c.person"
    )
    return people, {(row["external_id"] or "", row["kind"], row["name"]): row["count"] for row in counts}


async def test_a28_segment_in_cloud_mode(door: Door) -> None:
    """A28: one request a kind, `app_id` on events, all traits again and again, existing only is always said."""
    traits = {"firstName": "Mel", "plan": "pro", "address": {"city": "Paris"}}
    one = {"external_id": "mel", "_update_existing_only": False}
    answers = await sent(
        door,
        [
            {"attributes": [{**one, "email": "mel@example.com", "first_name": "Mel", **traits}]},
            {"attributes": [{**one, "email": "mel@example.com", "first_name": "Mel", **traits}]},
            {"events": [{**one, "app_id": "app-1", "name": "Viewed", "time": AT, "properties": {"page": "/"}}]},
            {"purchases": [
                {**one, "app_id": "app-1", "product_id": "shoe", "currency": "EUR", "price": 99.5, "quantity": 2, "time": AT}
            ]},
        ],
        **{"X-Braze-Batch": "true"},
    )  # fmt: skip
    assert [answer["message"] for answer in answers] == ["success"] * 4
    people, counts = await state(door)
    assert people == {"mel": {"email": "mel@example.com", "first_name": "Mel", **traits}}
    assert counts == {("mel", "event", "Viewed"): 1, ("mel", "purchase", "shoe"): 2}


async def test_a28_mparticle(door: Door) -> None:
    """A28: audiences as a text, a list and a boolean each; properties of events are flat."""
    audiences = {"SegmentMembership": "'12','34'", "SegmentMembershipArray": ["12", "34"], "In VIPs": True}
    await sent(
        door,
        [
            {"attributes": [{"external_id": "mel", **audiences}]},
            {"events": [{"external_id": "mel", "name": "Played", "time": AT, "properties": {"level": "3", "won": "true"}}]},
            {"attributes": [{"external_id": "mel", "SegmentMembershipArray": ["34"], "In VIPs": False}]},
        ],
    )  # fmt: skip
    people, counts = await state(door)
    assert people == {"mel": {**audiences, "SegmentMembershipArray": ["34"], "In VIPs": False}}
    assert counts == {("mel", "event", "Played"): 1}


async def test_a28_tealium(door: Door) -> None:
    """A28: batches that are full, of all three kinds; one object more of a kind is refused as a whole."""
    who = [{"external_id": f"p{n:02}"} for n in range(75)]
    full: dict[str, Any] = {
        "attributes": [{**one, "visits": n} for n, one in enumerate(who)],
        "events": [{**one, "name": "visit", "time": AT} for one in who],
        "purchases": [
            {**one, "product_id": "shoe", "currency": "USD", "price": 1, "time": AT} for one in who
        ],
    }
    [answer] = await sent(door, [full])
    assert answer == {
        "message": "success", "attributes_processed": 75, "events_processed": 75, "purchases_processed": 75,
    }  # fmt: skip
    over = await door.post(TRACK, {**full, "events": [*full["events"], full["events"][0]]})
    assert over.status_code == 400
    people, counts = await state(door)
    assert people == {f"p{n:02}": {"visits": n} for n in range(75)}
    assert set(counts.values()) == {1}
    assert len(counts) == 150


async def test_a28_amperity(door: Door) -> None:
    """A28: attributes alone, changed ones, some of them taken away with null."""
    await sent(
        door,
        [
            {"attributes": [{"external_id": "mel", "amperity_id": "a-1", "lifetime_value": 120.5, "churn": "low"}]},
            {"attributes": [{"external_id": "mel", "lifetime_value": 130, "churn": None}]},
        ],
    )  # fmt: skip
    assert (await state(door))[0] == {"mel": {"amperity_id": "a-1", "lifetime_value": 130}}


async def test_a29_rudderstack_marks_the_rows_that_were_refused(door: Door) -> None:
    """A29: all kinds together, with its name, an alias of its own, groups as attributes; errors name array, index and reason."""
    call = {
        "partner": "RudderStack",
        "attributes": [
            {"external_id": "mel", "email": "mel@example.com", "ab_rudder_group_g1": True},
            {"email": "not an address"},
        ],
        "events": [
            {"external_id": "mel", "name": "Order Started", "time": AT, "properties": {"total": 5}},
            {"external_id": "mel", "name": "Order Started", "time": "yesterday"},
            {"external_id": "mel", "time": AT},
        ],
        "purchases": [
            {"external_id": "mel", "product_id": "shoe", "currency": "XX", "price": 5, "time": AT},
            {"external_id": "mel", "product_id": "shoe", "currency": "EUR", "price": 5, "time": AT},
        ],
    }
    alias = {
        "user_alias": {"alias_label": "rudder_id", "alias_name": "anon-1"},
        "_update_existing_only": False,
    }
    [answer, _] = await sent(door, [call, {"attributes": [{**alias, "first_name": "Zoe"}]}])
    assert [(each["input_array"], each["index"]) for each in answer.pop("errors")] == [
        ("attributes", 1), ("events", 1), ("events", 2), ("purchases", 0),
    ]  # fmt: skip
    assert answer == {
        "message": "success", "attributes_processed": 1, "events_processed": 1, "purchases_processed": 1,
    }  # fmt: skip
    people, counts = await state(door)
    assert people == {
        "mel": {"email": "mel@example.com", "ab_rudder_group_g1": True},
        None: {"first_name": "Zoe"},
    }
    assert counts == {("mel", "event", "Order Started"): 1, ("mel", "purchase", "shoe"): 1}


@pytest.mark.parametrize("existing", [True, False], ids=["update mode", "upsert mode"])
async def test_a29_hightouch_and_census(door: Door, existing: bool) -> None:
    """A29: only what changed, objects and lists of objects as JSON; the update mode makes nobody."""
    await sent(
        door, [{"attributes": [{"external_id": "mel", "first_name": "Mel", "cars": [{"id": 1, "seats": 4}]}]}]
    )
    said = {"_update_existing_only": existing}
    changed = [
        {"external_id": "mel", "cars": [{"id": 1, "seats": 5}], "home": {"city": "Nice"}, **said},
        {"external_id": "zoe", "plan": "free", **said},
    ]
    await sent(door, [{"attributes": changed}])
    mel = {"first_name": "Mel", "cars": [{"id": 1, "seats": 5}], "home": {"city": "Nice"}}
    assert (await state(door))[0] == ({"mel": mel} if existing else {"mel": mel, "zoe": {"plan": "free"}})


async def test_a7_an_external_id_is_one_persons_and_is_changed_by_a_rename_alone(door: Door) -> None:
    """A7: nobody else can take it, and the former one finds the person until it is removed."""
    await sent(door, [{"attributes": [{"external_id": "mel", "n": 1}, {"external_id": "zoe", "n": 2}]}])
    rename = "/users/external_ids/rename"
    taken = [{"current_external_id": "zoe", "new_external_id": "mel"}]
    answer = await door.post(rename, {"external_id_renames": taken})
    assert answer.json()["rename_errors"] == [[0, "the new external id is in use"]]

    await door.post(
        rename, {"external_id_renames": [{"current_external_id": "mel", "new_external_id": "melanie"}]}
    )
    await sent(
        door, [{"events": [{"external_id": one, "name": "x", "time": AT} for one in ("mel", "melanie")]}]
    )
    people, counts = await state(door)
    assert people == {"melanie": {"n": 1}, "zoe": {"n": 2}}
    assert counts == {("melanie", "event", "x"): 2}

    await door.post("/users/external_ids/remove", {"external_ids": ["mel"]})
    await sent(door, [{"events": [{"external_id": "mel", "name": "x", "time": AT}]}])
    assert (await state(door))[1] == {("melanie", "event", "x"): 2, ("mel", "event", "x"): 1}
