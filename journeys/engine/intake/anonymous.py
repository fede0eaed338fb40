"""Anonymous people who turn out to be people who are known already: what they were becomes theirs (IDN-13)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from journeys.engine.intake.merging import merge
from journeys.engine.people.identity import NAMED, Identifier
from journeys.engine.ports import PendingAlarm
from journeys.engine.workspaces.published import Publication, Published


async def join(
    connection: Any,
    publication: Publication,
    published: Published,
    links: Mapping[Identifier, Identifier],
    found: dict[Identifier, UUID],
    now: datetime,
) -> list[PendingAlarm]:
    """Merge the anonymous people of these links into those with the external ids, and let `found` name who they are now.

    All are locked. Somebody who has an external id of their own stays who they are (IDN-19), and so does whoever is held
    out of merges. Returns whom to inform after the commit.
    """
    pairs = [
        (found[anonymous], found[external])
        for external, anonymous in links.items()
        if external in found and anonymous in found and found[anonymous] != found[external]
    ]
    if not pairs:
        return []
    rows = await connection.fetch(NAMED, publication.workspace, [gone for gone, _ in pairs])
    free = {row["id"] for row in rows if row["external_id"] is None}  # IDN-19
    alarms: list[PendingAlarm] = []
    for gone, kept in pairs:
        if gone not in free:
            continue
        free.discard(gone)
        done = await merge(connection, publication, published, gone, kept, now)
        if done.declined is None:
            found.update({one: kept for one, person in found.items() if person == gone})
            alarms += done.pending_alarms
    return alarms
