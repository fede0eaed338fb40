"""Messages of one entry leave a channel in the order in which its canvas sent them."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from journeys.channels.webhook import Webhook, WebhookSettings
from journeys.engine.delivery.delivery_worker import DeliveryWorker
from journeys.engine.ports import NullNotifier
from journeys.engine.store import Database
from journeys.engine.workspaces.published import Published
from tests.receiver import Receiver
from tests.stage import canvas, stage_on

PEOPLE = 40
STEPS = ("hello", "more", "thanks")


def _hook(name: str, url: str) -> str:
    return f"""
---
kind: template
format: 1
name: {name}
channel: webhook
url: "{url}/{name}"
body: {{person: "{{{{ ${{user_id}} }}}}", step: {name}}}
"""


async def test_none_overtakes_another_under_a_backlog_with_several_workers_and_failing_calls(
    db: Database, receiver: Receiver
) -> None:
    """One that is tried again holds those after it, one that has failed for good does not, and no other entry waits."""
    steps = "\n".join(
        f"  - {{type: message, id: {step}, channel: webhook, template: {step}}}" for step in STEPS
    )
    stage = await stage_on(
        db, canvas("\n" + steps + "\n") + "".join(_hook(step, receiver.url) for step in STEPS)
    )
    people = [await stage.person(external_id=f"p{no}") for no in range(PEOPLE)]
    await asyncio.gather(*(stage.burst(entry) for entry in await stage.enter(*people)))
    receiver.statuses = [503, 200, 400, 200, 503] * 15
    receiver.delay = 0.002
    channel = Webhook(WebhookSettings(allowed_networks="127.0.0.0/8"))
    parts = stage.clock, NullNotifier(), NullNotifier(), {"webhook": channel}
    workers = [DeliveryWorker(db, Published(db), *parts) for _ in range(4)]
    async with workers[0]:
        assert await workers[0].drain_once("webhook") == PEOPLE, "of each entry the first"
        done = [call["body"]["step"] for call in receiver.calls]
        assert done == ["hello"] * PEOPLE
        for _ in range(40):
            await db.pool.execute("update dispatches set not_before = null")
            if not sum(await asyncio.gather(*(each.drain_once("webhook", 30) for each in workers))):
                break

    assert await stage.dispatches() == []
    of: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for call in receiver.calls:
        of[call["body"]["person"]].append((STEPS.index(call["body"]["step"]), call["status"]))
    assert len(of) == PEOPLE
    for person, calls in of.items():
        order = [step for step, _ in calls]
        assert order == sorted(order), (person, calls)
        assert set(order) == {0, 1, 2}, (person, calls)
    assert any(status == 503 for calls in of.values() for _, status in calls)


async def test_one_that_waits_its_turn_again_behind_all_others_still_leaves_before_the_next_of_its_entry(
    db: Database, receiver: Receiver
) -> None:
    """C3 gives it the last number of the queue; a message of another channel does not wait."""
    steps = "\n".join(
        f"  - {{type: message, id: {step}, channel: webhook, template: {step}}}" for step in STEPS
    )
    stage = await stage_on(
        db, canvas("\n" + steps + "\n") + "".join(_hook(step, receiver.url) for step in STEPS)
    )
    [entry] = await stage.enter(await stage.person())
    await stage.burst(entry)
    await db.pool.execute("update dispatches set waits = 1, no = nextval('dispatch_no') where step = 'hello'")
    await db.pool.execute("update dispatches set channel = 'elsewhere' where step = 'thanks'")
    channel = Webhook(WebhookSettings(allowed_networks="127.0.0.0/8"))
    for step in ("hello", "more"):
        assert await stage.deliver(channel) == 1
        assert receiver.calls[-1]["body"]["step"] == step
    assert [row["step"] for row in await stage.dispatches()] == ["thanks"]
