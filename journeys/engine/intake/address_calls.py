"""What calls say of e-mail addresses and numbers, for all who have them: states, the block list, marks taken away."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from journeys.engine.people.addresses import clear_bounces, clear_spam, note_bounces, note_states
from journeys.engine.people.consents import share_consents
from journeys.engine.people.profiles import lock
from journeys.engine.people.user_updates import tell_of_consents
from journeys.engine.store.database import Database, Moved
from journeys.engine.workspaces.published import Publication

HAVING = {
    "email": "select id from people where workspace = $1 and email = any($2::text[])",
    "sms": "select id from people where workspace = $1 and phone = any($2::text[])",
}
"""Those who have one of these addresses, by channel."""

Work = Callable[[Any, set[UUID]], Awaitable[None]]


async def set_states(
    db: Database, publication: Publication, addresses: Collection[str], state: str, now: datetime
) -> None:
    """Set the consent to e-mail of all who have these addresses, and of those who will (EML-5)."""

    async def work(connection: Any, people: set[UUID]) -> None:
        await note_states(connection, publication.workspace, addresses, state, now)
        await _set(connection, publication, people, state, now)

    await _locked(db, publication.workspace, "email", addresses, work)


async def block(db: Database, publication: Publication, addresses: Collection[str], now: datetime) -> None:
    """Unsubscribe these addresses, and let nothing be sent to them any more (EML-6)."""

    async def work(connection: Any, people: set[UUID]) -> None:
        await note_states(connection, publication.workspace, addresses, "unsubscribed", now)
        bounces = [("email", one) for one in addresses]
        await note_bounces(connection, publication.workspace, bounces, now, "rest")
        await _set(connection, publication, people, "unsubscribed", now)

    await _locked(db, publication.workspace, "email", addresses, work)


async def remove_bounces(
    db: Database, workspace: int, channel: str, addresses: Collection[str], now: datetime
) -> None:
    """Let these addresses be sent to again (EML-3, EML-7)."""

    async def work(connection: Any, people: set[UUID]) -> None:
        del people
        await clear_bounces(connection, workspace, channel, addresses, now)

    await _locked(db, workspace, channel, addresses, work)


async def remove_spam(db: Database, workspace: int, addresses: Collection[str], now: datetime) -> None:
    """Take the spam marks of those who have these addresses away (EML-4)."""

    async def work(connection: Any, people: set[UUID]) -> None:
        del people
        await clear_spam(connection, workspace, addresses, now)

    await _locked(db, workspace, "email", addresses, work)


async def _set(
    connection: Any, publication: Publication, people: set[UUID], state: str, now: datetime
) -> None:
    """Set the consents, which are heard of in a later transaction (TRK-9)."""
    said = [(publication.workspace, one, "email", state, now) for one in sorted(people)]
    told = await share_consents(connection, said, "rest")
    await tell_of_consents(connection, publication.watched, told, f"addresses/{uuid7()}")


async def _locked(db: Database, workspace: int, channel: str, addresses: Collection[str], work: Work) -> None:
    """Do it in one transaction in which all who have these addresses are locked."""

    async def attempt(connection: Any) -> None:
        people = await _having(connection, workspace, channel, addresses)
        await lock(connection, workspace, people)
        again = await _having(connection, workspace, channel, addresses)
        if not again <= people:
            raise Moved
        await work(connection, again)

    await db.anew(attempt)


async def _having(connection: Any, workspace: int, channel: str, addresses: Collection[str]) -> set[UUID]:
    return {row["id"] for row in await connection.fetch(HAVING[channel], workspace, list(addresses))}
