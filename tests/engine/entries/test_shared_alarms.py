"""Alarms of several: one workflow wakes those who came in together, and what happens to one of them touches no other."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from journeys.engine.entries import burst
from journeys.engine.entries.admission import Entrant, admit
from journeys.engine.entries.burst_calls import Call
from journeys.engine.entries.shared_alarms import is_shared
from journeys.engine.people.locking import Locked
from journeys.engine.people.profiles import Profile, lock
from journeys.engine.ports import NullNotifier
from journeys.engine.store import Database
from journeys.engine.workspaces.published import Published
from tests.crashing import Crash, Crashing, Fuse
from tests.stage import MONDAY, Stage, canvas, stage_on, webhook

DAY = timedelta(days=1)
STORY = canvas(
    "  - {type: delay, id: wait, duration: 1 day}\n  - {type: message, id: hello, channel: webhook, template: hook}",
    more="exits: [{event: bye}]",
) + webhook("http://127.0.0.1:9")


async def together(stage: Stage, count: int) -> tuple[UUID, list[Profile], dict[UUID, UUID]]:
    """So many people who come in together: the alarm that they share, the people, and the entry of each."""
    people = sorted([await stage.person() for _ in range(count)], key=lambda one: one.id)
    publication = await stage.published.of(stage.workspace)
    async with stage.db.transaction() as connection:
        await lock(connection, stage.workspace, [one.id for one in people])
        entrants = [Entrant(profile=one, admission_key="api:1", at=stage.clock.now()) for one in people]
        admission = await admit(
            connection,
            publication,
            stage.published,
            publication.running["story"],
            stage.clock,
            entrants,
            together=True,
        )
    [alarm] = admission.pending_alarms
    assert (alarm.kind, alarm.person, is_shared(alarm.alarm)) == ("entries", None, True)
    return alarm.alarm, people, admission.entries


async def ended(db: Database) -> Counter[str | None]:
    return Counter(row["ended"] for row in await db.pool.fetch("select ended from entries"))


async def test_one_burst_takes_all_of_them_on(db: Database) -> None:
    stage = await stage_on(db, STORY)
    alarm, _, _ = await together(stage, 20)
    early = await stage.burst(alarm)
    assert early.alarm_at == MONDAY + DAY
    stage.clock.turn(DAY)  # type: ignore[attr-defined]
    assert (await stage.burst(alarm)).alarm_at is None
    assert await ended(db) == {"completed": 20}
    assert len(await stage.dispatches()) == 20


async def test_the_exit_of_one_cancels_nothing_and_who_hears_something_gets_an_alarm_of_their_own(
    db: Database,
) -> None:
    """Only an alarm of one's own is ever cancelled; a nudge makes the member its own alarm first."""
    listening = canvas(
        "  - {type: action_paths, id: watch, within: 1 day, paths: [{name: liked, triggers: [{event: liked}]}]}",
        more="exits: [{event: bye}]",
    )
    stage = await stage_on(db, listening)
    alarm, people, entries = await together(stage, 5)
    assert await stage.happens(people[0], "bye") == [], "nobody is told"
    [told] = await stage.happens(people[1], "liked")
    assert (told.kind, told.alarm, told.told) == ("entry", entries[people[1].id], 0)
    await stage.burst(told.alarm, told.turn)
    assert await ended(db) == {"exit_event": 1, "completed": 1, None: 3}

    stage.clock.turn(DAY + timedelta(seconds=2))  # type: ignore[attr-defined]
    assert (await stage.burst(alarm)).alarm_at is None
    assert await ended(db) == {"exit_event": 1, "completed": 4}


def always_fails(monkeypatch: pytest.MonkeyPatch, bad: UUID) -> None:
    """Whoever drives this entry fails."""
    real = burst.EntryTransaction.drive

    async def failing(self: Any, loaded_entries: Any) -> None:
        loaded = list(loaded_entries)
        if any(one.id == bad for one in loaded):
            raise ArithmeticError("no such luck")
        await real(self, loaded)

    monkeypatch.setattr(burst.EntryTransaction, "drive", failing)


async def test_who_fails_for_ever_is_detached_with_a_fact_and_the_others_are_on_time(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = await stage_on(db, STORY)
    alarm, people, entries = await together(stage, 12)
    bad = entries[people[3].id]
    always_fails(monkeypatch, bad)
    stage.clock.turn(DAY)  # type: ignore[attr-defined]
    assert (await stage.burst(alarm)).alarm_at is None
    assert await ended(db) == {"completed": 11, None: 1}
    row = await stage.row(bad)
    assert (row["alarm"], row["told"] < row["turn"]) == (bad, True), "the sweep starts a workflow of its own"
    [fact] = await db.pool.fetch("select * from facts where fact = 'detached'")
    assert (fact["entry"], "no such luck" in fact["data"]["reason"]) == (bad, True)


async def test_of_five_hundred_one_exits_one_fails_one_hears_something_a_worker_dies_and_the_others_are_on_time(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P2: the process that drives them is gone after each of its commits in turn, and another goes on."""
    watching = """
  - type: action_paths
    id: watch
    within: 1 day
    paths: [{name: liked, triggers: [{event: liked}]}]
    otherwise: [{type: message, id: hello, channel: webhook, template: hook}]
  - {type: user_update, id: mark, attributes: {rounds: {increment: 1}}}
"""
    text = canvas(watching, more="exits: [{event: bye}]") + webhook("http://127.0.0.1:9")
    stage = await stage_on(db, text)
    alarm, people, entries = await together(stage, 500)
    leaves, fails, hears = (people[place] for place in (17, 251, 498))
    assert await stage.happens(leaves, "bye") == []
    [told] = await stage.happens(hears, "liked")
    bad = entries[fails.id]
    always_fails(monkeypatch, bad)
    due = stage.clock.turn(DAY)  # type: ignore[attr-defined]
    stage.clock.turn(timedelta(seconds=30))  # type: ignore[attr-defined]
    deaths = 0
    for point in (0, 1, 5, 100):
        fuse = Fuse()
        fuse.blows_at = point
        mine = Crashing(db, fuse)
        worker = burst.Bursts(mine, Published(mine), stage.clock, NullNotifier())
        try:
            reply = await worker(alarm, Call(1, stage.clock.now()))
        except Crash:
            deaths += 1
    if deaths == 4:
        reply = await stage.burst(alarm)
    assert (reply.alarm_at, deaths >= 2) == (None, True), deaths
    await stage.burst(told.alarm, told.turn)

    assert await ended(db) == {"completed": 498, "exit_event": 1, None: 1}
    others = [entries[one.id] for one in people if one not in (leaves, fails, hears)]
    reached = "select entry, at from facts where fact = 'reached' and step = 'hello'"
    assert dict(await db.pool.fetch(reached)) == dict.fromkeys(others, due), "on time, and once"
    assert len(await stage.dispatches()) == len(others) == 497
    rounds = await db.pool.fetch("select attributes->>'rounds' as n, count(*) from people group by 1")
    assert dict(rounds) == {"1": 498, None: 2}
    row = await stage.row(bad)
    assert (row["alarm"], row["told"] < row["turn"]) == (bad, True), "the sweep starts a workflow of its own"
    assert await db.pool.fetchval("select count(*) from facts where fact = 'detached'") == 1


async def test_one_who_is_locked_for_long_is_waited_for_and_the_others_are_driven_at_once(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(burst, "BRIEFLY", "set local lock_timeout = '100ms'")
    stage = await stage_on(db, STORY)
    alarm, people, _ = await together(stage, 6)
    stage.clock.turn(DAY)  # type: ignore[attr-defined]
    async with db.transaction() as connection:
        await lock(connection, stage.workspace, [people[2].id])
        with pytest.raises(Locked):
            await stage.burst(alarm)
        assert await ended(db) == {"completed": 5, None: 1}
    assert (await stage.burst(alarm)).alarm_at is None
    assert await ended(db) == {"completed": 6}
    assert len(await stage.dispatches()) == 6


async def test_calls_for_one_alarm_that_come_at_once_are_answered_by_one_burst(db: Database) -> None:
    """A local activity that takes long is run again while the first is at work."""
    stage = await stage_on(db, STORY)
    alarm, _, _ = await together(stage, 8)
    stage.clock.turn(DAY)  # type: ignore[attr-defined]
    replies = await asyncio.gather(*(stage.burst(alarm) for _ in range(3)))
    assert {reply.alarm_at for reply in replies} == {None}
    await stage.bursts.drain()
    assert len(await stage.dispatches()) == 8


async def test_who_comes_alone_or_where_each_has_a_workflow_shares_nothing(db: Database) -> None:
    always = canvas(
        "  - {type: delay, id: wait, duration: 1 day}\n  - {type: message, id: m, channel: webhook, template: hook}",
        more="workflow: always",
    )
    stage = await stage_on(db, always + webhook("http://127.0.0.1:9"))
    people = [await stage.person() for _ in range(2)]
    publication = await stage.published.of(stage.workspace)
    async with db.transaction() as connection:
        await lock(connection, stage.workspace, [one.id for one in people])
        entrants = [Entrant(profile=one, admission_key="api:1", at=stage.clock.now()) for one in people]
        admission = await admit(
            connection,
            publication,
            stage.published,
            publication.running["story"],
            stage.clock,
            entrants,
            together=True,
        )
    assert {each.kind for each in admission.pending_alarms} == {"entry"}
    assert len(admission.pending_alarms) == 2
