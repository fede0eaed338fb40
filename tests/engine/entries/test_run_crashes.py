"""A crash after every commit and every call of runs: to Temporal, to a provider. Every person has one outcome, once.

`JOURNEYS_CRASHES=1` has a crash at every point, as `make kills` does; else at some of them.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from temporalio.client import Client

from journeys.engine.core.life import Word
from journeys.engine.delivery.delivery_worker import DeliveryWorker
from journeys.engine.entries import run_pages
from journeys.engine.entries.burst import Bursts
from journeys.engine.entries.burst_calls import Call
from journeys.engine.entries.following_changes import FollowingChanges
from journeys.engine.entries.run_pages import RunPages
from journeys.engine.ports import NullNotifier
from journeys.engine.store import Database
from journeys.engine.workspaces.canvas_changes import change
from journeys.engine.workspaces.published import Published
from journeys.engine.workspaces.publishing import publish
from journeys.engine.workspaces.run_control import control
from journeys.workflows.alarm_sync import TemporalAlarmSync
from journeys.workflows.search_attributes import register_search_attributes
from tests.crashing import Crashing, CrashingChannel, CrashingClient, Started
from tests.engine.entries.test_crashes import Life, by_webhook
from tests.receiver import Receiver
from tests.stage import FakeClock, canvas, definitions_of

EACH = int(os.environ.get("JOURNEYS_CRASHES", "31"))
SUNDAY = datetime(2026, 12, 6, 12, tzinfo=UTC)
WEST, EAST = "Etc/GMT+12", "Etc/GMT-12"

STEPS = """
  - {{type: message, id: first, channel: {channel}, template: {template}}}
  - {{type: delay, id: wait, duration: 6 hours}}
  - {{type: user_update, id: mark, attributes: {{rounds: {{increment: 1}}}}, events: [{{name: marked}}]}}
  - {{type: message, id: second, channel: {channel}, template: {template}}}
"""
LOCAL = '{every: day, at: "12:00", zone: local, times: 2}'
LIMIT = "reentry: {after: 0 days}\nentry_limit: {entries: 5, per: run}"


class StandingClock(FakeClock):
    """Stands still, for what Temporal is told of as well."""

    def own(self) -> datetime:
        return self.now()


class Occurrences(Life):
    """Two occurrences by local time, which overlap, for seven people in three zones, of whom five may enter each.

    The first is held and resumed between its zones; the canvas is paused and resumed while entries wait. What Temporal
    was told of is all that rings: workflows as they are, with what they sleep for.
    """

    client: Client

    def begin(self) -> None:
        """A new process; Temporal keeps what it was told."""
        if not hasattr(self, "started"):
            self.started: dict[str, Started] = {}
            self.clock = StandingClock(SUNDAY - timedelta(hours=2, microseconds=uuid4().int % 10**9))
        self.fuse.dead = False
        self.mine = Crashing(self.db, self.fuse)
        self.published = Published(self.mine)
        client: Any = CrashingClient(self.client, self.fuse, self.clock, self.started)
        self.alarm_sync = TemporalAlarmSync(self.mine, client, self.clock, "crashes")
        parts = self.mine, self.published, self.clock, self.alarm_sync
        self.bursts = Bursts(self.mine, self.published, self.clock, NullNotifier())
        ways = {self.channel.name: CrashingChannel(self.channel, self.fuse)}
        self.delivery_worker = DeliveryWorker(*parts, NullNotifier(), ways)
        self.pages = RunPages(*parts, NullNotifier())
        self.following = FollowingChanges(self.mine, self.bursts, self.clock, self.alarm_sync)

    async def survive(self, work: Any) -> Any:
        """Until it is done, with all that it tells Temporal of in the background."""

        async def whole() -> Any:
            try:
                return await work()
            finally:
                await self.alarm_sync.drain()
                self.fuse.alive()

        return await super().survive(whole)

    async def sweep(self) -> int:
        """What was committed and not told, as if a second had gone by."""
        for table in ("entries", "alarms"):
            await self.db.pool.execute(f"update {table} set moved = moved - interval '2 s' where told < turn")
        return int(await self.survive(lambda: self.alarm_sync.sweep()))

    async def wake(self, one: Started) -> None:
        """A workflow runs its activity, and sleeps on or ends."""
        one.nudged = False
        if one.kind == "RunAlarm":
            workspace, run = one.args
            left = await self.survive(lambda: self.pages.work(workspace, UUID(run), asyncio.Event()))
            one.sleep(None if left is None else self.clock.now() + timedelta(seconds=left))
            return
        alarm, turn = one.args
        reply = await self.survive(lambda: self.bursts(UUID(alarm), Call(turn, self.clock.now())))
        one.args = [alarm, reply.turn]
        one.sleep(reply.alarm_at)

    async def settle(self) -> None:
        """What has rung or was nudged goes on, messages leave, until nothing moves."""
        while True:
            moved = await self.sweep()
            awake = [one for one in self.started.values() if one.due(self.clock.now())]
            for one in awake:
                await self.wake(one)
            moved += await self.survive(lambda: self.delivery_worker.drain_once(self.channel.name))
            await self.survive(lambda: self.following.unsettled())
            if not moved and not awake:
                return

    async def say(self, word: Word) -> None:
        at = self.clock.now()
        await self.survive(lambda: change(self.mine, self.workspace, "story", word, at=at))

    async def until(self, hours: float) -> None:
        """So long after noon of Sunday in UTC, with a minute in which it may come late."""
        object.__setattr__(self.clock, "at", SUNDAY + timedelta(hours=hours, minutes=1))
        await self.settle()

    async def story(self) -> None:
        at = self.clock.now()
        published = await self.survive(
            lambda: publish(self.mine, "default", definitions_of(self.text), at=at)
        )
        self.workspace = published.workspace
        for number, zone in enumerate((WEST, WEST, "UTC", "UTC", None, EAST, EAST)):
            attributes = [{"external_id": f"p{number}", **({} if zone is None else {"time_zone": zone})}]
            await self.tell({"attributes": attributes})
        await self.until(0)  # UTC, by the first: the east was at midnight, before the launch
        run = await self.db.pool.fetchval("select id from runs where occurrence = 1")
        await self.survive(lambda: control(self.mine, self.workspace, str(run), "hold"))
        await self.until(12)  # the west by the first, which is held, and the east by the second
        await self.survive(lambda: control(self.mine, self.workspace, str(run), "resume"))
        await self.settle()
        await self.say("pause")
        await self.until(20)
        await self.say("resume")
        await self.settle()
        for hours in (24, 27, 36, 43):
            await self.until(hours)

    async def outcome(self) -> Any:
        runs = await self.db.pool.fetch(
            "select occurrence, state, members, entered, refused, failed, gone, merged, gates::text from runs order by 1"
        )
        places = await self.db.pool.fetch("select sum(entries), count(*) from entry_counters")
        refused = await self.db.pool.fetch("select gate, sum(times) from refusals group by 1")
        each = await self.db.pool.fetch(
            "select person, entered, count(*) from entries group by 1, 2 having count(*) > 1"
        )
        members = await self.db.pool.fetchval("select count(*) from run_members")
        untold = await self.db.pool.fetchval(
            "select count(*) from entries where ended is null or (told < turn and alarm = id)"
        )
        alarms = await self.db.pool.fetchval("select count(*) from alarms where told < turn or kind = 'run'")
        rounds = await self.db.pool.fetchval("select sum((attributes->>'rounds')::int) from people")
        ended, facts, _, events, left = await super().outcome()
        return (
            [tuple(row) for row in (*runs, *places, *refused)],
            (ended, facts, events),
            (len(each), members, untold, alarms, rounds, left),
        )


@pytest.mark.slow
@pytest.mark.timeout(7200 if EACH == 1 else 1800)
async def test_a_crash_at_any_point_of_a_run_loses_nobody_and_lets_nobody_in_twice(
    db: Database,
    template: str,
    postgres: str,
    receiver: Receiver,
    temporal: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Planning, waking, asking the audience, each page, its alarms, a hold, a pause, the end; calls to Temporal are real."""
    monkeypatch.setattr(run_pages, "PAGE", 1)
    Occurrences.client = await Client.connect(temporal)
    with suppress(Exception):
        await register_search_attributes(Occurrences.client)
    text = canvas(STEPS.format(channel="webhook", template="hook"), schedule=LOCAL, more=LIMIT)
    count, wanted = await by_webhook(db, template, postgres, receiver, text, Occurrences, EACH)

    assert count >= 60
    assert wanted[0] == [
        (1, "done", 5, 5, 0, 0, 0, 0, "{}"),
        (2, "done", 7, 5, 2, 0, 0, 0, '{"entry_limit": 2}'),
        (10, 2),
        ("entry_limit", 2),
    ]
    assert wanted[2] == (0, 0, 0, 0, 10, 0), "nobody twice, nobody left, nobody untold; each was marked once"
    assert {("sent", "first", 10), ("sent", "second", 10)} <= wanted[1][1]
