"""Reads the people of claimed messages, as they are at the moment of sending."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from uuid import UUID

from journeys.engine.delivery.claim import Claimed
from journeys.engine.people.merged import merged_into
from journeys.engine.people.profiles import Profile, load
from journeys.engine.store.database import Database


async def people_of(
    db: Database, workspace: int, ours: list[Claimed], attributes: Collection[str] | None
) -> tuple[list[Claimed], dict[UUID, Profile]]:
    """These messages with their people; of a person who was merged into another since, it is that one's now.

    `attributes`: the custom attributes that are read; None: all.
    """
    while True:
        people = {one.person for one in ours}
        profiles = await load(db.pool, workspace, people, consents=True, attributes=attributes)
        into = await merged_into(db.pool, workspace, people - profiles.keys())
        if not into:
            return ours, profiles
        ours = [replace(one, person=into.get(one.person, one.person)) for one in ours]
