"""What existing clients send, and what they rely on in the answers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx2
import msgspec
import pytest
import uvicorn

from journeys.api.app import app
from journeys.api.rate_limits import Limits
from journeys.engine.intake.track_objects import identifier_of
from journeys.engine.people.identity import Identifier, bucket_of
from journeys.engine.workspaces.api_keys import PERMISSIONS, UnknownPermission, create_key, digest
from journeys.engine.workspaces.publishing import publish
from tests.api.parts import STORY, Door
from tests.stage import MONDAY, FakeClock, canvas, definitions_of

JOINED = canvas("  - {type: delay, id: w, duration: 1 day}", name="joiners", schedule="{event: joined}")
EVENT: dict[str, Any] = {"external_id": "mel", "name": "liked", "time": "2026-12-07T08:00:00Z"}
TRACK = "/users/track"


async def people(door: Door) -> list[Any]:
    return list(await door.stage.db.pool.fetch("select * from people order by id"))


async def test_unknown_keys_nulls_and_empty_arrays_do_no_harm(door: Door) -> None:
    """`partner`, three arrays always, `properties: null`, identifiers that are null."""
    answer = await door.post(
        TRACK,
        {
            "partner": "somebody",
            "attributes": [],
            "events": [{**EVENT, "properties": None, "user_alias": None, "email": None, "app_id": "x"}],
            "purchases": [],
        },
        **{"X-Braze-Bulk": "true", "X-Braze-Batch": "true"},
    )

    assert answer.status_code == 201
    assert answer.json() == {
        "message": "success",
        "attributes_processed": 0,
        "events_processed": 1,
        "purchases_processed": 0,
    }


@pytest.mark.parametrize("path", ["/users/track/", "/users/track/bulk", "/users/track/bulk/"])
async def test_a_slash_at_the_end_and_the_bulk_route_lose_no_body(door: Door, path: str) -> None:
    """TRK-15: no redirect."""
    answer = await door.post(path, {"events": [EVENT]})

    assert (answer.status_code, answer.json()["events_processed"]) == (201, 1)
    trigger = await door.post(
        "/canvas/trigger/send/", {"canvas_id": "story", "recipients": [{"external_user_id": "mel"}]}
    )
    assert trigger.status_code == 201


async def test_the_old_key_in_the_body_or_the_query_is_accepted_and_not_stored(door: Door) -> None:
    """API-2"""
    body = {"api_key": door.key, "attributes": [{"external_id": "mel", "x": 1}]}
    assert (await door.post(TRACK, body, key=None)).status_code == 201
    assert (await door.post(f"{TRACK}?api_key={door.key}", {"events": [EVENT]}, key=None)).status_code == 201
    assert (await door.post(TRACK, {**body, "api_key": "wrong"}, key=None)).status_code == 401
    assert (await door.post(TRACK, {**body, "api_key": 7}, key=None)).status_code == 401

    assert [row["attributes"] for row in await people(door)] == [{"x": 1}]


@pytest.mark.parametrize("header", ['Bearer "{}"', "Basic {}", "{}", "Bearer", "Bearer {} x", "Bearer \x7f"])
async def test_a_key_in_another_form_is_no_key(door: Door, header: str) -> None:
    """API-2: quotes around it too; and the key is not said back."""
    answer = await door.client.post(
        TRACK, json={"events": [EVENT]}, headers={"Authorization": header.format(door.key)}
    )

    assert (answer.status_code, answer.json()) == (401, {"message": "Invalid API Key"})


@pytest.mark.parametrize(
    "time",
    [
        "2026-12-07T08:00:00Z",
        "2026-12-07T09:00:00+01:00",
        "2026-12-07T09:00:00+0100",
        "2026-12-07T08:00:00.123Z",
        "2026-12-07T08:00:00.123456Z",
        "2026-12-07T08:00:00:123Z",
        "2026-12-07T08:00:00",
        "2026-12-07 08:00:00",
    ],
)
async def test_times_come_in_many_forms_and_without_a_zone_they_are_utc(door: Door, time: str) -> None:
    """ATT-6"""
    assert (await door.post(TRACK, {"events": [{**EVENT, "time": time}]})).status_code == 201

    at = await door.stage.db.pool.fetchval("select at from events")
    assert at.replace(microsecond=0).isoformat() == "2026-12-07T08:00:00+00:00"


@pytest.mark.parametrize(
    "time", [None, "", "soon", 1765094400, "2026-13-01", "0000-01-01", "9999-12-31T23:59:59-12:00"]
)
async def test_what_is_no_time_is_said(door: Door, time: Any) -> None:
    """EVT-1, TRK-8, TRK-6"""
    answer = await door.post(TRACK, {"events": [{**EVENT, "time": time}]})

    assert answer.status_code == 400
    assert answer.json()["errors"] == [
        {"type": "'time' must be an ISO 8601 datetime", "input_array": "events", "index": 0}
    ]


async def test_a_time_ahead_becomes_now_and_its_double_is_known_by_its_id(door: Door) -> None:
    """EVT-1, EVT-5"""
    for _ in range(2):
        await door.post(TRACK, {"events": [{**EVENT, "time": "2030-01-01", "event_id": "7"}]})
        door.stage.clock.turn(MONDAY - MONDAY.replace(hour=8))  # type: ignore[attr-defined]

    assert await door.stage.db.pool.fetch("select at from events") == [(MONDAY,)]


async def test_a_country_by_its_name_does_not_sink_the_object(door: Door) -> None:
    """1.4: names are mapped as well as may be, what is none becomes null, zones may be named as Rails does."""
    await door.post(
        TRACK,
        {
            "attributes": [
                {"external_id": "mel", "country": "Brazil", "language": "pt-BR", "time_zone": "Brasilia"}
            ]
        },
    )
    [mel] = await people(door)
    assert (mel["country"], mel["language"], mel["zone"]) == ("BR", "pt", "America/Sao_Paulo")
    await door.post(
        TRACK, {"attributes": [{"external_id": "mel", "country": "Atlantis", "time_zone": "Mars/Base"}]}
    )
    [mel] = await people(door)
    assert (mel["country"], mel["zone"]) == (None, "America/Sao_Paulo")


@pytest.mark.parametrize(("given", "said"), [
    ({"country": "FRA"}, ["'country' has a value that is not known, 'FRA': the person has none now"]),
    ({"time_zone": "Mars/City"}, ["'time_zone' has a value that is not known, 'Mars/City': it was not changed"]),
    ({"language": "klingon"}, ["'language' has a value that is not known, 'klingon': it was not changed"]),
    ({"Country": "FR"}, ["'Country' is a custom attribute; did you mean 'country'?"]),
    ({"First_Name": "Mel", "firstName": "Mel"}, ["'First_Name' is a custom attribute; did you mean 'first_name'?", "'firstName' is a custom attribute; did you mean 'first_name'?"]),
    ({"EMAIL": "x", "Email Subscribe": "x"}, ["'EMAIL' is a custom attribute; did you mean 'email'?", "'Email Subscribe' is a custom attribute; did you mean 'email_subscribe'?"]),
    ({"a\0b": 1}, ["attribute names must not contain the character U+0000; 'ab…' was not written"]),
    ({"anonymous_id": "a\0"}, ["'anonymous_id' must not contain the character U+0000; it was ignored"]),
    ({"dob": "someday", "gender": "X", "vip": True}, ["'dob' must be a date such as 1990-12-31", "'gender' must be one of M, F, O, N, P"]),
    ({"country": "Brazil", "time_zone": "Brasilia", "language": "pt-BR", "countries": 3, "bio": "x"}, []),
])  # fmt: skip
async def test_what_is_dropped_of_an_object_is_told(door: Door, given: Any, said: list[str]) -> None:
    """TRK-5, 1.4: with its place; the rest of the object is written."""
    answer = await door.post(TRACK, {"attributes": [{"external_id": "zoe"}, {"external_id": "mel", "size": 38, **given}]})  # fmt: skip

    assert (answer.status_code, answer.json()["attributes_processed"]) == (201, 2)
    errors = answer.json().get("errors", [])
    assert sorted(each["type"] for each in errors) == sorted(said)
    assert {(each["input_array"], each["index"]) for each in errors} <= {("attributes", 1)}
    mel = next(row for row in await people(door) if row["external_id"] == "mel")
    assert mel["attributes"]["size"] == 38


@pytest.mark.parametrize(("array", "more", "said"), [
    ("events", {"propertys": {"total": 5}}, ["'propertys' is no key of an event and was ignored; did you mean 'properties'?"]),
    ("events", {"Event_ID": "7", "total": 5}, ["'Event_ID' is no key of an event and was ignored; did you mean 'event_id'?", "'total' is no key of an event and was ignored"]),
    ("purchases", {"quanttity": 3}, ["'quanttity' is no key of a purchase and was ignored; did you mean 'quantity'?"]),
    ("events", {"app_id": "a", "_update_existing_only": False, "event_id": "7", "properties": {"any": 1}}, []),
    ("purchases", {"app_id": "a", "quantity": 3, "event_id": "7", "properties": {"any": 1}}, []),
])  # fmt: skip
async def test_a_key_that_an_event_or_a_purchase_does_not_have_is_told(
    door: Door, array: str, more: Any, said: list[str]
) -> None:
    """TRK-5: the rest is taken."""
    parts: dict[str, Any] = {
        "events": {"name": "e"},
        "purchases": {"product_id": "p", "currency": "EUR", "price": 1},
    }
    given = {"external_id": "mel", "time": "2026-12-07T08:00:00Z", **parts[array], **more}
    answer = await door.post(TRACK, {array: [given]})

    assert (answer.status_code, answer.json()[f"{array}_processed"]) == (201, 1)
    assert answer.json().get("errors", []) == [
        {"type": text, "input_array": array, "index": 0} for text in said
    ]


async def test_of_an_event_that_is_refused_the_keys_that_it_does_not_have_are_told_too(door: Door) -> None:
    """TRK-5: one of them may be what is missing."""
    answer = await door.post(TRACK, {"events": [{"external_id": "mel", "Name": "e"}]})
    told = [each["type"] for each in answer.json()["errors"]]
    assert told == [
        "'name' is required",
        "'Name' is no key of an event and was ignored; did you mean 'name'?",
    ]


async def test_a_key_beside_the_arrays_is_told(door: Door) -> None:
    """TRK-1, TRK-5: with what is taken, and where nothing can be."""
    told = {"type": "'event' is no key of this request and was ignored; did you mean 'events'?"}
    good = await door.post(TRACK, {"attributes": [{"external_id": "mel"}], "event": [], "partner": "p"})
    assert (good.status_code, good.json()["errors"]) == (201, [told])
    nothing: list[dict[str, Any]] = [{}, {"attributes": [{}]}]
    for others in nothing:
        refused = await door.post(TRACK, {"event": [{"external_id": "mel"}], **others})
        assert (refused.status_code, refused.json()["errors"][0]) == (400, told)


async def test_a_person_whom_nobody_knows_by_our_id_is_told_in_each_array(door: Door) -> None:
    """IDN-7, TRK-5: `braze_id` makes nobody; what was said of them is not written."""
    who = {"braze_id": str(uuid4())}
    time = {"time": "2026-12-07T08:00:00Z"}
    purchase = {"product_id": "p", "currency": "EUR", "price": 1, **time}
    answer = await door.post(TRACK, {"attributes": [{**who, "x": 1}], "events": [{**who, "name": "e", **time}], "purchases": [{**who, **purchase}]})  # fmt: skip

    said = "there is no person with this 'braze_id'"
    assert answer.status_code == 201
    assert answer.json()["errors"] == [{"type": said, "input_array": array, "index": 0} for array in ("attributes", "events", "purchases")]  # fmt: skip


async def test_of_an_object_that_is_refused_all_that_is_wrong_is_told(door: Door) -> None:
    """TRK-5, TRK-8: two faults that refuse it, and what would have been dropped."""
    mel = {"external_id": "mel", "email": "nowhere", "email_subscribe": "yes", "country": "FRA", "note": "x" * 256, "size": 38}  # fmt: skip
    answer = await door.post(TRACK, {"attributes": [mel, {"external_id": "zoe"}]})

    assert answer.json()["attributes_processed"] == 1
    assert [(each["index"], each["type"].split("'")[1]) for each in answer.json()["errors"]] == [
        (0, "email_subscribe"), (0, "email"), (0, "country"), (0, "note"),
    ]  # fmt: skip
    assert (
        answer.json()["errors"][2]["type"] == "'country' has a value that is not known, 'FRA'"
    )  # nothing is written
    assert [row["external_id"] for row in await people(door)] == ["zoe"]


async def test_an_alias_that_nobody_has_is_no_error_and_makes_nobody_unless_asked_to(door: Door) -> None:
    """IDN-7, D2: `_update_existing_only: false` makes; absent or true does not; in all three arrays."""
    alias = {"user_alias": {"alias_name": "m", "alias_label": "crm"}}
    event = {"name": "e", "time": "2026-12-07T08:00:00Z"}
    answer = await door.post(TRACK, {"attributes": [{**alias, "x": 1}], "events": [{**alias, **event}]})
    assert answer.json() == {"message": "success", "attributes_processed": 1, "events_processed": 1}
    assert await people(door) == []
    assert await door.stage.db.pool.fetchval("select count(*) from events") == 0

    await door.post(TRACK, {"events": [{**alias, **event, "_update_existing_only": False}]})
    await door.post(TRACK, {"attributes": [{**alias, "x": 2}]})
    assert [row["attributes"] for row in await people(door)] == [{"x": 2}]


async def test_a_person_is_known_by_each_of_their_names_and_each_name_is_one_persons(door: Door) -> None:
    """IDN-1, IDN-3: an external id, a label's name, an anonymous id, an address, a number, our id."""
    names: list[dict[str, Any]] = [
        {"external_id": "mel"},
        {"user_alias": {"alias_label": "crm", "alias_name": "mel"}},
        {"user_alias": {"alias_label": "shop", "alias_name": "mel"}},
        {"anonymous_id": "mel"},
        {"email": "mel@example.com"},
        {"phone": "+4930901820"},
    ]
    for change in ({"a": 1}, {"b": 2}):
        objects = [{**name, **change, "_update_existing_only": False} for name in names]
        await door.post(TRACK, {"attributes": objects})
    found = await people(door)
    await door.post(TRACK, {"attributes": [{"braze_id": str(row["id"]), "c": 3} for row in found]})

    assert len(found) == len(names)
    assert [row["attributes"] for row in await people(door)] == [{"a": 1, "b": 2, "c": 3}] * len(names)


async def test_nobody_has_the_name_of_another(door: Door) -> None:
    """IDN-2, IDN-3: an external id is one person's, and so is a name under a label; a person has one name under it.

    Requests that come at once make nobody twice; and the database itself takes no second one.
    """
    alias = {"user_alias": {"alias_label": "crm", "alias_name": "mel"}, "_update_existing_only": False}
    for name in ({"external_id": "mel"}, alias):
        await asyncio.gather(*(door.post(TRACK, {"attributes": [{**name, f"n{n}": n}]}) for n in range(6)))
    db, workspace = door.stage.db, door.stage.workspace
    [known, by_alias] = await people(door)
    assert [len(row["attributes"]) for row in (known, by_alias)] == [6, 6]
    assert [tuple(row) for row in await db.pool.fetch("select person, label, name from aliases")] == [
        (by_alias["id"], "crm", "mel")
    ]

    naming = "insert into aliases (workspace, person, label, name) values ($1, $2, $3, $4)"
    await db.pool.execute(naming, workspace, known["id"], "shop", "mel")  # another label
    with pytest.raises(asyncpg.UniqueViolationError):
        await db.pool.execute(naming, workspace, known["id"], "crm", "mel")
    with pytest.raises(asyncpg.UniqueViolationError):
        await db.pool.execute(naming, workspace, by_alias["id"], "crm", "melanie")
    with pytest.raises(asyncpg.UniqueViolationError):
        await db.pool.execute("update people set external_id = 'mel' where id = $1", by_alias["id"])


@pytest.mark.parametrize("name", [{"email": "shared@example.com"}, {"phone": "+4930901820"}])
async def test_of_several_who_share_an_address_the_identified_come_first_then_who_was_changed_last(
    door: Door, name: dict[str, str]
) -> None:
    """IDN-4"""
    ids = {}
    for who in ("one", "two", "three", "four"):
        known = {"external_id": who} if who in ("two", "three") else {"anonymous_id": who}
        await door.post(TRACK, {"attributes": [{**known, **name, "who": who}]})
        ids[who] = await door.stage.db.pool.fetchval(
            "select id from people where attributes->>'who' = $1", who
        )

    async def meant() -> str:
        """Who is changed by what is said of the address or number alone."""
        await door.post(TRACK, {"attributes": [{**name, "meant": True}]})
        [row] = await door.stage.db.pool.fetch(
            "update people set attributes = attributes - 'meant' where attributes ? 'meant' returning attributes"
        )
        return str(row[0]["who"])

    async def changed(who: str) -> None:
        await door.post(TRACK, {"attributes": [{"braze_id": str(ids[who]), "n": {"inc": 1}}]})

    assert await meant() == "three"
    await changed("four")
    await changed("two")
    await changed("one")
    assert await meant() == "two", "the identified one that was changed last"
    await door.stage.db.pool.execute("update people set external_id = null")
    await changed("four")
    assert await meant() == "four", "nobody is identified: whoever was changed last"
    await changed("one")
    assert await meant() == "one"


async def test_existing_only_never_makes_anybody(door: Door) -> None:
    """IDN-7, TRK-8: it counts as processed."""
    for name in (
        {"external_id": "zoe"},
        {"email": "z@example.com"},
        {"phone": "+4930901820"},
        {"braze_id": "x"},
    ):
        answer = await door.post(TRACK, {"attributes": [{**name, "_update_existing_only": True, "x": 1}]})
        assert (answer.status_code, answer.json()["attributes_processed"]) == (201, 1)

    assert await people(door) == []


async def test_an_address_or_a_phone_alone_makes_a_person_once(door: Door) -> None:
    """IDN-5, IDN-7: the address is the stronger, and is kept in lower case; an identified person is preferred."""
    for _ in range(2):
        await door.post(
            TRACK, {"attributes": [{"email": "Mel@Example.com", "phone": "+49 30 901820", "x": 1}]}
        )
        await door.post(TRACK, {"attributes": [{"phone": "+44 20 7946 0958", "y": 1}]})
    first, second = await people(door)
    assert (first["email"], first["phone"]) == ("mel@example.com", "+4930901820")
    assert (second["email"], second["phone"], second["attributes"]) == (None, "+442079460958", {"y": 1})

    await door.post(TRACK, {"attributes": [{"external_id": "mel", "email": "mel@example.com"}]})
    await door.post(TRACK, {"attributes": [{"email": "mel@example.com", "z": 1}]})
    assert (await door.profile("mel"))["attributes"] == {"z": 1}


async def test_objects_of_one_person_apply_in_their_order(door: Door) -> None:
    """TRK-3"""
    changes = [{"n": 1}, {"n": {"inc": 2}}, {"l": ["a"]}, {"l": {"add": ["b"]}}, {"n": {"inc": -1}}]
    await door.post(TRACK, {"attributes": [{"external_id": "mel", **change} for change in changes]})

    assert (await door.profile("mel"))["attributes"] == {"n": 2, "l": ["a", "b"]}


async def test_a_wrong_attribute_is_said_and_the_others_of_its_object_are_written(door: Door) -> None:
    """ATT-1, NST-4, TRK-5: in the order of the objects, whatever is wrong with them."""
    wrong = {"external_id": "mel", "a": "x" * 256, "b": {"c d": 1}, "e": 1}
    answer = await door.post(TRACK, {"events": [7], "attributes": [wrong, 5]})

    assert answer.json() == {
        "message": "success",
        "attributes_processed": 1,
        "events_processed": 0,
        "errors": [
            {"type": "'a' must not be longer than 255 characters", "input_array": "attributes", "index": 0},
            {
                "type": "nested attribute 'b' contains an invalid value; its update was dropped",
                "input_array": "attributes",
                "index": 0,
            },
            {
                "type": "each object in 'attributes' must be a JSON object",
                "input_array": "attributes",
                "index": 1,
            },
            {"type": "each object in 'events' must be a JSON object", "input_array": "events", "index": 0},
        ],
    }
    assert (await door.profile("mel"))["attributes"] == {"e": 1}


@pytest.mark.parametrize(
    ("array", "given", "text"),
    [
        ("attributes", {"external_id": 7}, "'external_id' must be a string"),
        ("attributes", {"external_id": "a\0"}, "'external_id' must not contain the character U+0000"),
        ("attributes", {"external_id": ""}, "'external_id' must not be empty"),
        (
            "attributes",
            {"user_alias": {"alias_name": "m\0", "alias_label": "l"}},
            "'alias_name' must not contain the character U+0000",
        ),
        (
            "attributes",
            {"user_alias": {"alias_name": "m", "alias_label": 7}},
            "'alias_label' must be a string",
        ),
        (
            "attributes",
            {"user_alias": {"alias_name": "m", "alias_label": "a\x1f"}},
            "'alias_label' must not contain the character U+001F",
        ),
        ("events", {**EVENT, "name": "e\0"}, "'name' must not contain the character U+0000"),
        ("events", {**EVENT, "name": 7}, "'name' must be a string"),
        ("events", {**EVENT, "event_id": "7\0"}, "'event_id' must not contain the character U+0000"),
        (
            "events",
            {**EVENT, "properties": {"p\0": 1}},
            "property names must not contain the character U+0000",
        ),
        (
            "purchases",
            {**EVENT, "product_id": "p\0", "price": 1, "currency": "EUR"},
            "'product_id' must not contain the character U+0000",
        ),
        ("attributes", {"user_alias": {"alias_name": "m"}}, "'user_alias' must be an object with"),
        ("attributes", {"user_alias": "m"}, "'user_alias' must be an object with"),
        ("attributes", {"email": "mel@"}, "The value provided for the 'email' field is not a valid email."),
        ("attributes", {"phone": "call me"}, "'phone' must be a phone number"),
        (
            "attributes",
            {"external_id": "m", "email_subscribe": "Subscribed"},
            "'email_subscribe' must be 'opted_in'",
        ),
        ("attributes", {"external_id": "m", "push_subscribe": True}, "'push_subscribe' must be 'opted_in'"),
        ("attributes", "mel", "must be a JSON object"),
        ("events", {**EVENT, "name": ""}, "'name' is required"),
        ("events", {**EVENT, "name": "n" * 256}, "'name' must not be longer than 255 characters"),
        ("events", {**EVENT, "properties": [1]}, "'properties' must be an object"),
        ("events", {**EVENT, "properties": {"time": 1}}, "'properties' must not contain reserved key 'time'"),
        ("events", {**EVENT, "properties": {"$x": 1}}, "property names must not start with '$'"),
        ("purchases", {**EVENT, "price": 1, "currency": "EUR"}, "'product_id' is required"),
        (
            "purchases",
            {**EVENT, "product_id": "a\0", "price": 1, "currency": "EUR"},
            "'product_id' must not contain the character U+0000",
        ),
        (
            "purchases",
            {**EVENT, "product_id": "p", "price": 1, "currency": "XXZ"},
            "'currency' must be an ISO 4217",
        ),
        (
            "purchases",
            {**EVENT, "product_id": "p", "price": "1", "currency": "EUR"},
            "'price' must be a number",
        ),
        (
            "purchases",
            {**EVENT, "product_id": "p", "price": 1, "currency": "EUR", "quantity": 101},
            "'quantity' must be an integer between 1 and 100",
        ),
    ],
)
async def test_what_refuses_an_object_is_said_in_the_words_that_clients_know(
    door: Door, array: str, given: Any, text: str
) -> None:
    """TRK-5, TRK-6, TRK-8: the index counts within its own array."""
    good: dict[str, Any] = EVENT if array == "events" else {**EVENT, **PURCHASE}
    if array == "purchases":
        good, given = ({key: one[key] for key in one if key != "name"} for one in (good, given))
    answer = await door.post(TRACK, {"attributes": [{"external_id": "ok"}], array: [good, given]})

    body = answer.json()
    assert answer.status_code == 201
    assert [(each["input_array"], each["index"]) for each in body["errors"]] == [(array, 1)]
    assert text in body["errors"][0]["type"]
    assert body[f"{array}_processed"] == 1


PURCHASE: dict[str, Any] = {"product_id": "shoe", "price": 99.5, "currency": "eur"}


async def test_a_purchase_is_an_occurrence_with_price_currency_and_quantity(door: Door) -> None:
    """PUR-1"""
    await door.post(TRACK, {"purchases": [{**EVENT, **PURCHASE, "properties": {"size": 38}}]})

    [row] = await door.stage.db.pool.fetch("select kind, name, properties from events")
    said = {"size": 38, "price": 99.5, "currency": "EUR", "quantity": 1}
    assert tuple(row) == ("purchase", "shoe", said)


async def test_a_stronger_identifier_counts_and_the_weaker_is_named(door: Door) -> None:
    """IDN-6"""
    alias = {"alias_name": "m", "alias_label": "crm"}
    answer = await door.post(
        TRACK, {"attributes": [{"external_id": "mel", "user_alias": alias, "braze_id": "x"}]}
    )

    assert answer.json()["errors"][0]["type"] == "'user_alias' was ignored because 'external_id' is present"
    assert len(await people(door)) == 1


def test_of_several_identifiers_the_strongest_says_whom_an_object_is_about() -> None:
    """IDN-6, IDN-5"""
    given = {
        "external_id": "mel", "user_alias": {"alias_label": "crm", "alias_name": "m"}, "braze_id": "AB",
        "anonymous_id": "device", "email": "Mel@Example.com", "phone": "+49 30 901820",
    }  # fmt: skip
    found = []
    while given:
        who = identifier_of(given)
        assert isinstance(who, Identifier)
        found.append((who.sort, who.value))
        del given[who.sort]

    assert found == [
        ("external_id", "mel"), ("user_alias", "crm\x1fm"), ("braze_id", "ab"), ("anonymous_id", "device"),
        ("email", "mel@example.com"), ("phone", "+4930901820"),
    ]  # fmt: skip


async def test_consent_is_set_for_all_who_share_the_address(door: Door) -> None:
    """PRF-5"""
    await door.post(
        TRACK, {"attributes": [{"external_id": one, "email": "family@example.com"} for one in ("a", "b")]}
    )
    await door.post(
        TRACK,
        {
            "attributes": [
                {"external_id": "a", "email_subscribe": "unsubscribed", "push_subscribe": "opted_in"}
            ]
        },
    )

    rows = await door.stage.db.pool.fetch(
        "select external_id, channel, state from consents c join people p on p.id = c.person order by 1, 2"
    )
    assert [tuple(row) for row in rows] == [
        ("a", "email", "unsubscribed"),
        ("a", "push", "opted_in"),
        ("b", "email", "unsubscribed"),
    ]


async def test_a_profile_is_written_only_where_a_call_changes_something_of_it(door: Door) -> None:
    """TRK-9"""
    versions = []
    for size in (38, 38, 39):
        answer = await door.post(TRACK, {"attributes": [{"external_id": "mel", "size": size}]})
        assert answer.json()["attributes_processed"] == 1
        [row] = await people(door)
        versions.append((row["attributes"], row["updated"]))

    assert versions[0] == versions[1]
    assert versions[2][0] == {"size": 39} and versions[2][1] > versions[1][1]


def test_a_bucket_is_one_of_ten_thousand_and_a_persons_for_good() -> None:
    """IDN-10"""
    buckets = [bucket_of(UUID(int=number)) for number in range(2000)]

    assert buckets[:4] == [5186, 4532, 2483, 6820]
    assert 0 <= min(buckets) < 50 and 9950 < max(buckets) <= 9999
    assert 900 < sum(each < 5000 for each in buckets) < 1100


async def test_an_anonymous_person_becomes_the_identified_one(door: Door) -> None:
    """IDN-12, IDN-10: nothing is lost, nobody is doubled, and the bucket stays."""
    await door.post(
        TRACK, {"events": [{"anonymous_id": "device", "name": "seen", "time": "2026-12-07T08:00:00Z"}]}
    )
    [before] = await people(door)
    body = {"attributes": [{"external_id": "mel", "anonymous_id": "device", "x": 1}]}
    await asyncio.gather(*(door.post(TRACK, body) for _ in range(6)))
    await door.post(TRACK, {"attributes": [{"anonymous_id": "device", "y": 2}]})

    [after] = await people(door)
    assert (after["id"], after["external_id"], after["bucket"]) == (before["id"], "mel", before["bucket"])
    assert after["attributes"] == {"x": 1, "y": 2}


async def test_an_anonymous_id_that_is_new_becomes_that_of_the_identified_person_who_has_none(
    door: Door,
) -> None:
    """IDN-12"""
    await door.post(TRACK, {"attributes": [{"external_id": "mel"}]})
    for device in ("watch", "tablet"):
        await door.post(TRACK, {"attributes": [{"external_id": "mel", "anonymous_id": device, device: 1}]})
    await door.post(TRACK, {"attributes": [{"anonymous_id": "watch", "x": 1}]})

    [mel] = await people(door)
    assert (mel["external_id"], mel["anonymous_id"]) == ("mel", "watch")
    assert mel["attributes"] == {"watch": 1, "tablet": 1, "x": 1}


async def test_an_anonymous_person_becomes_one_with_who_is_known_and_two_who_are_known_stay_two(
    door: Door,
) -> None:
    """IDN-13, IDN-19, A6: on each device; all that was known of either is known of the one."""
    link = {"external_id": "mel", "anonymous_id": "device"}
    event = {"anonymous_id": "device", "name": "seen", "time": "2026-12-07T08:00:00Z"}
    await door.post(
        TRACK,
        {
            "attributes": [{"external_id": "mel", "a": 1}, {"anonymous_id": "device", "a": 2, "b": 2}],
            "events": [event],
        },
    )
    answer = await door.post(TRACK, {"attributes": [{**link, "x": 1}, {**link, "y": 1}]})
    assert answer.json() == {"message": "success", "attributes_processed": 2}
    await door.post(TRACK, {"attributes": [{"external_id": "zoe", "anonymous_id": "device", "z": 1}]})
    await door.post(TRACK, {"attributes": [{"anonymous_id": "tablet", "t": 1}]})
    await door.post(TRACK, {"events": [{**event, "external_id": "mel", "anonymous_id": "tablet"}]})
    await door.post(TRACK, {"attributes": [{"external_id": "mel", "anonymous_id": "watch"}]})
    for device in ("device", "tablet", "watch"):
        await door.post(TRACK, {"attributes": [{"anonymous_id": device, f"by {device}": 1}]})

    found = {row["external_id"]: row["attributes"] for row in await people(door)}
    devices = {f"by {device}": 1 for device in ("device", "tablet", "watch")}
    assert found == {"mel": {"a": 1, "b": 2, "x": 1, "y": 1, "t": 1, **devices}, "zoe": {"z": 1}}
    assert await door.stage.db.pool.fetchval("select count(distinct person) from events") == 1
    assert await door.stage.db.pool.fetchval("select count(*) from events") == 2


async def test_a_number_without_an_international_form_is_kept_aside(door: Door) -> None:
    """IDN-8"""
    await door.post(TRACK, {"attributes": [{"external_id": "mel", "phone": "ask at the desk"}]})
    mel = await door.profile("mel")
    assert (mel["phone"], mel["standard"]) == (None, {"unformatted_phone": "ask at the desk"})
    await door.post(TRACK, {"attributes": [{"external_id": "mel", "phone": "+49 30 901820"}]})
    mel = await door.profile("mel")
    assert (mel["phone"], mel["standard"]) == ("+4930901820", {})


async def test_what_an_event_brings_about_is_there_with_the_answer(door: Door) -> None:
    """TRK-10, API-5: the entry is written in the transaction that stores the event."""
    await publish(door.stage.db, "default", definitions_of(STORY + "---\n" + JOINED))
    assert isinstance(door.stage.clock, FakeClock)
    door.stage.clock.turn(datetime.now(UTC) - MONDAY + timedelta(days=1))  # after the publication
    door.stage.published.forget(door.stage.workspace)
    await door.post(TRACK, {"events": [{**EVENT, "name": "joined", "time": "2999-01-01"}]})

    assert await door.stage.db.pool.fetchval("select canvas from entries") == "joiners"


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"7", b"{", b"\xff", b'{"a":' * 5000, b'"\\ud800x"', b"null"]
)
async def test_no_body_whatever_is_answered_by_anything_but_json(door: Door, content: bytes) -> None:
    """TRK-7: a message, and no stack trace."""
    for path in (TRACK, "/canvas/trigger/send"):
        answer = await door.client.post(
            path, content=content, headers={"Authorization": f"Bearer {door.key}"}
        )
        assert answer.status_code == 400
        assert answer.headers["content-type"] == "application/json"
        assert answer.json()["message"]
    assert (await door.post(TRACK, {"attributes": [{"external_id": "mel"}]})).status_code == 201


async def test_a_body_larger_than_4_mb_is_refused(door: Door) -> None:
    """TRK-2, TRK-7"""
    body = {"attributes": [{"external_id": "mel", "x": "y" * 5_000_000}]}
    answer = await door.post(TRACK, body)
    assert (answer.status_code, answer.json()["message"]) == (413, "the body is larger than 4 MB")


async def test_limits_are_counted_by_workspace_and_route_and_start_again_on_the_clock(door: Door) -> None:
    """LIM-1, LIM-2"""
    now = 1_000_000.0
    door.services.limits = Limits(door.stage.db, {"users.track": 1, "general": 1}, clock=lambda: now)
    body = {"events": [EVENT]}

    first, second = await door.post(TRACK, body), await door.post(TRACK, body)
    assert (first.headers["x-ratelimit-remaining"], second.status_code) == ("0", 429)
    assert second.json() == {"message": "Rate Limited"}
    assert second.headers["x-ratelimit-reset"] == "1000002"
    assert second.headers["retry-after"] == "2"
    trigger = {"canvas_id": "story", "recipients": [{"external_user_id": "mel"}]}
    assert (await door.post("/canvas/trigger/send", trigger)).status_code == 201
    now += 2
    assert (await door.post(TRACK, body)).status_code == 201


async def test_every_answer_has_the_headers_of_the_limit_and_none_for_other_sites(door: Door) -> None:
    """LIM-1, API-6"""
    answers = [
        await door.post(TRACK, {"events": [EVENT]}),
        await door.post(TRACK, {}, key=None),
        await door.post(TRACK, {}),
        await door.client.get("/nope"),
        await door.client.get(TRACK),
    ]

    assert [answer.status_code for answer in answers] == [201, 401, 400, 404, 405]
    for answer in answers:
        assert {"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"} <= set(answer.headers)
        assert "access-control-allow-origin" not in answer.headers


async def test_a_permission_that_there_is_not_is_refused_with_the_nearest(door: Door) -> None:
    """API-3"""
    with pytest.raises(UnknownPermission, match=r"users\.trak.*did you mean users\.track"):
        await create_key(door.stage.db, door.stage.workspace, "x", ["users.trak"])
    assert len(PERMISSIONS) > 90


async def test_a_key_is_kept_as_a_digest_and_its_last_use_is_noted(door: Door) -> None:
    """API-3"""
    await door.post(TRACK, {"events": [EVENT]})

    [row] = await door.stage.db.pool.fetch("select * from api_keys")
    assert door.key not in str(dict(row))
    assert row["prefix"] == door.key[:8]
    assert row["last_seen"] is not None
    assert row["digest"] == sha256(door.key.encode()).digest()
    assert len({digest(text) for text in (door.key, "\ud800", "\ud801", "?")}) == 4


async def test_what_goes_wrong_inside_is_a_500_without_a_stack_trace(door: Door) -> None:
    """2.4"""
    await door.stage.db.pool.execute("alter table events rename to gone")
    door.client = httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=app(door.services), raise_app_exceptions=False),
        base_url="http://api",
    )
    answer = await door.post(TRACK, {"events": [EVENT]})

    assert (answer.status_code, answer.json()) == (500, {"message": "Internal Server Error"})
    assert await door.profile("mel") is None


async def test_the_number_of_statements_does_not_grow_with_the_number_of_objects(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One transaction, and a fixed number of statements."""
    said: list[str] = []
    for name in ("fetch", "fetchrow", "fetchval", "execute"):
        real = getattr(asyncpg.Connection, name)

        def counting(self: Any, query: str, *args: Any, real: Any = real, **more: Any) -> Any:
            said.append(query)
            return real(self, query, *args, **more)

        monkeypatch.setattr(asyncpg.Connection, name, counting)

    async def statements(count: int) -> int:
        body = {
            "attributes": [
                {"external_id": f"p{count}-{n}", "x": n, "email_subscribe": "opted_in"} for n in range(count)
            ],
            "events": [{**EVENT, "external_id": f"p{count}-{n}"} for n in range(count)],
            "purchases": [{**EVENT, **PURCHASE, "external_id": f"p{count}-{n}"} for n in range(count)],
        }
        said.clear()
        assert (await door.post(TRACK, body)).status_code == 201
        return len(said)

    await statements(1)
    few, many = await statements(2), await statements(75)
    assert 5 < few == many < 20


@asynccontextmanager
async def served(door: Door) -> AsyncIterator[str]:
    """A real server on a free port."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app(door.services), log_level="warning", access_log=False)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await running


async def test_a_real_server_answers_over_http(door: Door) -> None:
    """What was written can be read when the answer is there (API-5)."""
    async with served(door) as address, httpx2.AsyncClient(base_url=address) as client:
        headers = {"Authorization": f"Bearer {door.key}"}
        for n in range(20):
            answer = await client.post(
                TRACK, json={"attributes": [{"external_id": "mel", "n": n}]}, headers=headers
            )
            assert answer.status_code == 201
            assert (await door.profile("mel"))["attributes"] == {"n": n}
        assert (await client.get("/health")).json()["message"] == "success"
        described = (await client.get("/openapi.json")).json()
        assert {"/users/track", "/canvas/trigger/send", "/health"} <= set(described["paths"])
        assert msgspec.json.encode(described)
