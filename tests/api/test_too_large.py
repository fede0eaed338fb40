"""Values that are too long or too large: the object that holds one is refused with its reason, and no other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import msgspec
import pytest

from journeys.api import app as api_app
from journeys.api import requests
from journeys.engine.delivery.tracking_links import Forged, Mark, peek, token
from journeys.engine.people.attributes import Refused, changed, fits, kept_properties
from journeys.engine.sources.catalogs.requests import Invalid, fields_of
from journeys.engine.store import Database
from journeys.engine.workspaces.api_keys import create_key
from tests.api.test_api import STORY, Door
from tests.stage import MONDAY, stage_on

HUGE = ["9" * 5_000, "-" + "9" * 5_000, "1e400", "-1e400", "9" * 400, "9223372036854775808"]
"""Numbers as JSON has them."""


@pytest.fixture
async def door(db: Database) -> AsyncIterator[Door]:
    stage = await stage_on(db, STORY)
    made = Door(stage, await create_key(db, stage.workspace, "test", ["*"]))
    yield made
    await made.client.aclose()


async def sent(door: Door, route: str, raw: str, method: str = "POST") -> tuple[int, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {door.key}", "Content-Type": "application/json"}
    answer = await door.client.request(method, route, content=raw.encode(), headers=headers)
    return answer.status_code, answer.json()


async def test_a_number_that_is_too_large_is_refused_where_it_stands_and_sinks_no_other(door: Door) -> None:
    """TRK-5, ATT-1, PUR-1: also beyond the digits that a language can read."""
    at = MONDAY.isoformat()
    for number in HUGE:
        raw = f"""{{"attributes": [
            {{"external_id": "a", "x": {number}, "y": 1}}, {{"external_id": "b", "x": {{"inc": {number}}}, "y": 1}},
            {{"external_id": "c", "x": [1, {number}], "y": 1}}, {{"external_id": "d", "x": {{"in": {number}}}, "y": 1}},
            {{"external_id": "good", "x": 1}}],
          "events": [{{"external_id": "a", "name": "e", "time": "{at}", "properties": {{"n": {number}}}}}],
          "purchases": [{{"external_id": "a", "product_id": "p", "time": "{at}", "currency": "EUR", "price": {number}}}]}}"""
        status, said = await sent(door, "/users/track", raw)

        assert status == 201, said
        for name in "abcd":
            profile = await door.profile(name)
            assert "x" not in profile["attributes"], (number, name)
            assert profile["attributes"]["y"] == 1
        assert (await door.profile("good"))["attributes"]["x"] == 1
        assert (said["events_processed"], said["purchases_processed"]) == (1, 0)


async def test_an_identifier_that_is_too_long_is_refused_and_sinks_no_other(door: Door) -> None:
    """TRK-5, IDN-1: in bytes, since an index counts them."""
    for name in ("漢" * 1_300, "a" * 998, "漢" * 333):
        body = {
            "attributes": [
                {"external_id": name, "x": 1},
                {"anonymous_id": name, "x": 1},
                {
                    "user_alias": {"alias_label": "l", "alias_name": name},
                    "x": 1,
                    "_update_existing_only": False,
                },
                {"external_id": "good", "x": 1},
            ]
        }
        status, said = await sent(door, "/users/track", msgspec.json.encode(body).decode())

        assert status == 201
        assert said["attributes_processed"] == 1
        assert [error["index"] for error in said["errors"]] == [0, 1, 2]
        assert "must not be longer than 997 bytes" in said["errors"][0]["type"]
    good = {"attributes": [{"external_id": "漢" * 332, "x": 1}]}
    assert (await sent(door, "/users/track", msgspec.json.encode(good).decode()))[0] == 201


@pytest.mark.parametrize("number", HUGE)
async def test_a_context_and_an_audience_refuse_a_number_that_is_too_large(door: Door, number: str) -> None:
    """CTX-1, SND-12"""
    for part in (f'"context": {{"n": {number}}}', f'"audience": {{"attribute": "x", "equals": {number}}}'):
        status, said = await sent(
            door, "/canvas/trigger/send", '{"canvas_id": "story", "broadcast": true, ' + part + "}"
        )
        assert (status, "too large" in said["message"]) == (400, True), said


@pytest.mark.parametrize("route", ["/catalogs/%00/items", "/catalogs/a%00b/items/1", "/catalogs/shoes/items/%00", "/catalogs/shoes/fields/%00"])  # fmt: skip
async def test_a_path_with_a_character_that_cannot_be_stored_leads_nowhere(door: Door, route: str) -> None:
    """TRK-7"""
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        status, said = await sent(door, route, "{}", method)
        assert status in (404, 405), (method, said)


def test_a_link_of_a_workspace_that_cannot_be_is_forged() -> None:
    for workspace in (2**31, 2**63, 0, -1):
        with pytest.raises(Forged):
            peek(token(b"secret", "open", Mark(workspace, UUID(int=1), UUID(int=2), "c", "s", "email")))


@pytest.mark.parametrize("type_", [{}, [], {"a": 1}, None, 5, "colour"])
def test_the_type_of_a_field_is_one_of_the_known_words(type_: Any) -> None:
    """CAT-4"""
    with pytest.raises(Invalid, match="has no type"):
        fields_of([{"name": "id", "type": type_}])


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 10**400, float("inf"), float("-inf"), float("nan")])
def test_what_cannot_be_counted_is_no_value(value: float) -> None:
    """ATT-1, ATT-3, NST-4, EVT-2"""
    for change in (value, [value], {"a": value}, {"add": [value]}, {"$add": [{"a": value}]}):
        with pytest.raises(Refused):
            changed("x", None, change)
    assert kept_properties({"n": value, "m": 1})[0] == {"m": 1}
    assert not fits({"a": [value]})


def test_a_counter_grows_no_further_than_can_be_kept() -> None:
    """ATT-3: nothing of it becomes something that no request can change any more."""
    for before, by in ((2**63 - 1, 1), (-(2**63), -1), (1, 2**63)):
        with pytest.raises(Refused):
            changed("x", before, {"inc": by})
    assert changed("x", 1.5, {"inc": 2**62}) == 1.5 + 2**62


async def test_a_body_that_does_not_come_is_cut_off(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """TRK-7: as one that is too long is; who hangs up is no fault of ours."""
    monkeypatch.setattr(requests, "LONGEST_WAIT", 0.2)

    async def dawdling() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(60)

    headers = {"Authorization": f"Bearer {door.key}"}
    answer = await door.client.post("/users/track", content=dawdling(), headers=headers)
    assert (answer.status_code, "did not come" in answer.json()["message"]) == (408, True)


async def test_health_says_so_within_seconds_where_the_database_is_frozen(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_app, "LONGEST_ANSWER", 0.2)
    pool = door.stage.db.pool
    holding = [await pool.acquire() for _ in range(pool.get_max_size())]
    try:
        answer = await asyncio.wait_for(door.client.get("/health"), 30)
    finally:
        for connection in holding:
            await pool.release(connection)
    assert answer.status_code == 503
    assert (await door.client.get("/health")).status_code == 200
