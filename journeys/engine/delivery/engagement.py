"""Opens, clicks and unsubscriptions: stored in the profile, and heard like all events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from journeys.engine.clock import Clock
from journeys.engine.content.size_limited_cache import Cache
from journeys.engine.delivery.tracking_links import Mark
from journeys.engine.entries.event_recording import NewEvent, record
from journeys.engine.people.consents import share_consents
from journeys.engine.people.merged import lock_present
from journeys.engine.people.profiles import load
from journeys.engine.people.user_updates import DerivedEvent, consent_event, store_derived_events
from journeys.engine.ports import AlarmSync, Notifier, tell
from journeys.engine.store.database import Database
from journeys.engine.workspaces.published import Published

TIMES = """
select count(*) from (
    select 1 from events e where (e.workspace, e.person, e.kind, e.name) = ($1, $2, 'message', $3)
        and e.at >= coalesce((select n.entered from entries n where (n.workspace, n.person, n.id) = ($1, $2, $6)), '-infinity')
        and e.properties->>'dispatch' = $4 limit $5) as counted
"""
"""Nobody opens a message before the entry that sent it."""

MOST_TIMES = 50
"""So often a message is opened or clicked; who asks more often is a machine."""

COUNTED: Cache[bool] = Cache(4 * 1024 * 1024, "counted_messages")
"""What was done with a message so often that it is not counted again: the database is not asked each time."""

UNSUBSCRIBED = """
select exists (select 1 from consents c where (c.workspace, c.person, c.channel, c.state) = ($1, $2, $3, 'unsubscribed'))
    and exists (select 1 from events e where (e.workspace, e.person, e.kind, e.name) = ($1, $2, 'message', 'unsubscribed')
        and e.at >= coalesce((select n.entered from entries n where (n.workspace, n.person, n.id) = ($1, $2, $5)), '-infinity')
        and e.properties->>'dispatch' = $4)
"""


async def engaged(
    db: Database,
    published: Published,
    clock: Clock,
    alarm_sync: AlarmSync,
    notifier: Notifier,
    mark: Mark,
    name: str,
    properties: Mapping[str, Any] | None = None,
) -> bool:
    """Store that a person opened, clicked, or unsubscribed, or whoever they were merged into. False if there is nobody any more.

    What was done with one message fifty times is not counted once more.
    An unsubscription sets the consent for the channel in the same transaction, by e-mail for all who share the address
    (PRF-5), and tells of it; who shares the address hears of it in a later transaction. One by a message by which the person has unsubscribed already changes nothing.
    """
    counted = f"{mark.workspace}/{mark.person}/{mark.dispatch}/{name}"
    if COUNTED.get(counted):
        return True
    publication = await published.of(mark.workspace)
    async with db.transaction() as connection:
        person = await lock_present(connection, mark.workspace, mark.person)
        if person is None:
            return False
        profile = (await load(connection, mark.workspace, [person]))[person]
        now = clock.now()
        news: list[NewEvent] = []
        elsewhere: list[DerivedEvent] = []
        times = (mark.workspace, person, name, mark.dispatch, MOST_TIMES, mark.entry)
        if name != "unsubscribed" and await connection.fetchval(TIMES, *times) >= MOST_TIMES:
            COUNTED.keep(counted, True, 2 * len(counted) + 300)  # noqa: FBT003 - it is the value
            return True
        if name == "unsubscribed":
            if await connection.fetchval(
                UNSUBSCRIBED, mark.workspace, person, mark.channel, mark.dispatch, mark.entry
            ):
                return True
            said_now = (mark.workspace, person, mark.channel, "unsubscribed", now)
            for each in await share_consents(connection, [said_now], "message"):
                for change in publication.watched.consented(each.channel, each.before, each.after):
                    if each.person == person:
                        news.append(NewEvent.of(profile, change, now))  # TRK-9
                    else:
                        elsewhere.append(consent_event(each, change, f"{mark.dispatch}/{name}", 0))
            await store_derived_events(connection, elsewhere)
        said = {**mark.properties, **(properties or {})}
        news.append(NewEvent(profile=profile, kind="message", name=name, at=now, properties=said))
        routed = await record(connection, publication, published, clock, news)
    tell(routed, alarm_sync, notifier)
    return True
