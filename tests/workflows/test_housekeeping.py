"""Housekeeping: its jobs run one at a time, and a busy machine logs no warnings."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import pytest

from journeys.engine.clock import Clock
from journeys.engine.ports import PendingAlarm
from journeys.engine.store import Database
from journeys.workflows.alarm_sync import MOST_WAITING, TemporalAlarmSync
from journeys.workflows.housekeeping import Housekeeping
from tests.stage import canvas, stage_on


class Slow(Housekeeping):
    """Its sweep takes longer than the time until the next."""

    def __init__(self) -> None:
        nothing = cast("Any", None)
        super().__init__(nothing, nothing, Clock(), nothing, nothing, nothing, closed=nothing)
        self.at_once = self.most_at_once = self.done = 0
        self.twice = asyncio.Event()

    def start(self) -> None:
        """The sweep alone."""
        self._every(0.05, self.sweep)
        self._scheduler.start()

    async def sweep(self) -> int:
        """See base class."""
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0.25)
        self.at_once -= 1
        self.done += 1
        if self.done == 2:
            self.twice.set()
        return 0


async def test_a_job_that_takes_longer_than_its_pause_is_not_begun_twice_and_nobody_is_warned(
    caplog: pytest.LogCaptureFixture,
) -> None:
    housekeeping = Slow()
    housekeeping.start()
    await housekeeping.twice.wait()
    housekeeping.stop()
    assert housekeeping.most_at_once == 1
    assert [record.message for record in caplog.records if record.levelno >= 30] == []


async def test_a_stop_that_cancels_a_job_before_it_began_is_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    housekeeping = Slow()
    housekeeping.start()
    [job] = housekeeping._scheduler.get_jobs()
    job.modify(next_run_time=datetime.now(UTC))
    housekeeping._scheduler._process_jobs()
    for begun in housekeeping._scheduler._lookup_executor("default")._pending_futures:
        begun.cancel()  # as the end of the event loop does
    housekeeping.stop()
    for _ in range(5):
        await asyncio.sleep(0)
    assert [record.message for record in caplog.records if record.levelno >= 30] == []


class Held(TemporalAlarmSync):
    """Its calls take until they are let go."""

    def __init__(self, db: Database) -> None:
        super().__init__(db, cast("Any", None), Clock(), "q", most=8)
        self.go, self.calls = asyncio.Event(), 0
        self.of: list[int] = []

    async def _call(self, one: PendingAlarm) -> None:
        self.calls += 1
        self.of.append(one.workspace)
        await self.go.wait()


async def test_telling_of_fifty_thousand_entries_takes_few_tasks_and_a_stop_waits_for_few(
    db: Database,
) -> None:
    """What has no room is left to the sweep: the store remembers it."""
    alarm_sync, before = Held(db), len(asyncio.all_tasks())
    for no in range(50_000):
        one = PendingAlarm(1, UUID(int=no), UUID(int=no), UUID(int=no), 0, 1, 0, False, None, 1, "c", "p")
        alarm_sync.sync([one])
    await asyncio.sleep(0)

    assert len(asyncio.all_tasks()) <= before + 9
    alarm_sync.go.set()
    await alarm_sync.drain()
    assert alarm_sync.calls == MOST_WAITING


async def test_a_sweep_of_many_leaves_room_for_what_has_just_been_committed_and_workspaces_take_turns_in_it(
    db: Database,
) -> None:
    waiting = canvas("  - {type: delay, id: wait, duration: 1 day}")
    large = await stage_on(db, waiting, workspace="large")
    small = await stage_on(db, waiting, workspace="small")
    await large.enter(*[await large.person() for _ in range(6)])
    await db.pool.execute("update entries set told = 0, moved = moved - interval '2 minutes'")
    await small.enter(await small.person())
    await db.pool.execute("update entries set told = 0, moved = moved - interval '1 minute'")
    alarm_sync = Held(db)
    of = alarm_sync.of

    sweeping = asyncio.create_task(alarm_sync.sweep())
    while len(of) < 2:
        assert not sweeping.done()
        await asyncio.sleep(0.01)
    assert of == [large.workspace, small.workspace], "a quarter of the calls, in turns"
    one = UUID(int=1)
    alarm_sync.sync([PendingAlarm(3, one, one, one, 0, 1, 0, False, None, 1, "c", "p")])
    while len(of) < 3:
        await asyncio.sleep(0.01)
    assert of[2:] == [3], "it is told of beside the sweep, not after it"

    alarm_sync.go.set()
    assert await sweeping == 7
    await alarm_sync.drain()
    assert len(of) == 8


class Ended(Held):
    """Its first call ends by force."""

    async def _call(self, one: PendingAlarm) -> None:
        await super()._call(one)
        if self.calls == 1:
            raise asyncio.CancelledError


async def test_what_the_last_carrier_left_when_it_ended_by_force_is_told_by_the_sweep(db: Database) -> None:
    alarm_sync = Ended(db)
    alarm_sync._most = 1
    for no in range(3):
        one = PendingAlarm(1, UUID(int=no), UUID(int=no), UUID(int=no), 0, 1, 0, False, None, 1, "c", "p")
        alarm_sync.sync([one])
    alarm_sync.go.set()
    await alarm_sync.drain()
    assert (alarm_sync.calls, dict(alarm_sync._carrying), len(alarm_sync._waiting)) == (1, {}, 0)


async def test_what_is_past_its_time_is_deleted_and_months_are_prepared(db: Database) -> None:
    """By a retention, by a fixed time; and where a table is in use, the months wait for the next time."""
    kept = "\n---\n{kind: workspace, format: 1, name: default, retention: {refusals: 90 days}}\n"
    stage = await stage_on(db, canvas("  - {type: delay, id: wait, duration: 1 day}") + kept, clock=Clock())
    nothing = cast("Any", None)
    housekeeping = Housekeeping(db, nothing, stage.clock, nothing, nothing, nothing, closed=nothing)
    await db.pool.execute(
        "insert into refusals (workspace, person, canvas, gate, shard, at)"
        " select $1, gen_random_uuid(), 'story', 'audience', 0, now() - ago from unnest($2::interval[]) ago",
        stage.workspace,
        [timedelta(days=91), timedelta(days=89)],
    )
    await db.pool.execute(
        "insert into seen (workspace, person, digest, stored)"
        " select $1, gen_random_uuid(), 'd', now() - ago from unnest($2::interval[]) ago",
        stage.workspace,
        [timedelta(days=31), timedelta(days=29)],
    )
    soon = (datetime.now(UTC).replace(day=1) + timedelta(days=32)).strftime("events_%Y_%m")
    await db.pool.execute(f"drop table {soon}")
    there = "select to_regclass($1) is not null"

    await housekeeping.drop()
    await housekeeping.forget()
    async with db.transaction() as connection:
        await connection.fetchval("select count(*) from events")
        await housekeeping.prepare()
        assert not await db.pool.fetchval(there, soon)
    await housekeeping.prepare()

    for table in ("refusals", "seen"):
        assert await db.pool.fetchval(f"select count(*) from {table}") == 1
    assert await db.pool.fetchval(there, soon)
