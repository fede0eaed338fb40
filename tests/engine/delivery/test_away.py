"""The database is away when a message has just been handed over: what this process knows of it is not in doubt."""

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
from journeys.engine.delivery import claim, delivery_worker
from journeys.engine.delivery.delivery_worker import DeliveryWorker
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

            async def none_left() -> bool:
                return not await db.pool.fetchval("select count(*) from dispatches")

            await stage.until(none_left, "all to be settled", 60)
            stop.set()
            await draining
    await line.cut()

    got = Counter(mail.recipients[0] for mail in mailbox.mails)
    assert got == {f"p{no}@example.com": 1 for no in range(6)}
    facts = Counter(row["fact"] for row in await db.pool.fetch("select fact from facts"))
    assert facts["sent"] == 6
    assert facts["in_doubt"] == 0
