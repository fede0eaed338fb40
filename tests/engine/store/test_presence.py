"""Every process says that it is alive, and what it is."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta

import pytest

import journeys
from journeys.engine.clock import Clock, Skew
from journeys.engine.store import Database, presence
from journeys.engine.store.migrate import head
from journeys.engine.store.presence import announced


async def test_a_process_is_known_while_it_runs(db: Database) -> None:
    clock = Clock(skew=Skew(ahead=timedelta(seconds=3)))
    async with announced(db, "api", clock) as identity:
        [row] = await db.pool.fetch("select * from processes")
        said = (row["id"], row["kind"], row["version"], row["schema"], row["pid"], row["ahead"])
        assert said == (identity, "api", journeys.__version__, head(), os.getpid(), 3.0)
    assert await db.pool.fetch("select * from processes") == []


async def test_it_says_so_again_and_again_and_those_that_were_killed_are_forgotten(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "EVERY", 0.02)
    async with announced(db, "worker", Clock()) as identity:
        await db.pool.execute(
            "insert into processes (id, kind, version, schema, host, pid, seen)"
            " values (gen_random_uuid(), 'worker', '0', '0006', 'gone', 1, now() - interval '11 minutes')"
        )
        [began] = await db.pool.fetch("select seen from processes where id = $1", identity)
        for _ in range(1000):
            rows = await db.pool.fetch("select id, seen from processes")
            if len(rows) == 1 and rows[0]["seen"] > began["seen"]:
                break
            await asyncio.sleep(0.02)
        assert [row["id"] for row in rows] == [identity]
