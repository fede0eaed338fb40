"""A database that takes statements and never answers: callers are told to come again, and need not wait until it is back."""

from __future__ import annotations

import httpx2
import pytest

from journeys.api import requests
from journeys.api.app import app
from journeys.engine.outages import DATABASE, OUTAGES
from journeys.engine.store import Database
from journeys.engine.workspaces.api_keys import create_key
from tests.api.parts import STORY, services_of
from tests.stage import stage_on


@pytest.mark.parametrize("known", [True, False])
async def test_a_call_is_answered_503_while_the_database_holds_the_lookup_of_its_key(
    db: Database, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    """Whether it is known to be gone already, or this call finds it out."""
    stage = await stage_on(db, STORY)
    key = await create_key(db, stage.workspace, "test", ["users.track"])
    monkeypatch.setattr(requests, "LOOKUP_WHILE_GONE" if known else "LONGEST_LOOKUP", 0.1)
    OUTAGES.back(DATABASE)
    if known:
        OUTAGES.gone(DATABASE, "it does not answer")
    body = {"attributes": [{"external_id": "mel"}]}
    transport = httpx2.ASGITransport(app=app(services_of(stage)))
    async with httpx2.AsyncClient(transport=transport, base_url="http://api") as client:
        client.headers["authorization"] = f"Bearer {key}"
        async with db.pool.acquire() as connection, connection.transaction():
            await connection.execute("lock table api_keys in access exclusive mode")
            held = await client.post("/users/track", json=body)
        monkeypatch.undo()
        free = await client.post("/users/track", json=body)

    assert (held.status_code, held.headers["retry-after"]) == (503, "5")
    assert (free.status_code, OUTAGES.is_gone(DATABASE)) == (201, False)
    assert await db.pool.fetchval("select count(*) from people") == 1
