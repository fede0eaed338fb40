"""A person whom somebody else has locked for long holds up nobody else: not in what is settled, heard or let in together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from uuid_utils.compat import uuid7

from journeys.channels.email import Email, SmtpSettings
from journeys.channels.mailbox import Mailbox
from journeys.channels.webhook import Webhook, WebhookSettings
from journeys.engine.clock import Clock
from journeys.engine.delivery.delivery_worker import DeliveryWorker
from journeys.engine.entries.burst_calls import Call, Reply
from journeys.engine.entries.run_pages import RunPages
from journeys.engine.intake.broadcasts import begin
from journeys.engine.people.locking import Locked
from journeys.engine.ports import NullNotifier
from journeys.engine.store import Database
from journeys.workflows.activities import LONGEST_LOCKED, RELEASED, Activities
from tests.receiver import Receiver
from tests.stage import EMAIL, MONDAY, Stage, canvas, stage_on, webhook

MAIL = canvas("  - {type: message, id: m, channel: email, template: hello}") + EMAIL
MAKES = canvas("  - {type: user_update, id: u, events: [{name: noted}]}")
HEARS = canvas(
    "  - {type: user_update, id: v, attributes: {heard: true}}", name="hears", schedule="{event: noted}"
)


HEARD = "select person from entries where canvas = 'hears'"


@asynccontextmanager
async def locked(db: Database, *people: UUID) -> AsyncIterator[None]:
    """Somebody has these people locked."""
    async with db.transaction() as connection:
        await connection.execute("select from people where id = any($1::uuid[]) for update", people)
        yield


@asynccontextmanager
async def delivering(stage: Stage, channel: Any) -> AsyncIterator[None]:
    """A worker drains the channel."""
    stop = asyncio.Event()
    parts = stage.db, stage.published, stage.clock, NullNotifier(), NullNotifier()
    async with DeliveryWorker(*parts, {channel.name: channel}) as worker:
        draining = asyncio.create_task(worker.drain(channel.name, stop))
        yield
        stop.set()
        await draining


async def queued(stage: Stage, count: int) -> list[UUID]:
    """So many people, each with a message to leave."""
    people = [await stage.person(email=f"{n}@example.com") for n in range(count)]
    for entry in await stage.enter(*people):
        await stage.burst(entry)
    return [person.id for person in people]


async def sent(stage: Stage) -> int:
    query = "select count(*) from facts where fact = 'sent' and workspace = $1"
    return int(await stage.db.pool.fetchval(query, stage.workspace))


@pytest.mark.parametrize("sort", ["email", "webhook"])
async def test_messages_of_others_leave_and_are_settled_while_somebody_is_locked(
    db: Database, mailbox: Mailbox, receiver: Receiver, sort: str
) -> None:
    """Those whose people are locked keep no connection of the mail server; each leaves once, and is settled once."""
    text = MAIL
    channel: Any = Email(SmtpSettings(host="127.0.0.1", port=mailbox.port, lanes=2))
    if sort == "webhook":
        text = canvas("  - {type: message, id: m, channel: webhook, template: hook}") + webhook(receiver.url)
        channel = Webhook(WebhookSettings(allowed_networks="127.0.0.0/8", lanes=2))
    held, free = await stage_on(db, text, workspace="held"), await stage_on(db, text, workspace="free")
    people = await queued(held, 6)
    async with delivering(held, channel):
        async with locked(db, *people):
            await held.until(lambda: _some(mailbox, receiver), "the first message of those who are locked")
            await queued(free, 20)

            async def all_sent() -> bool:
                return await sent(free) == 20

            await free.until(all_sent, "the others' messages", 60)
            assert await sent(held) == 0
        await held.until(held.none_left, "theirs")

    assert await sent(held) == 6
    keys = (
        [str(mail.message["Message-ID"]) for mail in mailbox.mails]
        if sort == "email"
        else list(receiver.keys)
    )
    assert len(keys) == len(set(keys)) == 26


async def _some(mailbox: Mailbox, receiver: Receiver) -> bool:
    return bool(mailbox.mails or receiver.calls)


async def test_events_that_canvases_make_are_heard_of_others_while_somebody_is_locked(db: Database) -> None:
    stages = [await stage_on(db, f"{MAKES}---\n{HEARS}", workspace=name) for name in ("held", "free")]
    entries = []
    people = []
    for stage in stages:
        await db.pool.execute("update canvases set published = $1", MONDAY.replace(year=2025))
        people.append(await stage.person())
        entries += await stage.enter(people[-1])
        await stage.burst(entries[-1])
    async with locked(db, people[0].id):
        assert await stages[0].hear_derived() == 1
        assert [row["person"] for row in await db.pool.fetch(HEARD)] == [people[1].id]
    assert await stages[0].hear_derived() == 1
    assert await stages[0].hear_derived() == 0

    assert {row["person"] for row in await db.pool.fetch(HEARD)} == {person.id for person in people}


async def test_runs_of_others_go_on_while_somebody_is_locked_and_so_do_the_others_of_one_run(
    db: Database,
) -> None:
    """Who is locked enters when the lock is gone."""
    stages = [await stage_on(db, MAKES, workspace=name) for name in ("held", "free")]
    people = {stage.workspace: [(await stage.person()).id for _ in range(3)] for stage in stages}
    for stage in stages:
        publication = await stage.published.of(stage.workspace)
        async with db.transaction() as connection:
            running = publication.running["story"]
            await begin(connection, publication, running, uuid7(), None, {}, stage.clock.now())
    held, free = stages
    runs = dict(await db.pool.fetch("select workspace, id from runs"))
    pages = RunPages(db, held.published, held.clock, NullNotifier(), NullNotifier())
    async with locked(db, people[held.workspace][0]):
        working = [asyncio.create_task(pages.work(*one, asyncio.Event())) for one in runs.items()]

        async def all_but_one() -> bool:
            return await _entered(db) == {held.workspace: 2, free.workspace: 3}

        await free.until(all_but_one, "all who are not locked")
    assert await asyncio.gather(*working) == [None, None]
    assert await _entered(db) == {stage.workspace: 3 for stage in stages}


async def _entered(db: Database) -> dict[int, int]:
    return dict(await db.pool.fetch("select workspace, count(*) from entries group by 1"))


@pytest.mark.parametrize("local", [True, False])
async def test_an_entry_whose_person_is_locked_keeps_no_slot_of_a_worker(local: bool) -> None:
    """The workflow asks again, ever later, as often as it takes; a local activity is not tried again in its slot."""

    async def busy(alarm: UUID, call: Call) -> Reply:
        raise Locked

    async def drain(channel: str, stop: asyncio.Event) -> None:
        raise AssertionError(channel)

    environment = ActivityEnvironment()
    activities = Activities(lambda: busy, Clock(), drain, RELEASED, lambda: None)  # type: ignore[arg-type, return-value]
    delays = []
    for attempt in (1, 2, 100_000):
        environment.info = replace(environment.info, is_local=local, attempt=attempt)
        with pytest.raises(ApplicationError) as raised:
            await environment.run(activities.burst, str(uuid7()), 1, 1.8e9)
        assert (raised.value.type, raised.value.non_retryable) == ("Locked", local)
        delays.append(raised.value.next_retry_delay)
    assert delays == [RELEASED, 2 * RELEASED, LONGEST_LOCKED]
