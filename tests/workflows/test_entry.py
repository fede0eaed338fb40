"""Entries as durable workflows on a real Temporal server, with real mail and real HTTP."""

from __future__ import annotations

from datetime import timedelta

from temporalio.client import Client, WorkflowExecutionStatus

from journeys.channels.email import Email, SmtpSettings
from journeys.channels.mailbox import Mailbox
from journeys.channels.webhook import Webhook, WebhookSettings
from journeys.engine.store import Database
from tests.receiver import Receiver
from tests.stage import EMAIL, canvas, live_stage, webhook


def email(mailbox: Mailbox) -> Email:
    return Email(SmtpSettings(host="127.0.0.1", port=mailbox.port))


def hooks() -> Webhook:
    return Webhook(WebhookSettings(allowed_networks="127.0.0.0/8"))


async def test_an_entry_sends_a_real_mail_and_ends(db: Database, temporal: str, mailbox: Mailbox) -> None:
    """J1: entry, email, exit; at most six history events."""
    story = canvas("  - {type: message, id: hello, channel: email, template: hello}") + EMAIL
    async with live_stage(db, story, temporal, [email(mailbox)]) as stage:
        [entry] = await stage.enter(await stage.person(email="mel@example.com", first_name="Mel"))
        mail = await mailbox.next(to="mel@example.com")
        await stage.all_ended()

        assert mail.message["Subject"] == "Hello Mel"
        assert "Dear Mel" in mail.html
        assert "List-Unsubscribe" in mail.message
        client = await Client.connect(temporal)
        handle = client.get_workflow_handle(f"{entry}:0")
        await handle.result()
        history = await handle.fetch_history()
        assert len(history.events) <= 6
        begun = history.events[0].workflow_execution_started_event_attributes
        assert begun.eager_execution_accepted, "the worker that starts an entry has its first task at once"
        await stage.until(
            lambda: db.pool.fetchval("select 1 from facts where fact = 'sent'"), "the settlement"
        )
        assert await stage.dispatches() == []


async def test_a_delay_an_event_and_a_webhook(db: Database, temporal: str, receiver: Receiver) -> None:
    """An awaited event wakes the entry at once; the call carries the dispatch's key."""
    story = canvas("""
  - {type: delay, id: wait, duration: 1 second}
  - type: action_paths
    id: watch
    within: 1 hour
    paths: [{name: liked, triggers: [{event: liked}]}]
    otherwise: [{type: message, id: never, channel: webhook, template: hook}]
  - {type: message, id: tell, channel: webhook, template: hook}
""") + webhook(receiver.url)
    async with live_stage(db, story, temporal, [hooks()]) as stage:
        mel = await stage.person()
        [entry] = await stage.enter(mel)

        async def watching() -> bool:
            return (await stage.row(entry))["step"] == "watch"

        await stage.until(watching)
        await stage.happens(mel, "liked")
        await stage.all_ended()
        await stage.until(
            lambda: db.pool.fetchval("select 1 from facts where fact = 'sent'"), "the settlement"
        )

    assert [call["headers"]["idempotency-key"] for call in receiver.calls] == [f"{entry}/tell"]
    assert receiver.calls[0]["body"] == {"person": mel.external_id, "step": "tell"}


async def test_an_exit_ends_the_entry_in_the_store_first_and_cancels_its_workflow(
    db: Database, temporal: str
) -> None:
    """EXT-5: marked at once, no later step is reached."""
    story = (
        canvas(
            """
  - {type: delay, id: wait, duration: 30 days}
  - {type: message, id: late, channel: email, template: hello}
""",
            more="exits: [{event: stop}]",
        )
        + EMAIL
    )
    async with live_stage(db, story, temporal) as stage:
        mel = await stage.person()
        [entry] = await stage.enter(mel)
        await stage.happens(mel, "stop")
        assert (await stage.row(entry))["ended"] == "exit_event"
        client = await Client.connect(temporal)

        async def closed() -> bool:
            return (
                await client.get_workflow_handle(f"{entry}:0").describe()
            ).status == WorkflowExecutionStatus.CANCELED

        await stage.until(closed, "the cancel")
        assert await stage.dispatches() == []


async def test_thirty_days_pass_in_a_moment_under_skipped_time(
    db: Database, temporal: str, mailbox: Mailbox
) -> None:
    """A 30-day canvas by timers and `start_delay`, on the real server's semantics."""
    from temporalio.testing import TimeSkipper

    story = (
        canvas("""
  - {type: delay, id: first, duration: 10 days}
  - {type: message, id: one, channel: email, template: hello}
  - {type: delay, id: second, duration: 20 days}
  - {type: message, id: two, channel: email, template: hello}
""")
        + EMAIL
    )
    skipper = TimeSkipper(await Client.connect(temporal))
    async with live_stage(db, story, temporal, [email(mailbox)], client=skipper.client) as stage:
        mel = await stage.person(email="mel@example.com")
        [entry] = await stage.enter(mel)
        await stage.all_ended()
        row = await stage.row(entry)
        assert row["ended"] == "completed"
        assert row["at"] - row["entered"] == timedelta(days=30)
        assert await stage.path(entry) == ["first", "one", "second", "two"]
