"""Keys with networks, publishable keys of apps, and what is counted of calls."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from journeys.api.app import app
from journeys.api.upkeep import kept_up
from journeys.engine.store import Database
from journeys.engine.workspaces.api_keys import NoNetwork, create_key
from journeys.engine.workspaces.apps import create_app
from tests.api.parts import Door
from tests.cli.test_commands import Said, journeys

TRACK = "/users/track"
BODY = {"attributes": [{"external_id": "mel", "a": 1}]}


async def status_from(door: Door, address: str, key: str) -> int:
    """The status of a call that comes from this address."""
    transport = httpx2.ASGITransport(app=app(door.services), client=(address, 4711))
    async with httpx2.AsyncClient(transport=transport, base_url="http://api") as client:
        answer = await client.post(TRACK, json=BODY, headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 201 or "may not be used from this address" in answer.json()["message"]
    return answer.status_code


async def test_a_key_with_networks_is_refused_from_any_other_address(door: Door) -> None:
    """API-3: also of the other kind of address, and where the address is none."""
    networks = ["192.0.2.7", "10.0.0.0/8", "2001:db8::/32"]
    key = await create_key(door.stage.db, door.stage.workspace, "crm", ["*"], networks)
    inside = ["192.0.2.7", "10.255.0.1", "2001:db8:1::1", "::ffff:10.0.0.1"]
    outside = ["192.0.2.8", "11.0.0.1", "2001:db9::1", "::ffff:11.0.0.1", "testclient", ""]

    assert [await status_from(door, one, key) for one in inside] == [201] * 4
    assert [await status_from(door, one, key) for one in outside] == [403] * 6
    assert await status_from(door, "11.0.0.1", door.key) == 201


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0.0/33", "example.com", "", "10.0.0.0/8 "])
async def test_what_is_no_network_is_refused_with_an_example(door: Door, text: str) -> None:
    with pytest.raises(NoNetwork, match=r"write 192\.0\.2\.7 or 10\.0\.0\.0/8"):
        await create_key(door.stage.db, door.stage.workspace, "crm", ["*"], [text])


async def keys(db: Database, *words: str) -> Said:
    return await journeys(*words, url=db.url)


async def test_networks_are_given_and_listed_by_command(door: Door) -> None:
    """API-3"""
    db = door.stage.db
    made = await keys(db, "keys", "create", "--name", "crm", "--all", "--network", "10.0.0.0/8")
    wrong = await keys(db, "keys", "create", "--name", "x", "--all", "--network", "10.0.0.0/99")
    listed = json.loads((await keys(db, "keys", "list", "--json")).out)

    assert (made.code, wrong.code) == (0, 2)
    assert {one["name"]: one["networks"] for one in listed} == {"crm": ["10.0.0.0/8"], "test": []}
    assert "10.0.0.0/8" in (await keys(db, "keys", "list")).out
    assert await status_from(door, "11.0.0.1", made.out.strip()) == 403


async def test_a_publishable_key_sends_and_reads_nothing(door: Door) -> None:
    """WSP-2, API-6: of all routes it may call `/users/track` alone."""
    db = door.stage.db
    said = await keys(db, "apps", "create", "shop-ios", "--platform", "ios")
    publishable = said.out.strip()
    assert (said.code, publishable[:3], "app_id: " in said.err) == (0, "jp_", True)

    assert (await door.post(TRACK, BODY, key=publishable)).status_code == 201
    paths: dict[str, Any] = door.client._transport.app.openapi()["paths"]  # type: ignore[attr-defined]
    for path, operations in paths.items():
        for method, operation in operations.items():
            if "security" not in operation or path in (TRACK, "/users/track/bulk"):
                continue
            place = path.replace("{", "").replace("}", "")
            answer = await door.client.request(
                method.upper(), place, headers={"Authorization": f"Bearer {publishable}"}
            )
            assert answer.status_code == 403, (method, path)
    assert (await door.post(TRACK, BODY, key=publishable + "x")).status_code == 401
    for odd in ("jp_ä", "jp_\0"):
        assert (await door.post(TRACK, {**BODY, "api_key": odd}, key=None)).status_code == 401


async def test_the_apps_of_a_workspace_are_listed_and_removed(door: Door) -> None:
    """WSP-2: one that is removed lets nobody in any more; another one of its name has another id and key."""
    db, workspace = door.stage.db, door.stage.workspace
    first = await create_app(db, workspace, "web", "web")
    await create_app(db, workspace, "android", "android")
    assert (await keys(db, "apps", "create", "web")).code == 1
    assert (await keys(db, "apps", "create", " ")).code == 2
    assert (await keys(db, "apps", "create", "x", "--platform", "phone")).code != 0
    assert (await door.post(TRACK, BODY, key=first.publishable)).status_code == 201

    listed = {one["name"]: one for one in json.loads((await keys(db, "apps", "list", "--json")).out)}
    assert list(listed) == ["android", "web"]
    assert (listed["web"]["app_id"], listed["web"]["publishable_key"]) == (str(first.id), first.publishable)
    assert listed["web"]["last_used"] >= listed["web"]["created"]
    assert str(first.id) in (await keys(db, "apps", "list")).out

    assert (await keys(db, "apps", "remove", "web")).out == "removed: web\n"
    door.services.keys._known.clear()
    assert (await door.post(TRACK, BODY, key=first.publishable)).status_code == 401
    gone = await keys(db, "apps", "remove", "web")
    assert (gone.code, "there are: android" in gone.err) == (2, True)
    again = await create_app(db, workspace, "web", "web")
    assert (again.id != first.id, again.publishable != first.publishable) == (True, True)


async def test_each_call_is_counted_by_hour_key_and_route_and_a_limit_nearly_reached_is_warned_of(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    """A70, LIM-3, RTE-1: headers go down, a call too many is a 429 until the window ends, and the page shows both."""
    now = 1_000_000.0
    door.services.limits.clock = lambda: now
    door.services.limits.changed = {"users.track": 5}
    answers = [await door.post(TRACK, BODY) for _ in range(7)]
    assert [answer.status_code for answer in answers] == [201] * 5 + [429] * 2
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == [
        "4",
        "3",
        "2",
        "1",
        "0",
        "0",
        "0",
    ]
    warned = [one.said for one in caplog.records if getattr(one, "event", "") == "limit_nearly_reached"]  # type: ignore[attr-defined]
    assert [(one["limit"], one["calls"], one["used"]) for one in warned] == [("users.track", 5, 4)]
    now = float(answers[-1].headers["x-ratelimit-reset"])
    assert (await door.post(TRACK, BODY)).status_code == 201
    await door.client.get("/catalogs", headers={"Authorization": f"Bearer {door.key}"})
    async with kept_up(door.services):
        pass

    shown = json.loads((await keys(door.stage.db, "keys", "usage", "--json")).out)
    counted = {(one["key"], one["endpoint"]): (one["calls"], one["rate_limited"]) for one in shown["calls"]}
    assert counted == {("test", "POST /users/track"): (8, 2), ("test", "GET /catalogs"): (1, 0)}
    limits = {one["limit"]: (one["used"], one["calls"], one["near"]) for one in shown["limits"]}
    assert limits == {"users.track": (5, 5, True), "catalogs": (1, 50, False)}
    table = await keys(door.stage.db, "keys", "usage")
    assert "POST /users/track" in table.out
    assert "100 % of the limit users.track" in table.err
    assert "there were no calls" in (await keys(door.stage.db, "keys", "usage", "--name", "nobody")).out


async def test_counts_add_up_over_processes_and_are_kept_where_the_database_is_away(door: Door) -> None:
    """LIM-3"""
    usage, workspace = door.services.usage, door.stage.workspace
    usage.call(workspace, "a", "GET /x", refused=False)
    usage.window(workspace, "general", 10, 3)
    pool, usage._db.pool = usage._db.pool, None  # type: ignore[assignment]
    with pytest.raises(AttributeError):
        await usage.write()
    usage._db.pool = pool
    for used in (2, 1):
        usage.call(workspace, "a", "GET /x", refused=True)
        usage.window(workspace, "general", 10, used)
        await usage.write()
    await usage.write()

    rows = await door.stage.db.pool.fetch("select calls, refused from api_usage")
    assert [tuple(row) for row in rows] == [(3, 2)]
    assert await door.stage.db.pool.fetchval("select used from limit_peaks") == 3
    await usage.clear()
    assert await door.stage.db.pool.fetchval("select count(*) from api_usage") == 1
    await door.stage.db.pool.execute("update api_usage set hour = hour - interval '91 days'")
    await usage.clear()
    assert await door.stage.db.pool.fetchval("select count(*) from api_usage") == 0


async def test_what_the_database_refuses_is_told_once_and_written_when_it_is_taken(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    door.services.usage.call(door.stage.workspace, "a", "GET /x", refused=False)
    await door.stage.db.pool.execute("alter table api_usage rename to elsewhere")
    for _ in range(2):
        async with kept_up(door.services):
            pass
    await door.stage.db.pool.execute("alter table elsewhere rename to api_usage")
    async with kept_up(door.services):
        pass

    told = [one.said for one in caplog.records if getattr(one, "event", "") in ("gone", "back")]  # type: ignore[attr-defined]
    assert [(one["what"], one.get("error")) for one in told] == [
        ("upkeep", "UndefinedTableError"),
        ("upkeep", None),
    ]
    assert await door.stage.db.pool.fetchval("select calls from api_usage") == 1
