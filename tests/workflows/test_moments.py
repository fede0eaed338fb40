"""Events and exits in races: heard once, in order; nothing is claimed after an exit."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from journeys.engine.entries.burst import GRACE
from journeys.engine.entries.burst_calls import Call
from journeys.engine.ports import NullNotifier
from journeys.engine.store import Database
from tests.stage import EMAIL, Stage, canvas, live_stage

WAITS = """
  - {{type: delay, id: before, duration: {before}}}
  - type: action_paths
    id: watch
    within: {within}
    paths:
      - {{name: yes_, triggers: [{{event: ping}}], steps: [{{type: user_update, id: mark, attributes: {{pings: {{increment: 1}}}}}}]}}
  - {{type: message, id: tell, channel: email, template: hello}}
"""


def waiting(before: str, within: str) -> str:
    return canvas(WAITS.format(before=before, within=within), more="exits: [{event: stop}]") + EMAIL


async def _ends(stage: Stage, entry: Any) -> list[str]:
    await stage.all_ended()
    return await stage.path(entry)


async def _pings(stage: Stage, person: Any) -> Any:
    return (await stage.db.pool.fetchval("select attributes from people where id = $1", person.id)).get(
        "pings"
    )


async def test_an_event_before_the_workflow_is_started_is_heard_once(db: Database, temporal: str) -> None:
    """Nobody was told of the entry yet: the sweep starts its workflow, which looks back."""
    story = (
        canvas(
            WAITS.format(before="1 second", within="1 hour").replace(
                "  - {type: delay, id: before, duration: 1 second}\n", ""
            )
        )
        + EMAIL
    )
    async with live_stage(db, story, temporal) as stage:
        alarm_sync, stage.alarm_sync = stage.alarm_sync, NullNotifier()
        mel = await stage.person()
        [entry] = await stage.enter(mel)
        await asyncio.sleep(0.01)
        await stage.happens(mel, "ping")
        stage.alarm_sync = alarm_sync
        assert await _ends(stage, entry) == ["watch", "mark", "tell"]
        assert await _pings(stage, mel) == 1


async def test_a_nudge_wakes_an_entry_in_its_start_delay(db: Database, temporal: str) -> None:
    """A plain signal would wait the delay out; signal-with-start does not (a contract with the server)."""
    story = (
        canvas("""
  - {type: delay, id: before, duration: 30 days}
  - {type: message, id: m, channel: email, template: hello}
""")
        + EMAIL
    )
    async with live_stage(db, story, temporal) as stage:
        mel = await stage.person()
        [entry] = await stage.enter(mel)
        await stage.until(lambda: _told(stage, entry), "the start")
        await db.pool.execute(
            "update entries set wake_at = now(), alarm_at = now(), turn = turn + 1, moved = now() - interval '2 seconds' where id = $1",
            entry,
        )
        assert await _ends(stage, entry) == ["before", "m"]


async def _watching(stage: Stage, entry: Any) -> Any:
    """Its row, once it watches, or has ended because nobody looked in time."""
    row = await stage.row(entry)
    return row if row["step"] == "watch" or row["ended"] else None


async def _told(stage: Stage, entry: Any) -> bool:
    row = await stage.row(entry)
    return bool(row["told"] >= row["turn"])


async def test_an_event_during_start_delay_is_not_for_the_step_after_it_but_one_within_is(
    db: Database, temporal: str
) -> None:
    """ACT-4: only what happens after the arrival counts."""
    long = canvas(WAITS.format(before="1 second", within="1 hour"), name="long")
    async with live_stage(db, waiting("1 second", "1 second") + "---\n" + long, temporal) as stage:
        mel, zoe = await stage.person(), await stage.person()
        [early] = await stage.enter(mel)
        [late] = await stage.enter(zoe, name="long")
        await stage.happens(mel, "ping", at=(await stage.row(early))["entered"] + timedelta(milliseconds=1))
        await stage.until(lambda: _watching(stage, late))
        await stage.happens(zoe, "ping")
        assert await _ends(stage, early) == ["before", "watch", "tell"]
        assert await stage.path(late) == ["before", "watch", "mark", "tell"]


async def test_events_while_the_timer_fires_are_heard_once_each_entry(db: Database, temporal: str) -> None:
    """Stamped before the deadline and committed about when the alarm rings: the grace lets them in."""
    async with live_stage(db, waiting("1 second", "2 seconds"), temporal) as stage:
        people = [await stage.person() for _ in range(20)]
        entries = await stage.enter(*people)

        async def ping(person: Any, entry: Any, number: int) -> bool:
            deadline = (await stage.until(lambda: _watching(stage, entry)))["wake_at"]
            if deadline is None:
                return False  # on a machine so busy that nobody saw it watch
            at = deadline - timedelta(milliseconds=1)
            left = (deadline - stage.clock.now()).total_seconds() + (number - 10) * 0.04
            await asyncio.sleep(max(0.0, left))
            await stage.happens(person, "ping", at=at)
            return stage.clock.now() < deadline + GRACE

        in_time = await asyncio.gather(
            *(
                ping(person, entry, number)
                for number, (person, entry) in enumerate(zip(people, entries, strict=True))
            )
        )
        await stage.all_ended()
        for person, entry, wanted in zip(people, entries, in_time, strict=True):
            heard = await stage.path(entry) == ["before", "watch", "mark", "tell"]
            assert heard or not wanted
            assert await _pings(stage, person) == (1 if heard else None)


@pytest.mark.parametrize("moment", ["before the start", "in start_delay", "while it watches"])
async def test_nothing_is_dispatched_after_an_exit(db: Database, temporal: str, moment: str) -> None:
    """EXT-5; exits are written in the store first, under the lock: an alarm that rings all the same changes nothing."""
    before = "1 second" if moment == "while it watches" else "1 hour"
    async with live_stage(db, waiting(before, "1 hour"), temporal) as stage:
        mel = await stage.person(email="mel@example.com")
        alarm_sync = stage.alarm_sync
        if moment == "before the start":
            stage.alarm_sync = NullNotifier()
        [entry] = await stage.enter(mel)
        if moment == "while it watches":
            await stage.until(lambda: _watching(stage, entry))
        await stage.happens(mel, "stop")
        stage.alarm_sync = alarm_sync
        await stage.until(lambda: _told(stage, entry), "the cancel to be told")
        row = await stage.row(entry)
        assert row["ended"] == "exit_event"
        await stage.bursts(entry, Call(row["turn"], stage.clock.now() + timedelta(hours=3)))
        assert await stage.dispatches() == []
        assert "tell" not in await stage.path(entry)
        assert (await stage.row(entry))["ended"] == "exit_event"


async def test_an_exit_while_the_timer_fires_wins_or_loses_whole(db: Database, temporal: str) -> None:
    """Order is the order of commits: either the entry left and nothing was dispatched, or it had gone on before."""
    async with live_stage(db, waiting("1 second", "2 seconds"), temporal) as stage:
        people = [await stage.person(email="p@example.com") for _ in range(20)]
        entries = await stage.enter(*people)

        async def stop(person: Any, entry: Any, number: int) -> None:
            if alarm := (await stage.until(lambda: _watching(stage, entry)))["alarm_at"]:
                left = (alarm - stage.clock.now()).total_seconds() + (number - 10) * 0.02
                await asyncio.sleep(max(0.0, left))
            await stage.happens(person, "stop")

        await asyncio.gather(
            *(stop(person, entry, n) for n, (person, entry) in enumerate(zip(people, entries, strict=True)))
        )
        await stage.all_ended()
        ended = {row["id"]: row["ended"] for row in await db.pool.fetch("select id, ended from entries")}
        assert set(ended.values()) <= {"exit_event", "completed"}
        assert await stage.dispatches() == []  # of those who had gone on, the exit withdrew the message
        for entry in entries:
            assert ("tell" in await stage.path(entry)) == (ended[entry] == "completed")


async def test_what_comes_between_the_commit_and_the_nudge_is_heard_in_order(
    db: Database, temporal: str
) -> None:
    """The nudge carries nothing: whoever is woken hears all that was committed, once, in the order of the commits."""
    async with live_stage(db, waiting("1 second", "1 hour"), temporal) as stage:
        mel, zoe = await stage.person(email="mel@example.com"), await stage.person(email="zoe@example.com")
        [stays] = await stage.enter(mel)
        [leaves] = await stage.enter(zoe)

        async def both_watching() -> bool:
            rows = [await stage.row(entry) for entry in (stays, leaves)]
            return all(row["step"] == "watch" and row["told"] >= row["turn"] for row in rows)

        await stage.until(both_watching)
        alarm_sync, stage.alarm_sync = stage.alarm_sync, NullNotifier()
        first = await stage.happens(mel, "ping")
        second = await stage.happens(mel, "ping")
        assert [each.entry for each in (*first, *second)] == [stays, stays]
        await stage.happens(zoe, "ping")
        await stage.happens(zoe, "stop")
        stage.alarm_sync = alarm_sync
        alarm_sync.sync(first)
        alarm_sync.sync(second)
        await stage.all_ended()

        assert await stage.path(stays) == ["before", "watch", "mark", "tell"]
        assert await _pings(stage, mel) == 1
        assert (await stage.row(leaves))["ended"] == "exit_event"
        assert await stage.path(leaves) == ["before", "watch"]
        assert await _pings(stage, zoe) is None
        assert {row["entry"] for row in await stage.dispatches()} == {stays}


async def test_an_exit_withdraws_a_message_that_nobody_has_claimed(db: Database, temporal: str) -> None:
    """The entry has completed; its message is still in the queue, and is taken out."""
    story = (
        canvas("  - {type: message, id: m, channel: email, template: hello}", more="exits: [{event: stop}]")
        + EMAIL
    )
    async with live_stage(db, story, temporal) as stage:  # no channel drains here
        mel = await stage.person(email="mel@example.com")
        [entry] = await stage.enter(mel)
        await stage.all_ended()
        assert len(await stage.dispatches()) == 1
        await stage.happens(mel, "stop")
        assert await stage.dispatches() == []
        assert ("withdrawn", "m") in await stage.facts(entry)
        assert (await stage.row(entry))["ended"] == "completed"
