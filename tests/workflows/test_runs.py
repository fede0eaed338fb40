"""Runs on a real Temporal server: begun by their schedule, few workflows for many people, and gone on with after a kill."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from journeys.channels.webhook import Webhook, WebhookSettings
from journeys.engine.clock import Clock
from journeys.engine.store import Database
from journeys.engine.workspaces.publishing import publish
from journeys.engine.workspaces.run_control import control
from tests.receiver import Receiver
from tests.stage import canvas, definitions_of, live_stage, webhook

STEPS = (
    "  - {type: message, id: hello, channel: webhook, template: hook}\n"
    "  - {type: delay, id: wait, duration: 2 seconds}\n"
    "  - {type: message, id: again, channel: webhook, template: hook}"
)


def soon() -> str:
    """An instant that comes in a moment."""
    return (Clock().now() + timedelta(seconds=4)).strftime("%Y-%m-%dT%H:%M:%SZ")


async def test_a_scheduled_canvas_takes_all_its_people_with_two_workflows(
    db: Database, temporal: str, receiver: Receiver
) -> None:
    """One for the run, one for the page of those who wait; each message once."""
    channel = Webhook(WebhookSettings(allowed_networks="127.0.0.0/8"))
    async with live_stage(
        db, canvas(STEPS, name="other") + webhook(receiver.url), temporal, [channel]
    ) as stage:
        for _ in range(30):
            await stage.person()
        schedule = f"{{once: {soon()}}}"
        await publish(db, "default", definitions_of(canvas(STEPS, schedule=schedule) + webhook(receiver.url)))

        async def done() -> Any:
            return await db.pool.fetchval("select count(*) from runs where state = 'done'")

        await stage.until(done, "the run to end")
        await stage.all_ended()

        async def all_left() -> bool:
            return len(receiver.calls) >= 60

        await stage.until(all_left, "the messages to leave")
        run = await db.pool.fetchrow("select members, entered, refused from runs")
        assert tuple(run) == (30, 30, 0)
        alarms = await db.pool.fetch("select kind, told, turn from alarms")
        assert [row["kind"] for row in alarms] == ["entries"]
        entries = await db.pool.fetch("select distinct alarm, ended from entries")
        assert [row["ended"] for row in entries] == ["completed"]
    steps = [call["path"] for call in receiver.calls]
    assert len(steps) == 60


async def test_a_run_that_is_held_waits_for_its_resume(db: Database, temporal: str) -> None:
    wait = "  - {type: delay, id: wait, duration: 1 day}"
    async with live_stage(db, "", temporal) as stage:
        await stage.person()
        await publish(db, "default", definitions_of(canvas(wait, schedule=f"{{once: {soon()}}}")))
        run = await db.pool.fetchval("select id from runs")
        await control(db, stage.workspace, str(run), "hold")

        async def seen() -> Any:
            return await db.pool.fetchval(
                "select told >= turn from alarms where kind = 'run' and at < now() - interval '1 second'"
            )

        await stage.until(seen, "its time to pass")
        assert await db.pool.fetchval("select count(*) from entries") == 0
        await control(db, stage.workspace, str(run), "resume")

        async def entered() -> Any:
            return await db.pool.fetchval("select count(*) from entries")

        assert await stage.until(entered, "them to enter") == 1
