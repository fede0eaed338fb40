"""What a person says on a preference centre, written in one transaction (PFC-2)."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from uuid_utils.compat import uuid7

from journeys.engine.clock import Clock
from journeys.engine.people.consents import share_consents
from journeys.engine.people.merged import lock_present
from journeys.engine.people.profiles import Profile, load
from journeys.engine.people.subscriptions import share_subscriptions, subscribing
from journeys.engine.people.user_updates import tell_of_consents
from journeys.engine.store.database import Database
from journeys.engine.workspaces.published import Publication


async def save_preferences(
    db: Database,
    publication: Publication,
    clock: Clock,
    person: UUID,
    consent: str | None,
    states: Mapping[str, str],
) -> Profile | None:
    """Set the state on e-mail, where one is said, and in these groups, for all who share the address.

    Returns the profile as it is then; None where there is nobody any more.
    """
    workspace, now = publication.workspace, clock.now()
    async with db.transaction() as connection:
        present = await lock_present(connection, workspace, person)
        if present is None:
            return None
        if consent is not None:
            said = (workspace, present, "email", consent, now)
            told = await share_consents(connection, [said], "preference_centre")
            await tell_of_consents(connection, publication.watched, told, f"preferences/{uuid7()}")
        rows, _ = subscribing(publication.groups, workspace, present, states, now)
        await share_subscriptions(connection, rows, "preference_centre")
        return (await load(connection, workspace, [present], consents=True))[present]
