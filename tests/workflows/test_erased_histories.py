"""Temporal keeps what it was told, and logs what was written: nothing personal gets there, so that nothing has to be erased."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from journeys.channels.email import Email, SmtpSettings
from journeys.channels.mailbox import Mailbox
from journeys.channels.webhook import Webhook, WebhookSettings
from journeys.engine.store import Database
from tests.engine.entries.test_locks import tracked
from tests.engine.intake.test_erasing import erase, places
from tests.receiver import Receiver
from tests.stage import EMAIL, canvas, live_stage, webhook
from tests.workflows.test_connected import closed, written

STEPS = """
  - {type: context, id: pick, set: [{name: greeting, value: "{{custom_attribute.${color}}}"}]}
  - {type: message, id: mail, channel: email, template: hello}
  - {type: message, id: stops, channel: email, template: aborts}
  - {type: message, id: call, channel: webhook, template: hook}
  - {type: action_paths, id: watch, within: 1 hour, paths: [{name: p, triggers: [{event: ping}]}]}
  - {type: delay, id: rest, duration: 30 days}
  - {type: message, id: last, channel: email, template: hello}
"""
ABORTS = """
---
kind: template
format: 1
name: aborts
channel: email
sender: {name: The Desk, address: desk@example.com}
subject: "{% abort_message('wordabort') %}"
html: "<p>x</p>"
"""
WORDS = ("word-id", "word@example.com", "Wordy", "wordred", "wordevent", "wordsaid", "wordabort")


class Talkative(Mailbox):
    """A mail server that says whom it does not know."""

    async def handle_RCPT(self, *said: Any) -> str:
        return f"550 5.1.1 <{said[3]}> wordsaid"


async def test_nothing_personal_is_in_histories_logs_and_files_of_somebody_who_is_erased(
    db: Database, temporal: str, receiver: Receiver, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """IDN-31: not of a mail that comes back, a webhook that is refused, a template that stops, an event, an erasure."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.INFO, "asyncio")
    receiver.statuses = [404]
    text = canvas(STEPS, more="workflow: always") + EMAIL + ABORTS + webhook(receiver.url)
    async with Talkative(folder=tmp_path) as mailbox:
        channels = [
            Email(SmtpSettings(port=mailbox.port)),
            Webhook(WebhookSettings(allowed_networks="127.0.0.0/8")),
        ]
        async with live_stage(db, text, temporal, channels) as stage:
            mel = await stage.person(
                external_id="word-id",
                email="word@example.com",
                first_name="Wordy",
                attributes={"color": "wordred"},
            )
            [entry] = await stage.enter(mel)

            async def step(name: str) -> bool:
                return bool((await stage.row(entry))["step"] == name)

            await stage.until(lambda: step("watch"), "the wait for an event")
            await stage.until(stage.none_left, "the messages to be settled")
            at = stage.clock.now().isoformat()
            event = {"external_id": "word-id", "name": "ping", "time": at, "properties": {"a": "wordevent"}}
            await tracked(stage, events=[event])
            await stage.housekeeping.sweep()
            await stage.until(lambda: step("rest"), "the event to be heard")
            assert len(await places(db, *WORDS)) > 4
            assert await erase(stage, mel) == 1
            client = await Client.connect(temporal)
            handle = client.get_workflow_handle(f"{entry}:0")
            await stage.until(lambda: closed(handle), "the workflow to close")
            history = written(await handle.fetch_history())
    assert await places(db, *WORDS) == ["definitions.body"] == await places(db, "wordabort")
    ours = [
        one for one in caplog.records if not one.name.startswith("mail.")
    ]  # the mail server is the tests' own
    logged = "\n".join(map(logging.Formatter().format, ours))
    assert str(entry) in history and "temporalio" in {one.name.partition(".")[0] for one in ours}
    for word in WORDS:
        assert word not in history, word
        assert word not in logged, [line for line in logged.splitlines() if word in line]
    assert list(tmp_path.iterdir()) == []
