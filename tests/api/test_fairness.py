"""Requests of one workspace that take long leave others what they need: connections, and the event loop."""

from __future__ import annotations

import asyncio

from journeys.engine.store import Database
from journeys.engine.workspaces.api_keys import create_key
from tests.api.parts import STORY, Door
from tests.stage import stage_on


async def test_a_workspace_whose_requests_hang_keeps_no_other_from_the_database(db: Database) -> None:
    """More of them than there are connections wait for one locked row; another's request is answered meanwhile."""
    one, other = await stage_on(db, STORY), await stage_on(db, STORY, workspace="other")
    doors = [Door(each, await create_key(db, each.workspace, "test", ["*"])) for each in (one, other)]
    body = {"attributes": [{"external_id": "mel", "x": 1}]}
    for door in doors:
        assert (await door.post("/users/track", body)).status_code == 201
    async with db.transaction() as connection:
        await connection.execute("select from people where workspace = $1 for update", one.workspace)
        hanging = [
            asyncio.create_task(doors[0].post("/users/track", body))
            for _ in range(2 * db.pool.get_max_size())
        ]
        done, _ = await asyncio.wait(hanging, timeout=0.3)
        assert not done

        async with asyncio.timeout(30):
            assert (await doors[1].post("/users/track", body)).status_code == 201
        assert not any(each.done() for each in hanging)
    assert {each.status_code for each in await asyncio.gather(*hanging)} == {201}
    for door in doors:
        await door.client.aclose()
