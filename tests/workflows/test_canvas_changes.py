"""Stopped and resumed while entries sleep in Temporal and two workers run: nobody is lost, nobody moves meanwhile."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.worker import Worker

from journeys.channels.email import Email, SmtpSettings
from journeys.channels.mailbox import Mailbox
from journeys.engine.core.life import Word
from journeys.engine.entries.following_changes import FollowingChanges
from journeys.engine.store import Database
from journeys.engine.workspaces.canvas_changes import change
from journeys.plugin import JourneysPlugin
from tests.stage import EMAIL, Stage, canvas, live_stage

SLEEPS = (
    canvas("""
  - {type: delay, id: wait, duration: 8 seconds}
  - {type: message, id: late, channel: email, template: hello}
""")
    + EMAIL
)
WATCHES = (
    canvas("""
  - type: action_paths
    id: watch
    within: 1 hour
    paths: [{name: liked, triggers: [{event: liked}], steps: [{type: message, id: thanks, channel: email, template: hello}]}]
""")
    + EMAIL
)


def email(mailbox: Mailbox) -> Email:
    return Email(SmtpSettings(host="127.0.0.1", port=mailbox.port))


async def say(stage: Stage, word: Word) -> None:
    """What the command commits; what follows is left to the workers."""
    await change(stage.db, stage.workspace, "story", word, at=stage.clock.now())


async def sleeping(stage: Stage, count: int) -> list[UUID]:
    """So many entries inside, whose workflows Temporal has."""
    entries = await stage.enter(*[await stage.person(email=f"p{n}@example.com") for n in range(count)])

    async def told() -> bool:
        return not await stage.db.pool.fetchval("select count(*) from entries where told < turn")

    await stage.until(told, "the workflows to be started")
    return entries


async def until_it_rang(stage: Stage, entries: list[UUID], temporal: str) -> None:
    """Wait until each entry's workflow has had its burst at the alarm, and sleeps on."""
    client = await Client.connect(temporal)

    async def rang() -> bool:
        for entry in entries:
            history = await client.get_workflow_handle(f"{entry}:0").fetch_history()
            kinds = [event.WhichOneof("attributes") for event in history.events]
            if "timer_started_event_attributes" not in kinds:
                return False
        return True

    await stage.until(rang, "the alarms to ring")


@pytest.mark.slow
async def test_who_is_due_while_the_canvas_is_stopped_sleeps_on_and_leaves_at_the_resume(
    db: Database, temporal: str, mailbox: Mailbox
) -> None:
    """X4, STA-3: the workflow never ends meanwhile, or no nudge could wake it."""
    async with live_stage(db, SLEEPS, temporal, [email(mailbox)]) as stage:
        entries = await sleeping(stage, 10)
        await say(stage, "stop")
        await until_it_rang(stage, entries, temporal)
        due = max([(await stage.row(entry))["alarm_at"] for entry in entries])
        assert stage.clock.now() >= due - timedelta(milliseconds=100)
        assert await db.pool.fetchval("select count(*) from entries where ended is not null") == 0
        await say(stage, "resume")
        await stage.all_ended()

        assert {(await stage.row(entry))["ended"] for entry in entries} == {"stopped"}
        assert mailbox.mails == []
        client = await Client.connect(temporal)

        async def closed() -> bool:
            handles = [client.get_workflow_handle(f"{entry}:0") for entry in entries]
            states = [(await handle.describe()).status for handle in handles]
            return set(states) == {WorkflowExecutionStatus.COMPLETED}

        await stage.until(closed, "the workflows to end")


async def test_who_is_due_after_the_resume_goes_on_at_their_instant(
    db: Database, temporal: str, mailbox: Mailbox
) -> None:
    """X4, STA-3, case 121"""
    async with live_stage(db, SLEEPS, temporal, [email(mailbox)]) as stage:
        [entry] = await sleeping(stage, 1)
        due = (await stage.row(entry))["wake_at"]
        await say(stage, "stop")
        await asyncio.sleep(0.5)
        await say(stage, "resume")
        assert stage.clock.now() < due, "the machine is too slow for this test"
        await mailbox.next(to="p0@example.com")
        await stage.all_ended()

        assert (await stage.row(entry))["ended"] == "completed"
        at = await db.pool.fetchval("select at from facts where fact = 'reached' and step = 'late'")
        assert at == due


async def test_two_workers_stop_and_go_on_together_and_what_happened_meanwhile_is_heard(
    db: Database, temporal: str, mailbox: Mailbox
) -> None:
    """STA-2, STA-3: events come during the stop; nothing leaves before the resume, each message leaves once after it."""
    async with AsyncExitStack() as stack:
        stage = await stack.enter_async_context(live_stage(db, WATCHES, temporal, [email(mailbox)]))
        queue = f"q-{uuid4().hex[:8]}"
        second = JourneysPlugin(db.url, clock=stage.clock, channels=[email(mailbox)])
        client = await Client.connect(temporal)
        await stack.enter_async_context(Worker(client, task_queue=queue, plugins=[second]))
        people = [await stage.person(email=f"p{n}@example.com") for n in range(20)]
        await stage.enter(*people)

        async def watching() -> bool:
            return bool(await db.pool.fetchval("select count(*) = 20 from entries where step = 'watch'"))

        await stage.until(watching)
        await say(stage, "stop")
        await asyncio.gather(*(stage.happens(person, "liked") for person in people))
        await _quiet(stage)
        assert await stage.dispatches() == []
        await say(stage, "resume")
        await stage.all_ended()

        async def sent() -> bool:
            return bool(await db.pool.fetchval("select count(*) = 20 from facts where fact = 'sent'"))

        await stage.until(sent)
        to = sorted(str(mail.message["To"]) for mail in mailbox.mails)
        assert to == sorted(f"p{n}@example.com" for n in range(20))


async def _quiet(stage: Stage) -> None:
    """Wait until Temporal was told of all, and give its bursts a moment."""

    async def told() -> bool:
        return not await stage.db.pool.fetchval("select count(*) from entries where told < turn")

    await stage.until(told)
    await asyncio.sleep(1)


@pytest.mark.slow
@pytest.mark.parametrize("word", ["stop", "pause"])
async def test_stops_or_pauses_and_resumes_one_after_the_other_leave_nobody_behind(
    db: Database, temporal: str, mailbox: Mailbox, word: Word
) -> None:
    """X4, STA-3: whenever the alarms ring, each entry ends, by its message or by a stop, and never both; a pause ends none."""
    rounds = 5
    async with live_stage(db, SLEEPS, temporal, [email(mailbox)]) as stage:
        await stage.enter(*[await stage.person(email=f"p{n}@example.com") for n in range(30)])
        for _ in range(rounds):
            await asyncio.sleep(0.4)
            await say(stage, word)
            await asyncio.sleep(0.5)
            await say(stage, "resume")
            await stage.enter(*[await stage.person(email="more@example.com") for _ in range(5)])
        await stage.all_ended()

        async def settled() -> bool:
            return not await stage.dispatches()

        await stage.until(settled)
        rows = await db.pool.fetch(
            "select e.ended, count(f.no) as sent from entries e left join facts f on f.entry = e.id and f.fact = 'sent' "
            "group by e.id, e.ended"
        )
        outcomes: set[Any] = {(row["ended"], row["sent"]) for row in rows}
        assert len(rows) == 30 + 5 * rounds
        assert outcomes <= {("completed", 1), *([("stopped", 0)] if word == "stop" else [])}


async def test_an_archive_ends_the_workflows_of_those_inside(
    db: Database, temporal: str, mailbox: Mailbox
) -> None:
    """STA-1"""
    async with live_stage(db, WATCHES, temporal, [email(mailbox)]) as stage:
        entries = await sleeping(stage, 10)
        await say(stage, "archive")
        following = FollowingChanges(db, stage.bursts, stage.clock, stage.alarm_sync)
        await following.follow(stage.workspace, "story")
        assert {(await stage.row(entry))["ended"] for entry in entries} == {"archived"}
        client = await Client.connect(temporal)

        async def closed() -> bool:
            handles = [client.get_workflow_handle(f"{entry}:0") for entry in entries]
            states = [(await handle.describe()).status for handle in handles]
            return WorkflowExecutionStatus.RUNNING not in states

        await stage.until(closed, "the workflows to be ended")
