"""`/users/track`: attributes, events and purchases of many people, in one transaction (TRK-1 to TRK-10)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, cast
from uuid import UUID

from journeys.canvas.never_matching import CONSENTS
from journeys.canvas.storable_characters import storable
from journeys.engine.clock import Clock
from journeys.engine.core.changes import Change, Watched
from journeys.engine.entries.event_recording import NewEvent, record
from journeys.engine.entries.routing import Routed
from journeys.engine.intake.anonymous import join
from journeys.engine.intake.idempotency import Reply, claim, fill
from journeys.engine.intake.shared_addresses import sharing
from journeys.engine.intake.track_objects import ARRAYS, Item, Objects, read, remark, remarks
from journeys.engine.large_requests import apart
from journeys.engine.metrics import OBJECTS, counted
from journeys.engine.people.addresses import states_of_addresses
from journeys.engine.people.consents import store_consents
from journeys.engine.people.identity import Identifier, lock_known, resolve
from journeys.engine.people.known_names import Name, note, of_events, type_of
from journeys.engine.people.profile_writes import store_profiles
from journeys.engine.people.profiles import Profile, load, read_consents
from journeys.engine.people.standard_attributes import Changed, apply
from journeys.engine.people.subscriptions import Subscribing, share_subscriptions, subscribing
from journeys.engine.ports import AlarmSync, Notifier, PendingAlarm, tell
from journeys.engine.store.database import Database, Undone
from journeys.engine.store.stored_objects import unread
from journeys.engine.workspaces.published import Publication, Published

MOST = 75
"""The maximum number of objects of each kind in one request (D1)."""

HEAVY = 64 * 1024
"""Bytes of stored attributes that are read in a thread."""

NO_SUCH_ID = "there is no person with this 'braze_id'"


@dataclass(slots=True)
class Tracked:
    """What became of a request: how many objects of each array were taken, and why others were not."""

    taken: dict[str, int] = field(default_factory=dict)
    errors: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[dict[str, Any]] = field(default_factory=list)
    """What was refused within an object that was taken."""
    people: frozenset[UUID] = frozenset()
    """The people that the request touched."""
    created: frozenset[UUID] = frozenset()
    """Those of them who were made by it."""
    names: dict[Name, str | None] = field(default_factory=dict)
    """The names of events, products and attributes that it wrote, to be noted."""
    earlier: Reply | None = None
    """The answer that was given earlier to a call with this key: then nothing was done now."""

    def said(self) -> dict[str, Any]:
        """What the sender is answered where something was taken: the counts, and what was refused."""
        counts = {f"{name}_processed": count for name, count in self.taken.items()}  # TRK-4
        errors = sorted(  # TRK-5
            [*self.errors, *self.warnings],
            key=lambda each: (
                (ARRAYS.index(each["input_array"]), each["index"]) if "index" in each else (-1, 0)
            ),
        )
        return {"message": "success", **counts, **({"errors": errors} if errors else {})}  # TRK-4, TRK-5


@dataclass(slots=True)
class Written:
    """What one transaction wrote: its people, locked, as they are now; and whom to inform after the commit."""

    tracked: Tracked
    people: Mapping[Identifier, UUID]
    profiles: Mapping[UUID, Profile]
    routed: Routed


async def track(
    db: Database,
    published: Published,
    clock: Clock,
    alarm_sync: AlarmSync,
    notifier: Notifier,
    workspace: int,
    body: Mapping[str, Sequence[Any]],
    reply: Reply | None = None,
    *,
    preview: bool = False,
    alike: bool = True,
    besides: Sequence[dict[str, Any]] = (),
) -> Tracked:
    """Take a request whose arrays are lists: attributes first, then events, then purchases (TRK-3).

    An object that is not valid does not affect others. When this returns, all that was taken can be read (API-5). The
    number of statements does not grow with the number of objects. With a `reply` that was given earlier nothing is
    done, and it is in the result. A `preview` says what would become of it, and writes nothing. `alike` is
    that of `read`; `besides` is what there is to say of the request beside its arrays.
    """
    objects = await apart(partial(read, alike=alike), body)
    objects.warnings += besides
    tracked = await store(
        db, published, clock, alarm_sync, notifier, workspace, objects, reply, preview=preview
    )
    return tracked if preview or tracked.earlier is not None else measured(tracked)


async def store(
    db: Database,
    published: Published,
    clock: Clock,
    alarm_sync: AlarmSync,
    notifier: Notifier,
    workspace: int,
    objects: Objects,
    reply: Reply | None = None,
    *,
    preview: bool = False,
) -> Tracked:
    """Write what was read, in a transaction of its own, and tell whom it concerns. See `track`."""
    if not objects.items:
        return Tracked(objects.taken, objects.errors, objects.warnings)
    publication = await published.of(workspace)
    others = await sharing(db.pool, workspace, objects.items)

    async def work(connection: Any) -> Written | Reply:
        earlier = await claim(connection, reply)
        if earlier is not None:
            return earlier
        written = await write(connection, publication, published, clock, objects, others)
        await fill(connection, reply, storable(written.tracked.said()))
        if preview:
            raise Undone(written.tracked)
        return written

    try:
        written = await db.anew(work)
    except Undone as undone:
        return cast("Tracked", undone.seen)
    if isinstance(written, Reply):
        return Tracked(earlier=written)
    tell(written.routed, alarm_sync, notifier)
    await note(db, workspace, written.tracked.names)
    return written.tracked


def measured(tracked: Tracked) -> Tracked:
    """Count what was taken and what was refused."""
    for array, count in tracked.taken.items():
        counted(OBJECTS, count, array=array, result="accepted")
    for error in tracked.errors:
        counted(OBJECTS, array=str(error.get("input_array")), result="refused")
    return tracked


async def write(
    connection: Any,
    publication: Publication,
    published: Published,
    clock: Clock,
    objects: Objects,
    others: Iterable[Identifier] = (),
) -> Written:
    """Write what was read, within a transaction that has no locks yet. `others` are locked and loaded with it."""
    workspace, now = publication.workspace, clock.now()
    wanted: dict[Identifier, bool] = dict.fromkeys(others, False)
    links: dict[Identifier, Identifier] = {}
    for item in objects.items:
        wanted[item.who] = wanted.get(item.who, False) or item.makes
        if item.anonymous is not None:
            links.setdefault(item.who, item.anonymous)
    joined: list[PendingAlarm] = []
    created: frozenset[UUID] = frozenset()
    known = None if links else await lock_known(connection, workspace, wanted)
    if known is not None:
        found = {one: profile.id for one, profile in known.items()}
        profiles = {profile.id: profile for profile in known.values()}
    else:
        found, created = await resolve(connection, workspace, wanted, links)
        if links:
            joined = await join(connection, publication, published, links, found, now)  # IDN-13
        profiles = await load(connection, workspace, set(found.values()))
    taken = [item for item in objects.items if item.who in found]
    tracked = Tracked(objects.taken, objects.errors, list(objects.warnings), created=created)
    tracked.warnings += [
        remark(item.array, item.index, NO_SUCH_ID)
        for item in objects.items
        if item.who.sort == "braze_id" and item.who not in found
    ]
    tracked.people = frozenset(found[item.who] for item in taken)
    told = await _write_attributes(
        connection, publication, taken, found, profiles, tracked, now
    )  # ENT-20, ENT-23, TRK-3
    news = [NewEvent.of(profile, change, now) for profile, change in told]  # TRK-9
    news += [_new(item, profiles[found[item.who]], now) for item in taken if item.at is not None]  # TRK-3
    tracked.names |= of_events((new.kind, new.name) for new in news)
    routed = await record(connection, publication, published, clock, news)  # TRK-10
    routed.pending_alarms += joined
    return Written(tracked, found, profiles, routed)


async def _write_attributes(
    connection: Any,
    publication: Publication,
    items: Sequence[Item],
    found: Mapping[Identifier, UUID],
    profiles: Mapping[UUID, Profile],
    tracked: Tracked,
    now: datetime,
) -> list[tuple[Profile, Change]]:
    """Apply the attributes in their order, and write what they changed. Returns what is to be told of it, in order."""
    workspace, watched = publication.workspace, publication.watched
    if watched.consents and any(map(_consents, items)):
        await read_consents(connection, workspace, profiles.values())
    writing = _Writing(profiles, watched, tracked)
    subscriptions: list[Subscribing] = []
    addressed = set(tracked.created & profiles.keys())

    def apply_all() -> None:
        for person in sorted(tracked.created & profiles.keys()):
            profile = profiles[person]
            writing.told += [(profile, change) for change in watched.appeared(profile.values)]
        for item in items:
            if item.array == "attributes":
                profile = profiles[found[item.who]]
                result = writing.apply(item, profile)
                said, unknown = subscribing(
                    publication.groups, workspace, profile.id, result.subscriptions, now
                )
                subscriptions.extend(said)
                if "email" in result.names and profile.email is not None:
                    addressed.add(profile.id)
                tracked.warnings += remarks(item.array, item.index, unknown)  # TRK-5

    heavy = sum(unread(profiles[found[item.who]].attributes) for item in items if item.array == "attributes")
    await apart(apply_all, large=heavy > HEAVY or any(map(_selects, items)))
    await store_profiles(connection, writing.changed.values())
    for person, state in (await states_of_addresses(connection, workspace, addressed)).items():
        writing.adopts(profiles[person], state)  # PRF-4
    if writing.consents:
        await store_consents(connection, workspace, writing.consents, now)
    await share_subscriptions(connection, subscriptions, "rest")  # PRF-5
    return writing.told


def _consents(item: Item) -> bool:
    """Whether it sets a consent, or an address of which something was said."""
    return item.array == "attributes" and any(
        item.given.get(name) is not None for name in (*CONSENTS, "email")
    )


def _selects(item: Item) -> bool:
    """Whether it selects objects within what is stored: a short request may be much work then."""
    return item.array == "attributes" and any(
        isinstance(value, Mapping) and ("$update" in value or "$remove" in value)
        for value in item.given.values()
    )


@dataclass(slots=True)
class _Writing:
    """What the attributes of a request come to: whose profile is another now, which consents are set, what is told."""

    profiles: Mapping[UUID, Profile]
    watched: Watched
    tracked: Tracked
    changed: dict[UUID, Profile] = field(default_factory=dict)
    consents: dict[tuple[UUID, str], str] = field(default_factory=dict)
    told: list[tuple[Profile, Change]] = field(default_factory=list)

    def apply(self, item: Item, profile: Profile) -> Changed:
        """Apply one object, and note what was refused."""
        result = apply(profile, item.given)
        before = self.watched.values(result.names, profile.values)
        for column, value in result.columns.items():
            setattr(profile, column, value)
        profile.standard, profile.attributes = result.standard, result.custom
        if result.names:  # TRK-9
            self.changed[profile.id] = profile
            custom = {name: result.custom[name] for name in result.names if name in result.custom}
            self.tracked.names |= {("attribute", name): type_of(value) for name, value in custom.items()}
        changes = self.watched.changes(before, self.watched.values(result.names, profile.values))
        self.told += [(profile, change) for change in changes]  # TRK-9
        for channel, state in result.consents.items():
            for person in _alike(profile, channel, self.profiles):
                self._consents(self.profiles[person], channel, state)
        self.tracked.warnings += remarks(item.array, item.index, result.errors)  # TRK-5
        return result

    def adopts(self, profile: Profile, state: str) -> None:
        """Take over what was said of their address, unless this request says something of them (PRF-4)."""
        if (profile.id, "email") not in self.consents:  # PRF-4
            self._consents(profile, "email", state)

    def _consents(self, profile: Profile, channel: str, state: str) -> None:
        """Set a consent; the profile has it at once where anybody listens."""
        self.consents[profile.id, channel] = state
        if channel in self.watched.consents:
            before = profile.consents.get(channel, "subscribed")  # SUB-1
            self.told += [(profile, change) for change in self.watched.consented(channel, before, state)]
            profile.consents = {**profile.consents, channel: state}


def _alike(profile: Profile, channel: str, profiles: Mapping[UUID, Profile]) -> list[UUID]:
    """The person, and for e-mail all who share their address (PRF-5)."""
    if channel != "email" or profile.email is None:
        return [profile.id]
    return [other.id for other in profiles.values() if other.email == profile.email]  # PRF-5


def _new(item: Item, profile: Profile, now: datetime) -> NewEvent:
    """A time in the future becomes now (EVT-1)."""
    assert item.at is not None, "events and purchases have an instant"
    return NewEvent(
        profile=profile,
        kind="event" if item.array == "events" else "purchase",
        name=item.name,
        at=min(item.at, now),  # EVT-1
        properties=item.properties,
        event_id=item.event_id,
    )
