"""The database is away when a message has just been handed over: what this process knows of it is not in doubt.

And the provider is away: no message is lost by it, or counts as tried."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from datetime import timedelta

import asyncpg
import pytest

from journeys.channels.base import Receipt, Recipient
from journeys.channels.email import Email, EmailContent, SmtpSettings
from journeys.channels.mailbox import Mailbox
from journeys.engine.delivery import claim, delivery_worker, providers
from journeys.engine.delivery.delivery_worker import DeliveryWorker
from journeys.engine.outages import Outages
from journeys.engine.ports import NullNotifier
from journeys.engine.store import Database
from journeys.engine.store.database import PASSING
from journeys.engine.workspaces.published import Published
from tests.lines import Line
from tests.stage import EMAIL, Stage, canvas, stage_on

MAIL = canvas("  - {type: message, id: hello, channel: email, template: hello}") + EMAIL


class CutsWhileCalled(Email):
    """Mail by a server that takes the first, and meanwhile the database goes away for a moment."""

    def __init__(self, settings: SmtpSettings, line: Line, away: float) -> None:
        super().__init__(settings)
        self.line, self.away = line, away
        self.was_cut = False
        self.cutting: asyncio.Task[None] | None = None

    async def deliver(self, content: EmailContent, to: Recipient, key: str) -> Receipt:
        """Hand it over, and cut the way to the database."""
        receipt = await super().deliver(content, to, key)
        if not self.was_cut:
            self.was_cut = True
            await self.line.cut()
            self.cutting = asyncio.create_task(self._join())
        return receipt

    async def _join(self) -> None:
        await asyncio.sleep(self.away)
        await self.line.join()


async def way_to(db: Database) -> tuple[Line, str]:
    """A way to the database that can be cut, and its URL."""
    there = await asyncpg.connect(db.url)
    [row] = await there.fetch("show unix_socket_directories")
    name, user = await there.fetchrow("select current_database(), current_user")
    line = Line("", f"{row[0]}/.s.PGSQL.{await there.fetchval('show port')}")
    await there.close()
    return line, f"postgresql://{user}@127.0.0.1:{line.port}/{name}?sslmode=disable"


async def drained(stage: Stage, worker: DeliveryWorker, stop: asyncio.Event) -> None:
    """Drain as Temporal lets a worker do it: from the beginning after each failure."""
    while not stop.is_set():
        with suppress(*PASSING):
            await worker.drain("email", stop)
        await asyncio.sleep(0.1)


@pytest.mark.parametrize("away", [0.5, 2.5])
async def test_what_was_handed_over_while_the_database_was_away_is_settled_once_it_is_back(
    db: Database, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch, away: float
) -> None:
    """Also where the lease of the call has run out meanwhile, and the drain has begun anew."""
    monkeypatch.setattr(claim, "LEASE", timedelta(seconds=1))
    monkeypatch.setattr(delivery_worker, "LEASE", timedelta(seconds=1))
    monkeypatch.setattr(delivery_worker, "TAKE_OVER", 1.0)
    stage = await stage_on(db, MAIL)
    for no in range(6):
        [entry] = await stage.enter(await stage.person(email=f"p{no}@example.com"))
        await stage.burst(entry)
    line, url = await way_to(db)
    await line.join()
    channel = CutsWhileCalled(SmtpSettings(host="127.0.0.1", port=mailbox.port), line, away)
    stop = asyncio.Event()
    async with Database.at(url) as cut:
        parts = (cut, Published(cut), stage.clock, NullNotifier(), NullNotifier())
        async with DeliveryWorker(*parts, {"email": channel}) as worker:
            draining = asyncio.create_task(drained(stage, worker, stop))

            await stage.until(stage.none_left, "all to be settled", 60)
            stop.set()
            await draining
    await line.cut()

    got = Counter(mail.recipients[0] for mail in mailbox.mails)
    assert got == {f"p{no}@example.com": 1 for no in range(6)}
    facts = Counter(row["fact"] for row in await db.pool.fetch("select fact from facts"))
    assert facts["sent"] == 6
    assert facts["in_doubt"] == 0


class Counting(Email):
    """Mail, and how often it was tried."""

    tries = 0

    async def deliver(self, content: EmailContent, to: Recipient, key: str) -> Receipt:
        """Hand it over."""
        self.tries += 1
        return await super().deliver(content, to, key)


async def test_while_the_mail_server_is_away_one_mail_at_a_time_tries_it_and_none_is_lost(
    db: Database, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """However often it was tried; when it is back all leave at once, those that came meanwhile too."""
    monkeypatch.setattr(providers, "OUTAGES", Outages())
    monkeypatch.setattr(providers, "PROBE", 0.05)
    monkeypatch.setattr(delivery_worker, "POLL", 0.02)
    stage = await stage_on(db, MAIL)
    for no in range(30):
        [entry] = await stage.enter(await stage.person(email=f"p{no}@example.com"))
        await stage.burst(entry)
    line = Line("127.0.0.1", mailbox.port)
    channel = Counting(SmtpSettings(host="127.0.0.1", port=line.port, lanes=4))
    stop = asyncio.Event()
    parts = (db, Published(db), stage.clock, NullNotifier(), NullNotifier())
    async with DeliveryWorker(*parts, {"email": channel}) as worker:
        draining = asyncio.create_task(worker.drain("email", stop))

        async def tried_often() -> bool:
            return channel.tries >= 12

        await stage.until(tried_often, "it to be tried", 60)
        waiting = await db.pool.fetch(
            "select distinct state, attempts, waits from dispatches where claim is null"
        )
        facts = await db.pool.fetch("select fact from facts where fact in ('sent', 'failed', 'in_doubt')")
        await line.join()

        await stage.until(stage.none_left, "all to be settled", 60)
        stop.set()
        await draining
    await line.cut()

    assert [tuple(row) for row in waiting] == [("queued", 0, 0)]
    assert facts == []
    assert Counter(mail.recipients[0] for mail in mailbox.mails) == {
        f"p{no}@example.com": 1 for no in range(30)
    }
    told = [one for one in caplog.records if getattr(one, "event", "") in ("gone", "back")]
    said = [one.event for one in told if one.said["what"] == "email"]  # type: ignore[attr-defined]
    assert said == ["gone", "back"]


async def test_a_mail_in_doubt_is_in_doubt_still_when_the_mail_server_was_away(
    db: Database, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What its former worker did with it nobody knows, though the next could not try it."""
    monkeypatch.setattr(providers, "PROBE", 0.0)
    stage = await stage_on(db, MAIL)
    [entry] = await stage.enter(await stage.person(email="mel@example.com"))
    await stage.burst(entry)
    await db.pool.execute(
        "update dispatches set state = 'calling', lease = clock_timestamp() - interval '1 hour'"
    )
    parts = (db, Published(db), stage.clock, NullNotifier(), NullNotifier())
    for port in (1, mailbox.port):
        channel = Email(SmtpSettings(host="127.0.0.1", port=port))
        async with DeliveryWorker(*parts, {"email": channel}) as worker:
            assert await worker.drain_once("email") == 1

    facts = Counter(row["fact"] for row in await db.pool.fetch("select fact from facts"))
    assert (facts["sent"], facts["in_doubt"], len(mailbox.mails)) == (1, 1, 1)
