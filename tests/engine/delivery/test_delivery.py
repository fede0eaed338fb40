"""Delivery: turns over the workspaces, and who hears that a message was sent."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from journeys.channels.email import Email, SmtpSettings
from journeys.channels.mailbox import Mailbox
from journeys.channels.webhook import Webhook, WebhookSettings
from journeys.engine.delivery.channel import Receipt
from journeys.engine.delivery.claim import claim
from journeys.engine.delivery.delivery_worker import DeliveryWorker
from journeys.engine.people.user_updates import MOST_HOPS
from journeys.engine.ports import NullNotifier
from journeys.engine.store import Database
from tests.receiver import Receiver
from tests.stage import EMAIL, Stage, canvas, stage_on

MAIL = "  - {type: message, id: m, channel: email, template: hello}"


async def post(stage: Stage, mailbox: Mailbox) -> int:
    """Deliver what is queued now."""
    channel = Email(SmtpSettings(host="127.0.0.1", port=mailbox.port))
    ways = {"email": channel}
    async with DeliveryWorker(
        stage.db, stage.published, stage.clock, NullNotifier(), NullNotifier(), ways
    ) as delivery_worker:
        return await delivery_worker.drain_once("email")


async def test_a_workspace_with_much_to_send_does_not_hold_up_another(db: Database) -> None:
    """In turns: each has an equal share of a batch, and what one does not use is not kept from the others for long."""
    large = await stage_on(db, canvas(MAIL) + EMAIL, workspace="large")
    small = await stage_on(db, canvas(MAIL) + EMAIL, workspace="small")
    for stage, count in ((large, 30), (small, 2)):
        entries = await stage.enter(*[await stage.person(email="p@example.com") for _ in range(count)])
        for entry in entries:
            await stage.burst(entry)

    first = await claim(db, "email", 10)
    second = await claim(db, "email", 10)

    assert [one.workspace for one in first].count(small.workspace) == 2
    assert [one.workspace for one in first].count(large.workspace) == 5
    assert {one.workspace for one in second} == {large.workspace}
    assert not {one.key for one in first} & {one.key for one in second}


async def test_what_an_api_asked_for_leaves_before_a_broadcast(db: Database) -> None:
    stage = await stage_on(db, canvas(MAIL) + EMAIL)
    for _ in range(4):
        [entry] = await stage.enter(await stage.person(email="p@example.com"))
        await stage.burst(entry)
    await db.pool.execute("update dispatches set priority = case when no % 2 = 0 then 1 else 3 end")

    assert [one.priority for one in await claim(db, "email")] == [1, 1, 3, 3]


WATCHES = """
  - type: action_paths
    id: watch
    within: 3 days
    paths: [{name: written, triggers: [{message: sent, canvas: story}], steps: [{type: user_update, id: mark, attributes: {written: true}}]}]
"""


async def test_who_waits_for_a_message_to_be_sent_hears_of_it_when_it_is(
    db: Database, mailbox: Mailbox
) -> None:
    """`message: sent` is a trigger like any other: of steps, conversions and schedules."""
    text = (
        canvas(MAIL, more="conversions: [{name: posted, message: sent, within: 1 day}]")
        + EMAIL
        + "---\n"
        + canvas(WATCHES, name="watcher")
        + "---\n"
        + canvas("  - {type: user_update, id: note, attributes: {followed: true}}", name="follower").replace(
            "schedule: {api: true}", "schedule: {message: sent, canvas: story}"
        )
    )
    stage = await stage_on(db, text)
    mel = await stage.person(email="mel@example.com")
    [watcher] = await stage.enter(mel, name="watcher")
    await stage.burst(watcher)
    [entry] = await stage.enter(mel)
    await stage.burst(entry)

    assert await post(stage, mailbox) == 1
    await stage.burst(watcher, (await stage.row(watcher))["turn"])

    assert await stage.path(watcher) == ["watch", "mark"]
    assert await facts_of(stage, "converted") == 1
    assert await db.pool.fetchval("select count(*) from entries where canvas = 'follower'") == 1


async def facts_of(stage: Stage, name: str) -> Any:
    return await stage.db.pool.fetchval("select count(*) from facts where fact = $1", name)


async def test_a_canvas_that_lets_in_by_its_own_messages_is_cut(db: Database, mailbox: Mailbox) -> None:
    """A chain of twenty, with a fact that says so; the message itself has left."""
    text = canvas(MAIL, more="reentry: {after: 1 minute}").replace(
        "schedule: {api: true}", "schedule: {message: sent}"
    )
    stage = await stage_on(db, text + EMAIL)
    mel = await stage.person(email="mel@example.com")
    await stage.enter(mel)
    for _ in range(MOST_HOPS + 5):
        stage.clock.turn(timedelta(minutes=2))  # type: ignore[attr-defined]
        for row in await db.pool.fetch("select id, turn from entries where ended is null"):
            await stage.burst(row["id"], row["turn"])
        await post(stage, mailbox)

    assert len(mailbox.mails) == MOST_HOPS
    assert await facts_of(stage, "hops_exceeded") == 1


LISTENS = """
  - type: action_paths
    id: watch
    within: 1 hour
    paths: [{name: bought, triggers: [{event: order_completed, where: [{property: paid, equals: true}]}]}]
  - {type: delay, id: rest, duration: 2 days}
  - {type: user_update, id: end, attributes: {done: true}}
"""


async def test_what_comes_after_the_step_was_left_is_late_and_a_fact_says_so(db: Database) -> None:
    """It moves nothing; whoever wonders finds the step, the path that it would have taken, and when it was left."""
    stage = await stage_on(db, canvas(LISTENS))
    mel = await stage.person()
    [entry] = await stage.enter(mel)
    await stage.burst(entry)
    stage.clock.turn(timedelta(hours=1, seconds=5))  # type: ignore[attr-defined]
    await stage.burst(entry, (await stage.row(entry))["turn"])
    assert await stage.path(entry) == ["watch", "rest"]
    within = stage.clock.now() - timedelta(minutes=30)

    await stage.happens(mel, "order_completed", {"paid": True}, at=within)
    await stage.happens(mel, "order_completed", {"paid": False}, at=within)
    await stage.happens(mel, "order_completed", {"paid": True, "order": 2})

    late = await db.pool.fetch("select entry, step, data from facts where fact = 'late_event'")
    assert [(row["entry"], row["step"], row["data"]["path"]) for row in late] == [(entry, "watch", "bought")]
    assert (await stage.row(entry))["step"] == "rest"


async def test_what_is_late_for_an_entry_that_has_ended_is_noted_too(db: Database) -> None:
    stage = await stage_on(db, canvas(LISTENS.split("  - {type: delay")[0]))
    mel = await stage.person()
    [entry] = await stage.enter(mel)
    await stage.burst(entry)
    stage.clock.turn(timedelta(hours=2))  # type: ignore[attr-defined]
    await stage.burst(entry, (await stage.row(entry))["turn"])
    assert (await stage.row(entry))["ended"]

    await stage.happens(mel, "order_completed", {"paid": True}, at=stage.clock.now() - timedelta(minutes=90))

    assert await facts_of(stage, "late_event") == 1


HOOKS = """
---
kind: template
format: 1
name: hello
channel: webhook
url: "{url}"
"""


async def test_a_workspace_whose_server_dawdles_holds_up_no_other(db: Database, receiver: Receiver) -> None:
    """Its calls are under way all the time; the others' messages leave, batch after batch."""
    steps = "  - {type: message, id: m, channel: webhook, template: hello}"
    calls, stop = 0, asyncio.Event()

    async def dawdle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        await reader.read(1)
        await stop.wait()
        writer.close()

    server = await asyncio.start_server(dawdle, "127.0.0.1", 0)
    slow_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    slow = await stage_on(db, canvas(steps) + HOOKS.format(url=slow_url), workspace="slow")
    well = await stage_on(db, canvas(steps) + HOOKS.format(url=receiver.url), workspace="well")
    for entry in await slow.enter(*[await slow.person() for _ in range(12)]):
        await slow.burst(entry)
    webhook = Webhook(WebhookSettings(allowed_networks="127.0.0.0/8", lanes=4))
    ways = {"webhook": webhook}
    async with DeliveryWorker(db, well.published, well.clock, NullNotifier(), NullNotifier(), ways) as worker:
        for count in range(1, 6):
            [entry] = await well.enter(await well.person())
            await well.burst(entry)
            if count == 1:  # the first one is claimed together with those of the other
                draining = asyncio.create_task(worker.drain("webhook", stop))
            while len(receiver.calls) < count:
                assert not draining.done()
                await asyncio.sleep(0.02)
        assert calls == 4, "as many as a workspace has lanes"
        while await db.pool.fetchval("select count(*) from dispatches") > 12:  # the last one is settled
            await asyncio.sleep(0.02)
        draining.cancel()
        await asyncio.gather(draining, return_exceptions=True)
        stop.set()
    server.close()

    states = await db.pool.fetch("select state, count(*) from dispatches group by state")
    assert [tuple(row) for row in states] == [("queued", 12)], "what was not done is given back"


class Gated(Email):
    """Email whose calls wait until they are let through, one by one."""

    def __init__(self, settings: SmtpSettings) -> None:
        super().__init__(settings)
        self.gate = asyncio.Semaphore(0)
        self.called = 0

    async def deliver(self, content: Any, to: Any, key: str) -> Receipt:
        self.called += 1
        await self.gate.acquire()
        return await super().deliver(content, to, key)


async def test_a_workspace_with_a_whole_batch_to_send_gives_its_connection_up_to_who_waits(
    db: Database, mailbox: Mailbox
) -> None:
    """A mail server's connections are shared: whoever comes waits for the call under way, not for the others of a batch."""
    large = await stage_on(db, canvas(MAIL) + EMAIL, workspace="large")
    small = await stage_on(db, canvas(MAIL) + EMAIL, workspace="small")
    for entry in await large.enter(*[await large.person(email=f"{n}@example.com") for n in range(6)]):
        await large.burst(entry)
    channel, stop = Gated(SmtpSettings(host="127.0.0.1", port=mailbox.port, lanes=1)), asyncio.Event()
    parts = large.published, large.clock, NullNotifier(), NullNotifier(), {"email": channel}
    async with DeliveryWorker(db, *parts) as worker:
        draining = asyncio.create_task(worker.drain("email", stop))
        while not channel.called:
            assert not draining.done()
            await asyncio.sleep(0.01)
        [entry] = await small.enter(await small.person(email="small@example.com"))
        await small.burst(entry)
        while not worker._lanes["email", 0].wanted(large.workspace):
            await asyncio.sleep(0.01)
        for _ in range(7):
            channel.gate.release()
        await small.until(small.none_left, "all messages")
        stop.set()
        await draining

    sent = [mail.recipients[0] for mail in mailbox.mails]
    assert len(sent) == 7
    assert sent.index("small@example.com") <= 1
    assert await db.pool.fetchval("select count(*) from facts where fact = 'sent'") == 7
