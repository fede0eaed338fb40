"""Subscribes people to groups and unsubscribes them, with all who share their address or number (CNS-5, CNS-6, CNS-9)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from journeys.canvas.subscription_groups import SubscriptionGroup
from journeys.engine.audience.match import Said
from journeys.engine.people.consents import Source
from journeys.engine.people.identity import Identifier, find
from journeys.engine.people.profiles import lock
from journeys.engine.people.subscriptions import store_subscriptions
from journeys.engine.store.database import Database, Moved


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Whom to set to which state in a group. Addresses and numbers are in the form in which they are kept."""

    group: SubscriptionGroup
    state: str
    external_ids: Collection[str] = ()
    emails: Collection[str] = ()
    phones: Collection[str] = ()


REACHED = """
select id, email, phone from people where workspace = $1 and id = any($2::uuid[])
union select id, email, phone from people where workspace = $1 and email = any($3::text[])
union select id, email, phone from people where workspace = $1 and phone = any($4::text[])
"""


async def change_subscriptions(
    db: Database, workspace: int, changes: Sequence[Change], now: datetime, source: Source
) -> None:
    """Set the states, in the order of the changes. Whom nobody knows is passed over: nobody is made by this.

    Of a group for e-mail all who share an address are set alike, of other channels all who share a number (CNS-9).
    """

    async def work(connection: Any) -> None:
        meant = await _meant(connection, workspace, changes)
        people = {person for person, _ in meant}
        await lock(connection, workspace, people)
        again = await _meant(connection, workspace, changes)
        if not {person for person, _ in again} <= people:
            raise Moved
        await store_subscriptions(connection, workspace, again, now, source)

    await db.anew(work)


async def _meant(connection: Any, workspace: int, changes: Sequence[Change]) -> dict[tuple[UUID, str], Said]:
    """The states by person and group; the last that is said of one counts."""
    named = {Identifier("external_id", one) for change in changes for one in change.external_ids}
    found = {one.value: person for one, person in (await find(connection, workspace, named)).items()}
    rows = await connection.fetch(
        "select id, email, phone from people where workspace = $1 and id = any($2::uuid[])",
        workspace,
        list(found.values()),
    )
    known = {row["id"]: row for row in rows}
    wanted: list[tuple[Change, set[UUID], set[str], set[str]]] = []
    for change in changes:
        people = {found[one] for one in change.external_ids if one in found} & known.keys()
        emails, phones = set(change.emails), set(change.phones)
        if change.group.channel == "email":
            emails |= {known[one]["email"] for one in people} - {None}  # CNS-9
        else:
            phones |= {known[one]["phone"] for one in people} - {None}  # CNS-9
        wanted.append((change, people, emails, phones))
    rows = await connection.fetch(
        REACHED,
        workspace,
        list(known),
        sorted({one for _, _, emails, _ in wanted for one in emails}),
        sorted({one for _, _, _, phones in wanted for one in phones}),
    )
    states: dict[tuple[UUID, str], Said] = {}
    for change, people, emails, phones in wanted:
        for row in rows:
            if row["id"] in people or row["email"] in emails or row["phone"] in phones:
                states[row["id"], change.group.name] = Said(change.group.channel, change.state)
    return states
