"""People who were merged into others: whoever comes with the id of one finds the other, for ever."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from journeys.engine.people.profiles import LOCK

INTO = "select old, new from merged where workspace = $1 and old = any($2::uuid[])"


async def merged_into(connection: Any, workspace: int, people: Collection[UUID]) -> dict[UUID, UUID]:
    """Of these people those who were merged into others, each with the one whom they are now. Locks nothing.

    Example:
        >>> await merged_into(connection, 1, [former, other])      # doctest: +SKIP
        {UUID('…former…'): UUID('…who they are now…')}
    """
    if not people:
        return {}
    return dict(await connection.fetch(INTO, workspace, list(people)))  # IDN-18


async def lock_present(connection: Any, workspace: int, person: UUID) -> UUID | None:
    """Lock a person, or whoever they were merged into; returns who that is, None where there is nobody.

    The first lock of a transaction: one person is locked at its end, whatever happened while it waited.
    """
    while not await connection.fetch(LOCK, workspace, [person]):
        now = (await merged_into(connection, workspace, [person])).get(person)
        if now is None:
            return None
        person = now
    return person
