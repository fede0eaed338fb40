"""Rows that move to another person while a lock is waited for: the transaction starts again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest

from journeys.engine.intake.track import Tracked, track
from journeys.engine.ports import NullNotifier
from journeys.engine.store import Database
from journeys.engine.store.database import ATTEMPTS, Busy, Moved, check_locked
from tests.stage import Stage, canvas, stage_on

WATCHES = """
  - {type: action_paths, id: watch, within: 1 hour, paths: [{name: p, triggers: [{event: ping}]}]}
  - {type: user_update, id: keep, attributes: {seen: true}}
"""
WAITING = (
    "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
)


async def waits(db: Database, task: asyncio.Task[Any], others: int = 0) -> bool:
    """Whether this task comes to wait for a lock, beside so many others, before it is done."""
    while await db.pool.fetchval(WAITING) <= others:
        if task.done():
            return False
        await asyncio.sleep(0.01)
    return True


class Attempts(Database):
    """The same database for work that gives way to others: it counts how often that let everything go."""

    def __init__(self, db: Database) -> None:
        super().__init__(db.url, db.pool)
        self._real = db
        self.let_go = 0

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        try:
            async with self._real.transaction() as connection:
                yield connection
        except Busy:
            self.let_go += 1
            raise

    async def reach(self, count: int, task: asyncio.Task[Any]) -> None:
        """Come back once everything was let go so often; the task must not be done before."""
        while self.let_go < count:
            assert not task.done(), task
            await asyncio.sleep(0.005)


async def tracked(stage: Stage, **body: Any) -> Tracked:
    parts = stage.db, stage.published, stage.clock, NullNotifier(), NullNotifier()
    return await track(*parts, stage.workspace, body)


async def test_a_burst_whose_entry_moves_to_another_person_while_it_waits_is_done_under_that_persons_lock(
    db: Database,
) -> None:
    stage = await stage_on(db, canvas(WATCHES))
    mel, zoe = await stage.person(), await stage.person()
    [entry] = await stage.enter(mel)
    await stage.burst(entry)
    await stage.happens(mel, "ping")

    async with db.transaction() as other:
        async with db.transaction() as merge:
            await merge.execute("select 1 from people where id = $1 for update", mel.id)
            burst = asyncio.create_task(stage.burst(entry, 3))
            assert await waits(db, burst)
            for table in ("entries", "inbox"):
                await merge.execute(f"update {table} set person = $2 where person = $1", mel.id, zoe.id)
            await other.execute("select 1 from people where id = $1 for update", zoe.id)
        assert await waits(db, burst), (
            "nothing is done while another holds the lock of whose the entry is now"
        )
    await burst

    assert await stage.path(entry) == ["watch", "keep"]
    kept = dict(await db.pool.fetch("select id, attributes from people"))
    assert (kept[mel.id], kept[zoe.id]) == ({}, {"seen": True})


async def test_a_call_whose_identifier_comes_to_name_somebody_else_while_it_waits_is_about_them(
    db: Database,
) -> None:
    stage = await stage_on(db, canvas(WATCHES))
    mel, zoe = await stage.person(external_id="mel"), await stage.person(external_id="zoe")

    async with db.transaction() as merge:
        await merge.execute("select 1 from people where id = any($1::uuid[]) for update", [mel.id, zoe.id])
        call = asyncio.create_task(tracked(stage, attributes=[{"external_id": "mel", "size": 38}]))
        assert await waits(db, call)
        await merge.execute("update people set external_id = 'gone' where id = $1", mel.id)
        await merge.execute("update people set external_id = 'mel' where id = $1", zoe.id)
    await call

    kept = dict(await db.pool.fetch("select id, attributes from people"))
    assert (kept[mel.id], kept[zoe.id]) == ({}, {"size": 38})


async def test_a_person_who_is_deleted_while_a_call_waits_for_them_is_made_anew_and_nothing_is_lost(
    db: Database,
) -> None:
    stage = await stage_on(db, canvas(WATCHES))
    mel = await stage.person(external_id="mel")

    async with db.transaction() as erasure:
        await erasure.execute("select 1 from people where id = $1 for update", mel.id)
        time = stage.clock.now().isoformat()
        call = asyncio.create_task(
            tracked(stage, events=[{"external_id": "mel", "name": "ping", "time": time}])
        )
        assert await waits(db, call)
        await erasure.execute("delete from people where id = $1", mel.id)
    await call

    [row] = await db.pool.fetch("select id, external_id from people")
    assert row["external_id"] == "mel"
    assert row["id"] != mel.id
    assert await db.pool.fetchval("select person from events where name = 'ping'") == row["id"]


async def test_work_whose_rows_move_each_time_fails_after_ten_attempts_and_leaves_nothing(
    db: Database,
) -> None:
    attempts = 0

    async def work(connection: Any) -> None:
        nonlocal attempts
        attempts += 1
        await connection.execute("insert into workspaces (name, secret) values ('x', 'x')")
        check_locked([{"workspace": 1, "person": UUID(int=1)}], [{"workspace": 2, "person": UUID(int=1)}])

    with pytest.raises(Moved):
        await db.anew(work)

    assert attempts == ATTEMPTS
    assert await db.pool.fetchval("select count(*) from workspaces") == 0
