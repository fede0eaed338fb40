"""Takes a stage through time, from alarm to alarm and from happening to happening, as workers would, without Temporal."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime
from typing import Any

from journeys.channels.base import Receipt, Recipient
from journeys.channels.email import Email, EmailContent, SmtpSettings
from tests.stage import Stage

Agenda = deque[tuple[datetime, Callable[[], Coroutine[Any, Any, Any]]]]
"""What happens when, in order."""

Settle = Callable[[], Awaitable[int]]
"""Delivers, hears and answers what there is now; returns how much that was."""

MOVED = "select id, turn from entries where ended is null and (told < turn or alarm_at <= $1)"
TOLD = """
update entries t set told = greatest(t.told, s.turn) from unnest($1::uuid[], $2::int[]) as s(id, turn) where t.id = s.id
"""
NEXT = "select min(alarm_at) from entries where ended is null"


class Handed(Email):
    """Email that goes to nobody: what would leave is kept, with its key. Some addresses refuse the message of a step."""

    def __init__(self) -> None:
        super().__init__(SmtpSettings(lanes=50))
        self.mails: list[tuple[str, str]] = []

    async def deliver(self, content: EmailContent, to: Recipient, key: str) -> Receipt:
        """See base class."""
        self.mails.append((key, content.subject))
        return Receipt("failed" if refuses(to.address, key.rpartition("/")[2]) else "sent")


def refuses(address: str | None, step: str) -> bool:
    """Whether the mail server of this address refuses the message of this step."""
    return f".refuses.{step}@" in (address or "")


async def rest(stage: Stage, settle: Settle) -> None:
    """Stay at this instant until nothing moves: each entry whose alarm rings, or that was moved, has its burst."""
    while True:
        rows = await stage.db.pool.fetch(MOVED, stage.clock.now())
        await asyncio.gather(*(stage.burst(row["id"], row["turn"]) for row in rows))
        await stage.db.pool.execute(TOLD, [row["id"] for row in rows], [row["turn"] for row in rows])
        if not rows and not await settle():
            return


async def go(stage: Stage, agenda: Agenda, settle: Settle, until: datetime | None = None) -> None:
    """Go on to this instant, or until nobody waits and nothing is to happen. Alarms go before what happens with them."""
    while True:
        await rest(stage, settle)
        alarm = await stage.db.pool.fetchval(NEXT)
        instants = [at for at in (alarm, agenda[0][0] if agenda else None) if at is not None]
        if not instants or (until and min(instants) > until):
            break
        stage.clock.turn(min(instants) - stage.clock.now())  # type: ignore[attr-defined]
        await rest(stage, settle)
        together = []
        while agenda and agenda[0][0] == stage.clock.now():
            together.append(agenda.popleft()[1]())
        await asyncio.gather(*together)
    if until:
        stage.clock.turn(until - stage.clock.now())  # type: ignore[attr-defined]
