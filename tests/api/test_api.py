"""The REST API on a real database."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from journeys.api import rate_limits
from journeys.api.rate_limits import Limit
from journeys.canvas.definition_kinds import LIMITS
from journeys.canvas.yaml_definitions import read_text
from journeys.engine.store import Database
from journeys.engine.workspaces.api_keys import create_key
from journeys.engine.workspaces.publishing import publish
from tests.api.parts import STORY, Door
from tests.stage import MONDAY, definitions_of, see_to_runs, stage_on


async def test_attributes_events_and_purchases_are_taken_and_counted(door: Door) -> None:
    """TRK-4, TRK-3: attributes come first, whatever the order in the body."""
    answer = await door.post(
        "/users/track",
        {
            "events": [
                {
                    "external_id": "mel",
                    "name": "liked",
                    "time": "2026-12-07T08:00:00Z",
                    "properties": {"n": 1},
                }
            ],
            "attributes": [
                {"external_id": "mel", "first_name": "Mel", "email": "mel@example.com", "shoe": {"size": 38}}
            ],
            "purchases": [
                {
                    "external_id": "mel",
                    "product_id": "shoe",
                    "currency": "EUR",
                    "price": 99.5,
                    "time": "2026-12-07T08:00:00Z",
                }
            ],
        },
    )

    assert answer.status_code == 201
    assert answer.json() == {
        "message": "success",
        "attributes_processed": 1,
        "events_processed": 1,
        "purchases_processed": 1,
    }
    mel = await door.profile("mel")
    assert (mel["first_name"], mel["attributes"]) == ("Mel", {"shoe": {"size": 38}})
    assert await door.stage.db.pool.fetchval("select count(*) from events") == 2


async def test_what_is_wrong_with_one_object_sinks_no_other(door: Door) -> None:
    """TRK-5, TRK-8: index within the named array."""
    answer = await door.post(
        "/users/track",
        {
            "attributes": [{"first_name": "X"}, {"external_id": "a", "n": 1}],
            "events": [{"external_id": "a", "name": "e", "time": "soon"}],
        },
    )

    assert answer.status_code == 201
    assert answer.json() == {
        "message": "success",
        "attributes_processed": 1,
        "events_processed": 0,
        "errors": [
            {
                "type": "'external_id', 'braze_id', 'user_alias', 'email' or 'phone' is required",
                "input_array": "attributes",
                "index": 0,
            },
            {"type": "'time' must be an ISO 8601 datetime", "input_array": "events", "index": 0},
        ],
    }


@pytest.mark.parametrize(
    "body", [{}, {"attributes": []}, {"attributes": [{"x": 1}]}, {"events": "x"}, {"attributes": None}]
)
async def test_nothing_valid_is_a_400(door: Door, body: Any) -> None:
    """TRK-1, TRK-6"""
    answer = await door.post("/users/track", body)

    assert answer.status_code == 400
    assert (
        answer.json()["message"]
        == "Valid data must be provided in the 'attributes', 'events', or 'purchases' fields."
    )


@pytest.mark.parametrize("more", [{"attributes": []}, {"events": "x"}, {"purchases": {}}])
async def test_what_is_no_array_or_has_no_object_in_any_is_refused_before_anything_is_taken(
    door: Door, more: dict[str, Any]
) -> None:
    """TRK-1, TRK-8"""
    first = {"attributes": [{"external_id": "mel"}]}
    answer = await door.post("/users/track", more if more == {"attributes": []} else first | more)

    said = {"message": "Valid data must be provided in the 'attributes', 'events', or 'purchases' fields."}
    assert (answer.status_code, answer.json()) == (400, said)
    assert await door.profile("mel") is None


async def test_76_objects_of_one_kind_are_refused_whole(door: Door) -> None:
    """TRK-2, D1"""
    answer = await door.post("/users/track", {"attributes": [{"external_id": f"p{n}"} for n in range(76)]})

    assert (answer.status_code, answer.json()["message"]) == (400, "Max input length exceeded")
    assert await door.profile("p0") is None


ONE_EVENT = {"external_id": "a", "name": "e", "time": "2026-12-07T08:00:00Z", "properties": {"n": 1}}
ONE_PURCHASE = {
    "external_id": "a", "product_id": "shoe", "currency": "EUR", "price": 9.5, "time": "2026-12-07T08:00:00Z",
}  # fmt: skip


@pytest.mark.parametrize("time", ["2026-12-07T08:00:00Z", "2030-01-01"], ids=["past", "ahead"])
@pytest.mark.parametrize(("array", "one"), [("events", ONE_EVENT), ("purchases", ONE_PURCHASE)])
async def test_like_things_without_an_id_all_count(
    door: Door, array: str, one: dict[str, Any], time: str
) -> None:
    """EVT-5: within a call and over several calls, events and purchases, past or ahead."""
    for _ in range(2):
        await door.post("/users/track", {array: [{**one, "time": time}, {**one, "time": time}]})

    assert await door.stage.db.pool.fetchval("select count(*) from events") == 4


@pytest.mark.parametrize(("array", "one"), [("events", ONE_EVENT), ("purchases", ONE_PURCHASE)])
@pytest.mark.parametrize("inside", [False, True], ids=["event_id", "insert_id"])
async def test_of_things_with_one_id_the_first_counts(
    door: Door, array: str, one: dict[str, Any], inside: bool
) -> None:
    """EVT-5: within a call and over several calls; another person's event may have the same id."""

    def named(n: int) -> dict[str, Any]:
        return {**one, "properties": {"n": n, "$insert_id": "7"}} if inside else {**one, "event_id": "7", "properties": {"n": n}}  # fmt: skip

    body = {array: [named(1), named(2), {**named(3), "external_id": "b"}]}
    answer = await door.post("/users/track", body)
    await door.post("/users/track", {array: [named(4)]})

    assert answer.json() == {"message": "success", f"{array}_processed": 3}
    kept = await door.stage.db.pool.fetch("select properties from events order by no")
    assert [row["properties"]["n"] for row in kept] == [1, 3]


async def test_an_id_is_that_of_one_event_or_of_one_purchase(door: Door) -> None:
    """EVT-5: an event and a purchase may have the same."""
    for name in ("7", "8", "7"):
        body = {
            "events": [{**ONE_EVENT, "event_id": name}],
            "purchases": [{**ONE_PURCHASE, "event_id": name}],
        }
        await door.post("/users/track", body)

    kinds = await door.stage.db.pool.fetch("select kind, count(*) from events group by kind order by kind")
    assert [tuple(row) for row in kinds] == [("event", 2), ("purchase", 2)]


@pytest.mark.parametrize("path", ["/users/track", "/users/track/bulk"])
async def test_a_repeated_track_call_with_its_key_writes_once_and_answers_the_same(
    door: Door, path: str
) -> None:
    """EVT-5, TRK-15: `Idempotency-Key`, also when the calls race; the errors of the first time are in the answer."""
    body = {
        "attributes": [{"external_id": "a", "visits": {"inc": 1}}, {"external_id": "b", "t": "\0"}],
        "events": [ONE_EVENT, {"external_id": "a", "name": "e\0", "time": "soon"}],
        "purchases": [ONE_PURCHASE, ONE_PURCHASE],
    }
    answers = await asyncio.gather(*(door.post(path, body, **{"Idempotency-Key": "k"}) for _ in range(5)))
    answers.append(await door.post("/users/track", dict(reversed(body.items())), **{"Idempotency-Key": "k"}))

    assert {answer.text for answer in answers} == {answers[0].text}
    assert answers[0].status_code == 201
    assert len(answers[0].json()["errors"]) == 2
    assert (await door.profile("a"))["attributes"] == {"visits": 1}
    assert await door.stage.db.pool.fetchval("select count(*) from events") == 3

    other = await door.post(path, {"events": [ONE_EVENT]}, **{"Idempotency-Key": "k"})
    assert other.status_code == 422
    assert (await door.post(path, body, **{"Idempotency-Key": "k" * 256})).status_code == 400
    await door.post(path, body)
    assert (await door.profile("a"))["attributes"] == {"visits": 2}


async def test_the_keys_of_one_route_are_none_of_another(door: Door) -> None:
    """`Idempotency-Key`: kept by route and workspace."""
    key = {"Idempotency-Key": "k"}
    assert (await door.post("/users/track", {"events": [ONE_EVENT]}, **key)).status_code == 201
    body = {"canvas_id": "story", "recipients": [{"external_user_id": "a"}]}
    assert "dispatch_id" in (await door.post("/canvas/trigger/send", body, **key)).json()


async def test_without_the_right_key_nothing_is_said_of_anything_else(door: Door) -> None:
    """API-2, API-3: 401 before all else, and the key is not echoed."""
    for answer in (
        await door.post("/users/track", {}, key=None),
        await door.post("/users/track", {}, key="secret-thing"),
        await door.client.post("/users/track", content=b"{nonsense"),
    ):
        assert answer.status_code == 401
        assert answer.json() == {"message": "Invalid API Key"}


async def test_a_key_without_the_permission_is_refused(door: Door) -> None:
    """403"""
    key = await create_key(door.stage.db, door.stage.workspace, "reader", ["canvas.trigger.send"])

    assert (
        await door.post("/users/track", {"attributes": [{"external_id": "a"}]}, key=key)
    ).status_code == 403


async def test_a_key_of_one_workspace_touches_no_other(door: Door, db: Database) -> None:
    """Every row and key belongs to one workspace."""
    other = await stage_on(db, STORY, workspace="other")
    key = await create_key(db, other.workspace, "test", ["*"])
    for one in (key, door.key):
        await door.post("/users/track", {"attributes": [{"external_id": "mel", "who": one}]}, key=one)

    rows = await db.pool.fetch(
        "select workspace, attributes from people where external_id = 'mel' order by workspace"
    )
    assert [row["attributes"]["who"] for row in rows] == [door.key, key]


async def test_the_rate_limit_headers_are_on_every_answer(door: Door) -> None:
    """LIM-1, LIM-2"""
    door.services.limits.changed = {"users.track": 2}
    answers = [await door.post("/users/track", {"attributes": [{"external_id": "a"}]}) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers[:2]] == ["1", "0"]


async def test_a_workspace_sets_limits_of_its_own_in_its_file(door: Door, db: Database) -> None:
    """LIM-3: of the routes that it names, for itself alone; in force once it is published, down and up again."""
    other = await stage_on(db, STORY, workspace="other")
    foreign = await create_key(db, other.workspace, "test", ["*"])
    body = {"attributes": [{"external_id": "a"}]}

    async def limits(said: str) -> None:
        text = f"kind: workspace\nformat: 1\nname: default\nlimits: {said}\n"
        await publish(db, "default", definitions_of(text))
        door.stage.published.forget(door.stage.workspace)

    await limits("{users.track: 2, broadcast: 1, catalogs: 1}")
    codes = [(await door.post("/users/track", body)).status_code for _ in range(3)]
    assert codes == [201, 201, 429]
    assert (await door.post("/users/track", body, key=foreign)).headers["x-ratelimit-limit"] == "3000"
    catalog = {"catalogs": [{"name": "c", "fields": [{"name": "id", "type": "string"}]}]}
    assert [(await door.post("/catalogs", catalog)).status_code for _ in range(2)] == [201, 429]
    send = {"canvas_id": "story", "broadcast": True}
    assert [(await door.post("/canvas/trigger/send", send)).status_code for _ in range(2)] == [201, 429]
    await limits("{users.track: 4}")
    assert (await door.post("/users/track", body)).headers["x-ratelimit-limit"] == "4"


def test_the_limits_that_a_workspace_may_set_are_those_of_the_routes() -> None:
    """LIM-3"""
    known = {one.bucket: one.seconds for one in vars(rate_limits).values() if isinstance(one, Limit)}
    assert known == LIMITS


@pytest.mark.parametrize(("said", "code"), [
    ("{users.trak: 5}", "J101"), ("{users.track: 0}", None), ("{users.track: yes}", None), ("{users.track: 1.5}", None), ("[1]", None),
])  # fmt: skip
def test_what_can_be_no_limit_is_refused_where_it_stands(said: str, code: str | None) -> None:
    """LIM-3"""
    _, [problem] = read_text(f"kind: workspace\nformat: 1\nname: default\nlimits: {said}\n")
    assert code is None or problem.code == code
    assert problem.code != "J000"


async def test_writers_of_the_same_new_person_neither_fail_nor_make_two(door: Door) -> None:
    """Rows are made in one order before any lock is taken."""
    people = [f"p{n}" for n in range(40)]

    async def write(n: int) -> int:
        order = people if n % 2 else people[::-1]
        answer = await door.post(
            "/users/track",
            {
                "attributes": [
                    {"external_id": one, f"w{n}": n, "email": f"{one}@example.com"} for one in order
                ]
            },
        )
        return answer.status_code

    assert set(await asyncio.gather(*(write(n) for n in range(8)))) == {201}
    rows = await door.stage.db.pool.fetch("select attributes from people")
    assert len(rows) == 40
    assert all(len(row["attributes"]) == 8 for row in rows)


async def test_a_trigger_lets_people_in_with_their_own_context(door: Door) -> None:
    """CTX-1, CTX-5, ENT-24: a recipient's keys override the shared ones; named twice counts once."""
    await door.post("/users/track", {"attributes": [{"external_id": "mel"}, {"external_id": "zoe"}]})
    answer = await door.post(
        "/canvas/trigger/send",
        {
            "canvas_id": "story",
            "context": {"a": 1, "b": 1},
            "recipients": [
                {"external_user_id": "mel", "context": {"b": 2}},
                {"external_user_id": "zoe"},
                {"external_user_id": "mel", "context": {"b": 2}},
                {"external_user_id": "nobody"},
            ],
        },
    )

    assert answer.status_code == 201
    assert answer.json()["message"] == "success"
    rows = await door.stage.db.pool.fetch("select context, wake_at from entries order by context->>'b' desc")
    assert [row["context"] for row in rows] == [{"a": 1, "b": 2}, {"a": 1, "b": 1}]
    assert rows[0]["wake_at"] == MONDAY + timedelta(days=1)


async def test_a_repeated_call_with_its_key_gets_the_same_answer_and_enters_nobody_twice(door: Door) -> None:
    """`Idempotency-Key`, also when the calls race."""
    await door.post("/users/track", {"attributes": [{"external_id": "mel"}]})
    body = {"canvas_id": "story", "recipients": [{"external_user_id": "mel"}]}
    answers = await asyncio.gather(
        *(door.post("/canvas/trigger/send", body, **{"Idempotency-Key": "k1"}) for _ in range(5))
    )

    assert {answer.text for answer in answers} == {answers[0].text}
    assert await door.stage.db.pool.fetchval("select count(*) from entries") == 1
    other = await door.post(
        "/canvas/trigger/send", {**body, "context": {"x": 1}}, **{"Idempotency-Key": "k1"}
    )
    assert other.status_code == 422


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"canvas_id": "nope", "broadcast": True}, 400),
        ({"canvas_id": "story"}, 400),
        ({"canvas_id": "story", "broadcast": True, "recipients": [{"external_user_id": "a"}]}, 400),
        ({"canvas_id": "story", "recipients": [{"external_user_id": f"p{n}"} for n in range(51)]}, 400),
        ({"canvas_id": "story", "recipients": [{}]}, 400),
        ({"canvas_id": "story", "recipients": "mel"}, 400),
        ({"canvas_id": "story", "broadcast": True, "audience": {"segmnt": "x"}}, 400),
        ({"canvas_id": "story", "broadcast": True, "context": "x"}, 400),
    ],
)
async def test_what_cannot_be_meant_is_refused(door: Door, body: Any, status: int) -> None:
    """Acceptance test 130 of canvas.md, and its neighbours."""
    answer = await door.post("/canvas/trigger/send", body)

    assert answer.status_code == status
    assert answer.json()["message"]


async def test_a_broadcast_takes_each_person_of_its_audience_the_single_way(door: Door) -> None:
    """Recorded before the answer, carried on in the background; run again it enters nobody twice."""
    await door.post(
        "/users/track",
        {
            "attributes": [
                {"external_id": f"p{n}", "sport": "running" if n % 3 == 0 else "none"} for n in range(30)
            ]
        },
    )
    answer = await door.post(
        "/canvas/trigger/send", {"canvas_id": "story", "broadcast": True, "audience": {"segment": "runners"}}
    )
    assert answer.status_code == 201
    stage = door.stage

    assert await see_to_runs(stage.db, stage.published, stage.clock) == 10
    await stage.db.pool.execute("update runs set ended = null, state = 'waiting', due = null")
    await see_to_runs(stage.db, stage.published, stage.clock)

    assert await stage.db.pool.fetchval("select count(*) from entries") == 10


async def test_unknown_routes_and_broken_bodies_are_json_too(door: Door) -> None:
    """Every answer is a JSON object with a message."""
    assert (await door.client.get("/nope")).json() == {"message": "Not Found"}
    assert (await door.client.get("/users/track")).json() == {"message": "Method Not Allowed"}
    broken = await door.client.post(
        "/users/track/", content=b"{x", headers={"Authorization": f"Bearer {door.key}"}
    )
    assert broken.status_code == 400
    assert "not JSON" in broken.json()["message"]
