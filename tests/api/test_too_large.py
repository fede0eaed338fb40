"""Values that are too long or too large: the object that holds one is refused with its reason, and no other."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import msgspec
import pytest

from journeys.api import readiness, requests
from journeys.canvas.written_instants import instant
from journeys.engine.delivery.tracking_links import Forged, Mark, peek, token
from journeys.engine.large_requests import LARGE, apart, bytes_of_request
from journeys.engine.people.attributes import Refused, changed, fits, kept_properties
from journeys.engine.people.code_lists import country, language, zone
from journeys.engine.people.standard_attributes import address, apply, e164
from journeys.engine.sources.catalogs.requests import Invalid, fields_of
from journeys.engine.store import Database
from journeys.engine.store.migrate import head
from journeys.engine.store.stored_objects import StoredObject
from journeys.engine.workspaces.api_keys import Keys
from tests.api.parts import Door
from tests.stage import MONDAY

HUGE = ["9" * 5_000, "-" + "9" * 5_000, "1e400", "-1e400", "9" * 400, "9223372036854775808"]
"""Numbers as JSON has them."""


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


async def test_ready_says_so_within_seconds_where_the_database_is_frozen(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "LONGEST_ANSWER", 0.2)
    pool = door.stage.db.pool
    holding = [await pool.acquire() for _ in range(pool.get_max_size())]
    try:
        answer = await asyncio.wait_for(door.client.get("/ready"), 30)
        alive = await asyncio.wait_for(door.client.get("/health"), 30)
    finally:
        for connection in holding:
            await pool.release(connection)
    assert (answer.status_code, answer.headers["retry-after"], alive.status_code) == (503, "5", 200)
    assert answer.json()["database"] == "it does not answer"
    assert (await door.client.get("/ready")).json()["message"] == "success"


async def test_a_body_of_too_many_values_is_refused_before_it_is_read(door: Door) -> None:
    """TRK-7: however short they are."""
    for piece in ("[]", "{}", "1", '"a,"'):
        raw = '{"attributes": [{"external_id": "a", "x": [' + ",".join([piece] * 100_000) + "]}]}"
        status, said = await sent(door, "/users/track", raw)
        assert (status, "more than 100,000 values" in said["message"]) == (413, True)


@pytest.mark.parametrize(
    "raw", ['{"x": 1e999', '{"x": 1e999} x', '{"x": 1e999 "y": 1}', "[1e999, NaN]", "{\"x\": 1e999, 'y'}"]
)
async def test_what_is_no_json_is_refused_also_behind_a_number_that_is_too_large(
    door: Door, raw: str
) -> None:
    """TRK-7"""
    status, said = await sent(door, "/users/track", raw)
    assert (status, "not JSON" in said["message"]) == (400, True), said


async def test_a_character_that_cannot_be_stored_is_refused_wherever_it_stands(door: Door) -> None:
    """TRK-7, CAT-4: also where no reader of the call looks for it."""
    fields = [{"name": "id", "type": "string"}]
    for body in ({"name": "c", "description": "a\0b", "fields": fields}, {"name": "c\0", "fields": fields}):
        answer = await door.post("/catalogs", {"catalogs": [body]})
        assert answer.status_code == 400
    assert (await door.post("/catalogs", {"catalogs": [{"name": "c", "fields": fields}]})).status_code == 201


async def test_half_of_a_character_is_refused_where_it_stands_and_sinks_no_other(door: Door) -> None:
    """TRK-5, TRK-7: in a value, a key, a name; beside a number that is too large; whole pairs are characters."""
    raw = r"""{"attributes": [{"external_id": "g1", "x": "\ud83d\ude00", "n": 1e999}, {"external_id": "g2", "x": "\ud800"},
        {"external_id": "g3", "x\udc00": 1}, {"external_id": "\ud800"}, {"external_id": "g4", "x": {"y": ["\ude00\ud83d"]}}],
        "events": ["\ud800", {"external_id": "g1", "name": "e", "time": "2026-12-07T08:00:00Z"}], "\ud800": 1}"""
    for headers in ({}, {"Idempotency-Key": "k"}, {"Idempotency-Key": "k"}):
        answer = await door.client.post(
            "/users/track", content=raw, headers={"Authorization": f"Bearer {door.key}", **headers}
        )
        status, said = answer.status_code, answer.json()
        assert (status, said["attributes_processed"], said["events_processed"]) == (201, 1, 1)
        half = "half of a surrogate pair"
        assert [(each.get("index"), each["type"]) for each in said["errors"]][1:] == [
            (0, "'n' must be a number of at most 64 bits"),
            (1, f"'x' contains {half} (U+D800)"),
            (2, f"'x\ufffd' contains {half} (U+DC00)"),
            (3, f"'external_id' contains {half} (U+D800)"),
            (4, f"'x.y' contains {half} (U+DE00)"),
            (0, f"it contains {half} (U+D800)"),
        ]
    assert (await door.profile("g1"))["attributes"] == {"x": "\U0001f600"}
    assert await door.profile("g2") is None


@pytest.mark.parametrize(
    ("route", "raw", "said"),
    [
        (
            "/canvas/trigger/send",
            r'{"canvas_id": "\ud800", "broadcast": true}',
            "canvas_id: it contains half",
        ),
        (
            "/canvas/trigger/send",
            r'{"canvas_id": "story", "recipients": [{"external_user_id": "a", "context": {"a": "\ud800"}}]}',
            "recipients[0]: 'context.a' contains half of a surrogate pair (U+D800)",
        ),
        ("/catalogs", r'{"catalogs": [{"name": "\udfff"}]}', "catalogs[0]: 'name' contains half"),
        ("/content_blocks/create", r'{"name": "a", "content": "\udfff"}', "content: it contains half"),
        ("/users/track", r'{"attributes": "\udfff"}', "Valid data must be provided"),
        ("/users/track", r'{"attributes": [{"x": "\udfff"}]', "not JSON"),
    ],
)
async def test_half_of_a_character_is_named_where_a_call_is_refused_whole(
    door: Door, route: str, raw: str, said: str
) -> None:
    """TRK-7"""
    status, body = await sent(door, route, raw)
    assert (status, said in body["message"]) == (400, True), body


async def test_a_large_request_is_worked_on_beside_the_event_loop_and_a_small_one_on_it() -> None:
    where: list[str] = []
    for size, large in ((0, False), (LARGE - 1, False), (LARGE, False), (0, True)):
        bytes_of_request.set(size)
        where.append(await apart(lambda: threading.current_thread().name, large=large))
    bytes_of_request.set(0)
    assert [name.partition("_")[0] for name in where] == ["MainThread"] * 2 + ["large-requests"] * 2


@pytest.mark.parametrize(
    "route",
    ["/users/track", "/canvas/trigger/send", "/catalogs", "/catalogs/c/items", "/content_blocks/create"],
)
async def test_every_route_reads_what_is_large_beside_the_event_loop(
    door: Door, route: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is made of the body, nothing of it is decoded where all others wait."""
    where: list[str] = []
    decoded = requests._decoded

    def watched(raw: bytes) -> Any:
        where.append(threading.current_thread().name)
        return decoded(raw)

    monkeypatch.setattr(requests, "_decoded", watched)
    await sent(door, route, '{"x": "' + "a" * LARGE + '"}')
    assert [name.partition("_")[0] for name in where] == ["large-requests"]


async def test_large_attributes_are_read_where_somebody_looks_into_them_and_beside_the_event_loop(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A short call may name 75 people with a megabyte each."""
    where: list[str] = []
    read = StoredObject.read

    def watched(self: StoredObject) -> dict[str, Any]:
        if self._raw:
            where.append(threading.current_thread().name.partition("_")[0])
        return read(self)

    heavy = [{"external_id": f"p{n}", "x": "a" * 200, "lists": [[]] * 20_000} for n in range(3)]
    for one in heavy:
        assert (await door.post("/users/track", {"attributes": [one]})).status_code == 201
    monkeypatch.setattr(StoredObject, "read", watched)
    at = door.stage.clock.now().isoformat()
    people = [{"external_user_id": f"p{n}"} for n in range(3)]
    events = [{"external_id": f"p{n}", "name": "unheard", "time": at} for n in range(3)]
    assert (await door.post("/users/track", {"events": events})).status_code == 201
    assert (
        await door.post("/canvas/trigger/send", {"canvas_id": "story", "recipients": people})
    ).status_code == 201
    assert where == [], "nobody asks for an attribute"
    changes = [{"external_id": f"p{n}", "y": n} for n in range(3)]
    assert (await door.post("/users/track", {"attributes": changes})).status_code == 201

    assert where == ["large-requests"] * 3
    rows = await door.stage.db.pool.fetch("select attributes from people order by external_id")
    assert [(row["attributes"]["y"], len(row["attributes"]["lists"])) for row in rows] == [
        (0, 20_000), (1, 20_000), (2, 20_000)
    ]  # fmt: skip


def _worked(work: Any) -> float:
    began = time.thread_time()
    work()
    return time.thread_time() - began


def test_objects_are_removed_in_time_in_proportion_to_what_is_said_and_what_is_there() -> None:
    """NST-6: a hundred thousand selectors on twelve thousand objects took minutes."""
    present = [{"a": n, "b": 1} for n in range(7_000)]
    gone = [{"$identifier_key": "a", "$identifier_value": n} for n in range(1, 50_000)]

    def remove() -> None:
        assert changed("x", present, {"$remove": gone}) == [{"a": 0, "b": 1}]

    assert _worked(remove) < 5


def test_an_update_of_very_many_objects_is_refused_with_its_reason() -> None:
    """NST-6"""
    updates = [
        {"$identifier_key": "a", "$identifier_value": n, "$new_object": {"a": n, "b": 2}} for n in range(3)
    ]
    some = [{"a": n} for n in range(6_000)]
    assert changed("x", some, {"$update": updates})[:3] == [{"a": n, "b": 2} for n in range(3)]
    with pytest.raises(Refused, match="too many elements"):
        changed("x", [{"a": n} for n in range(7_000)], {"$update": updates})


def test_the_attributes_of_a_person_have_a_megabyte_in_all() -> None:
    """ATT-1, NST-1: what would be beyond is refused with its reason; what is smaller than before is written."""
    full = {f"x{n}": ["a" * 250] * 400 for n in range(10)}
    profile = SimpleNamespace(standard={}, attributes=full, email=None)
    result = apply(profile, {"y": [f"{n:0250}" for n in range(400)], "z": 1, "x0": [1]})
    assert result.custom["x0"] == [1]
    assert result.custom["z"] == 1
    assert "y" not in result.custom
    assert result.errors == ["'y' was not written: the attributes of a person have at most 1024 KB in all"]


async def test_of_very_many_remarks_on_one_object_the_first_are_told_and_how_many_there_are(
    door: Door,
) -> None:
    """TRK-5"""
    many = {f"x{n}": {"inc": "a"} for n in range(1_000)}
    body = {
        "attributes": [{"external_id": "a", **many}, {"external_id": "b", "y": {"inc": "a"}}],
        "events": [
            {
                "external_id": "a",
                "name": "e",
                "time": MONDAY.isoformat(),
                "properties": {f"p{n}": "a" * 300 for n in range(200)},
            }
        ],
    }
    answer = await door.post("/users/track", body)
    errors = answer.json()["errors"]
    assert len(errors) == 21 + 1 + 21
    assert errors[20]["type"] == "and 980 more remarks on this object"


@pytest.mark.parametrize(
    "text", ["a" * 10**6 + "@example.com", "2" * 10**6, "en-" * 10**6, "é" * 10**6, " " * 10**6]
)
def test_a_text_that_is_far_too_long_for_what_it_should_be_is_not_looked_through(text: str) -> None:
    """ATT-6, IDN-5, IDN-8"""
    for read in (address, instant, e164, country, zone, language):
        assert _worked(lambda read=read: read(text)) < 0.5  # type: ignore[misc]


async def test_of_very_many_faults_the_first_are_told(door: Door) -> None:
    """ERR-1, CAT-4"""
    items = [{"id": f"i{n}", **{f"f{each}": 1 for each in range(100)}} for n in range(40)]
    await door.post("/catalogs", {"catalogs": [{"name": "c", "fields": [{"name": "id", "type": "string"}]}]})
    for route, body in (
        ("/catalogs", {"catalogs": [{"name": "c", "fields": [{"name": f"f{n}", "type": "number"} for n in range(9_000)]}]}),
        ("/catalogs/c/items", {"items": items}),
        ("/catalogs/c/selections", {"selection": {"name": "s", "filters": [{"field": "id", "operator": "equals", "value": "a"}] * 9_000}}),
    ):  # fmt: skip
        answer = await door.post(route, body)
        assert answer.status_code == 400
        assert len(answer.json()["errors"]) <= 100
        assert len(answer.content) < 200_000


async def test_a_selection_asks_for_no_more_than_a_field_may_hold(door: Door) -> None:
    """CAT-5: its Liquid is read for every message."""
    await door.post("/catalogs", {"catalogs": [{"name": "c", "fields": [{"name": "id", "type": "string"}]}]})
    filters = [{"field": "id", "operator": "equals", "value": "{{ a }}" * 1_000}]
    answer = await door.post("/catalogs/c/selections", {"selection": {"name": "s", "filters": filters}})
    assert "more than 5000 characters" in answer.text


async def test_while_the_database_does_not_answer_calls_get_503_and_the_log_says_so_once(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    async with Database.at(door.stage.db.url, size=2) as other:
        working, door.services.db.pool = door.services.db.pool, other.pool
        door.services.keys = Keys(other)
    for _ in range(3):
        answer = await door.client.post(
            "/users/track", json={}, headers={"Authorization": f"Bearer {door.key}"}
        )
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert "nothing was written" in answer.json()["message"]
        assert (await door.client.get("/ready")).status_code == 503
        assert (await door.client.get("/health")).status_code == 200
    door.services.db.pool, door.services.keys = working, Keys(door.services.db)
    assert (await door.client.get("/ready")).json()["message"] == "success"
    said = [record.getMessage() for record in caplog.records if record.name == "journeys.engine.outages"]
    assert [line.split()[0] for line in said] == ["gone", "back"]
    assert "what=database" in said[0]


async def test_ready_says_whose_schema_the_database_has(door: Door) -> None:
    pool = door.stage.db.pool
    await pool.execute("update alembic_version set version_num = '0001'")
    other = (await door.client.get("/ready")).json()["database"]
    await pool.execute("update alembic_version set version_num = '9999'")
    newer = await door.client.get("/ready")
    await pool.execute("update schema_fits set oldest = '9998'")
    too_new = (await door.client.get("/ready")).json()["database"]
    await pool.execute("drop table alembic_version")
    none = await door.client.get("/ready")

    assert other == f"its schema is 0001, this process wants {head()}"
    assert "which works only from 9998 on" in too_new
    assert newer.status_code == 200, "a newer version has migrated: this one goes on beside it"
    assert (none.status_code, none.json()["database"]) == (503, "it has no schema of ours")
