"""Steps that ask a web service, on a real Temporal server: the workflow sleeps, and is woken by the answer."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from temporalio.client import Client, WorkflowHandle, WorkflowHistory

from journeys.channels.webhook import Webhook, WebhookSettings
from journeys.engine.entries import answering
from journeys.engine.store import Database
from tests.receiver import Receiver
from tests.stage import Stage, canvas, live_stage, webhook

STEPS = """
  - type: context
    id: ask
    set: [{{name: size, type: number, value: "{{% connected_content {url}/size :save r %}}{{{{ r.size }}}}"}}]
  - type: decision_split
    id: large
    when: {{context: size, more_than: 40}}
    steps: [{{type: message, id: tell, channel: webhook, template: hook}}]
"""


def written(history: WorkflowHistory) -> str:
    """All that a history says, its payloads in plain text: as JSON they are in base 64."""
    return b"".join(event.SerializeToString() for event in history.events).decode(errors="replace")


async def closed(handle: WorkflowHandle[Any, Any]) -> bool:
    """Whether a workflow has ended."""
    return (await handle.describe()).close_time is not None


async def until_sent(stage: Stage, entry: UUID) -> None:
    """Wait for the message."""

    async def sent() -> bool:
        return ("sent", "tell") in await stage.facts(entry)

    await stage.until(sent, "the message")


@pytest.mark.parametrize("workflow", ["always", "when_waiting"])
async def test_a_service_that_is_busy_twice_and_then_answers_holds_the_entry_and_moves_it_once(
    db: Database, temporal: str, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, workflow: str
) -> None:
    """X5, C3: 429 twice; then the answer decides the way. Nothing of it is in the workflow's history."""
    monkeypatch.setenv("JOURNEYS_CONNECTED_ALLOWED_NETWORKS", "127.0.0.0/8")
    monkeypatch.setattr(answering, "FIRST_PAUSE", answering.LONGEST_PAUSE)  # only the test ends it
    receiver.statuses = [429, 429]
    receiver.replies["/size"] = {"size": 42}
    text = canvas(STEPS.format(url=receiver.url), more=f"workflow: {workflow}") + webhook(receiver.url)
    channel = Webhook(WebhookSettings(allowed_networks="127.0.0.0/8"))
    async with live_stage(db, text, temporal, [channel]) as stage:
        [entry] = await stage.enter(await stage.person())

        async def tried(times: int) -> bool:
            query = "select count(*) from fetches where tries = $1 and not_before > now()"
            return bool(await db.pool.fetchval(query, times))

        for times in (1, 2):
            await stage.until(lambda times=times: tried(times), f"try {times}")
            assert (await stage.row(entry))["step"] == "ask"
            await db.pool.execute("update fetches set not_before = now()")
        await stage.all_ended()
        await until_sent(stage, entry)
        client = await Client.connect(temporal)
        handle = client.get_workflow_handle(f"{entry}:0")
        await stage.until(lambda: closed(handle), "the workflow to close")
        history = await handle.fetch_history()

    assert [call["path"] for call in receiver.calls] == ["/size"] * 3 + ["/hook"]
    assert await stage.path(entry) == ["ask", "large", "tell"]
    assert len(history.events) <= 15
    for word in ("size", receiver.url, "connected_content"):
        assert word not in written(history)
    assert str(entry) in written(history)


UPDATE = """
  - type: user_update
    id: ask
    attributes: {{size: "{{% connected_content {url}/size?who={{{{ ${{user_id}} }}}} :save r %}}{{{{ r.size }}}}", asked: {{increment: 1}}}}
  - type: decision_split
    id: large
    when: {{attribute: size, equals: "42"}}
    steps: [{{type: message, id: tell, channel: webhook, template: hook}}]
"""


async def test_a_user_update_waits_for_a_busy_service_and_nothing_of_it_is_in_the_history(
    db: Database, temporal: str, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """UPD-2, UPD-3, X5: the next step sees what the service answered, once it did."""
    monkeypatch.setenv("JOURNEYS_CONNECTED_ALLOWED_NETWORKS", "127.0.0.0/8")
    monkeypatch.setattr(answering, "FIRST_PAUSE", answering.LONGEST_PAUSE)
    receiver.statuses = [503]
    receiver.replies["/size"] = {"size": 42}
    text = canvas(UPDATE.format(url=receiver.url), more="workflow: always") + webhook(receiver.url)
    channel = Webhook(WebhookSettings(allowed_networks="127.0.0.0/8"))
    async with live_stage(db, text, temporal, [channel]) as stage:
        [entry] = await stage.enter(await stage.person(external_id="mel-7"))

        async def paused() -> bool:
            query = "select count(*) from fetches where tries = 1 and not_before > now()"
            return bool(await db.pool.fetchval(query))

        await stage.until(paused, "the first try")
        await db.pool.execute("update fetches set not_before = now()")
        await stage.all_ended()
        await until_sent(stage, entry)
        client = await Client.connect(temporal)
        history = written(await client.get_workflow_handle(f"{entry}:0").fetch_history())

    assert [call["path"] for call in receiver.calls] == ["/size"] * 2 + ["/hook"]
    assert await db.pool.fetchval("select attributes from people") == {"size": "42", "asked": 1}
    for word in ("size", "mel-7", receiver.url, "connected_content"):
        assert word not in history
