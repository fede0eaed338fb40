"""`journeys keys`, and what the API makes of keys that are rotated or revoked."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from journeys.api.app import app, permissions
from journeys.engine.store import Database
from journeys.engine.workspaces.api_keys import FRESH, PERMISSIONS, create_key
from tests.api.parts import services_of
from tests.cli.test_commands import Said, journeys
from tests.stage import EMAIL, Stage, canvas, stage_on


@pytest.fixture
async def stage(db: Database) -> Stage:
    return await stage_on(db, canvas("  - {type: delay, id: wait, duration: 1 day}") + EMAIL)


async def keys(db: Database, *words: str) -> Said:
    return await journeys("keys", *words, url=db.url)


async def listed(db: Database) -> list[Any]:
    return list(json.loads((await keys(db, "list", "--json")).out))


async def taken(stage: Stage, key: str) -> int:
    """The status of a call with this key, in a process that has not seen it before."""
    transport = httpx2.ASGITransport(app=app(services_of(stage)))
    async with httpx2.AsyncClient(transport=transport, base_url="http://api") as client:
        answer = await client.post(
            "/users/track",
            json={"attributes": [{"external_id": "mel"}]},
            headers={"Authorization": f"Bearer {key}"},
        )
    return answer.status_code


async def test_a_rotated_key_works_beside_its_former_secret_until_the_overlap_ends(stage: Stage) -> None:
    """API-3"""
    first = await create_key(stage.db, stage.workspace, "shop", ["users.track"])
    assert await taken(stage, first) == 201
    said = await keys(stage.db, "rotate", "shop", "--overlap", "2 hours")
    second = said.out.strip()
    assert (said.code, "the former secret is accepted until" in said.err) == (0, True)
    assert second != first
    [one] = await listed(stage.db)
    assert (one["last_used"], one["former"]["prefix"]) == (None, first[:8])

    assert [await taken(stage, key) for key in (first, second)] == [201, 201]
    [one] = await listed(stage.db)
    assert (one["prefix"], one["last_used"] > one["created"]) == (second[:8], True)
    assert one["former"]["last_used"] >= one["created"]
    assert first[:8] in (await keys(stage.db, "list")).out

    await stage.db.pool.execute("update api_keys set former_until = clock_timestamp()")
    assert [await taken(stage, key) for key in (first, second)] == [401, 201]
    assert (await listed(stage.db))[0]["former"] is None
    last = await keys(stage.db, "rotate", "shop", "--overlap", "0 seconds")
    third = last.out.strip()
    assert last.err.strip() == "the former secret is accepted no longer"
    assert [await taken(stage, key) for key in (first, second, third)] == [401, 401, 201]


async def test_a_revoked_key_is_refused_with_its_former_secret_and_its_name_is_free(stage: Stage) -> None:
    first = await create_key(stage.db, stage.workspace, "shop", ["users.track"])
    second = (await keys(stage.db, "rotate", "shop")).out.strip()
    said = await keys(stage.db, "revoke", "shop")

    assert (said.code, said.out) == (0, "revoked: shop\n")
    assert [await taken(stage, key) for key in (first, second)] == [401, 401]
    assert FRESH <= 1
    assert "there are no keys" in (await keys(stage.db, "list")).out
    assert (await keys(stage.db, "create", "--name", "shop", "--all")).code == 0


async def test_a_key_that_there_is_not_is_told_with_the_nearest_name(stage: Stage) -> None:
    await create_key(stage.db, stage.workspace, "shop", ["*"])
    for word in ("rotate", "revoke"):
        said = await keys(stage.db, word, "shpo")
        assert (said.code, "did you mean “shop”?" in said.err) == (2, True)
    assert (await keys(stage.db, "rotate", "shop", "--overlap", "soon")).code == 2
    assert (await keys(stage.db, "rotate", "shop", "--overlap", "91 days")).code == 2
    assert len(await listed(stage.db)) == 1


async def test_a_permission_that_no_route_asks_for_is_refused(stage: Stage) -> None:
    """API-3"""
    assert permissions() < PERMISSIONS
    assert {"users.track", "canvas.trigger.send", "catalogs.get"} < permissions()
    unasked = min(PERMISSIONS - permissions())
    said = await keys(stage.db, "create", "--name", "n", "--permission", unasked)
    assert (said.code, f"no route asks for the permission {unasked} yet" in said.err) == (2, True)
    assert await listed(stage.db) == []
