"""Paused while entries sleep in Temporal, the worker is killed meanwhile, then resumed: each goes on as much later."""

from __future__ import annotations

from datetime import timedelta

import pytest
from temporalio.client import Client

from journeys.engine.clock import Clock
from journeys.engine.store import Database
from journeys.engine.workspaces.canvas_changes import change
from journeys.workflows.alarm_sync import TemporalAlarmSync
from journeys.workflows.search_attributes import register_search_attributes
from tests.receiver import Receiver
from tests.stage import canvas, stage_on, webhook
from tests.workflows import test_kills
from tests.workflows.test_canvas_changes import say, sleeping, until_it_rang

WAIT = timedelta(seconds=8)
STEPS = """
  - {type: delay, id: wait, duration: 8 seconds}
  - {type: message, id: late, channel: webhook, template: hook}
"""


@pytest.mark.slow
async def test_who_sleeps_through_a_pause_and_the_death_of_a_worker_goes_on_as_much_later(
    db: Database, temporal: str, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """STA-2, STA-3: those whose alarm rang meanwhile, and those who came meanwhile; each message once."""
    monkeypatch.setattr(test_kills, "WORKERS", 1)
    stage = await stage_on(db, canvas(STEPS) + webhook(receiver.url), clock=Clock())
    client = await Client.connect(temporal)
    await register_search_attributes(client)
    pack = test_kills.Pack(db, temporal)
    stage.alarm_sync = TemporalAlarmSync(db, client, stage.clock, pack.queue)
    try:
        await pack.grow()
        inside = await sleeping(stage, 10)
        due = {entry: (await stage.row(entry))["wake_at"] for entry in inside}
        await say(stage, "pause")
        parked = await sleeping(stage, 5)
        await until_it_rang(stage, [*inside, *parked], temporal)
        await pack.kill(next(iter(pack.workers)))
        assert await stage.dispatches() == []
        at = stage.clock.now()
        await change(stage.db, stage.workspace, "story", "resume", at=at, timers="shift")
        await stage.all_ended()

        async def sent() -> bool:
            return bool(await db.pool.fetchval("select count(*) = 15 from facts where fact = 'sent'"))

        await stage.until(sent, "the messages to leave")
    finally:
        await pack.stop()

    paused, resumed = [
        row["at"] for row in await db.pool.fetch("select at from canvas_changes where no > 1 order by no")
    ]
    reached = dict(
        await db.pool.fetch("select entry, at from facts where fact = 'reached' and step = 'late'")
    )
    assert reached == {
        **{entry: instant + (resumed - paused) for entry, instant in due.items()},
        **dict.fromkeys(parked, resumed + WAIT),
    }
    assert len(receiver.calls) == 15
    assert {row[0] for row in await db.pool.fetch("select ended from entries")} == {"completed"}
