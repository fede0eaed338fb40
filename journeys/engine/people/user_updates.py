"""Applies a user update step to a profile: sets or increments attributes, and logs events for a later transaction.

What it changes is told in that later transaction too, before its events (TRK-9).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from journeys.canvas.events_and_commands import Kind, Update
from journeys.canvas.frozen_model import is_liquid
from journeys.engine.content import Values, render_value
from journeys.engine.core.changes import UNWATCHED, Change, Watched
from journeys.engine.people.consents import ConsentChange, share_consents
from journeys.engine.people.profile_writes import store_profiles
from journeys.engine.people.profiles import Profile
from journeys.engine.people.standard_attributes import apply, fatal
from journeys.engine.people.subscriptions import Subscribing, share_subscriptions

MOST_HOPS = 20
"""An event that a canvas made may make a canvas make an event, and so on; the chain is cut after this many."""


@dataclass(frozen=True, slots=True)
class DerivedEvent:
    """An event that a burst made: stored with the burst, heard in a later transaction."""

    workspace: int
    person: UUID
    key: str
    name: str
    at: datetime
    properties: Mapping[str, Any]
    hops: int
    kind: Kind = "event"

    @classmethod
    def of(
        cls, workspace: int, person: UUID, key: str, change: Change, at: datetime, hops: int
    ) -> DerivedEvent:
        """A change that is told of."""
        return cls(workspace, person, key, change.name, at, change.properties, hops, change.kind)


class SaidConsent(NamedTuple):
    """A consent that an update sets. `key` and `hops` are the update's, for what is told of it."""

    workspace: int
    person: UUID
    channel: str
    state: str
    at: datetime
    key: str
    hops: int


class _Left(Exception):
    """A call within a value failed: the value is not written (CXS-4)."""


@dataclass(slots=True)
class Updated:
    """What came of an update: the profile has its new values, `changed` says whether any differs.

    `consents` are states by channel, `subscriptions` by the names or ids of groups, `refused` says of attributes that were not written why (ATT-1, NST-1).
    """

    changed: bool = False
    consents: Mapping[str, str] = field(default_factory=dict)
    subscriptions: dict[str, str] = field(default_factory=dict)
    refused: list[tuple[str, str]] = field(default_factory=list)
    events: list[DerivedEvent] = field(default_factory=list)


def update_profile(
    profile: Profile, step: Any, update: Update, values: Values, hops: int, watched: Watched = UNWATCHED
) -> Updated:
    """Write the attributes of an update into the profile, by the rules of `/users/track`, and log its events (UPD-1, UPD-5).

    Attributes and properties of events that hold a text whose call failed are left out. Raises `Aborted`, `RenderError`
    or `TemplateError` where a value's Liquid cannot be rendered: then nothing of the update is done (UPD-8).
    """

    def text(source: str) -> str:
        if not update.texts:
            return render_value(source, values)
        found = update.texts[source]
        if found is None:
            raise _Left
        return found

    given = {
        name: value
        for name, change in step.attributes.items()
        for value in _written(change, profile.attributes.get(name), text)
    }
    result = Updated()
    for place, event in enumerate(step.events):
        key = f"{update.key}/{place}"
        properties = {
            name: value for name, each in event.properties.items() for value in _written(each, None, text)
        }
        result.events.append(
            DerivedEvent(profile.workspace, profile.id, key, event.name, update.at, properties, hops + 1)
        )
    told = _apply(profile, given, result, watched)
    result.events[:0] = [
        DerivedEvent.of(
            profile.workspace, profile.id, f"{update.key}/change/{place}", change, update.at, hops + 1
        )
        for place, change in enumerate(told)
    ]
    return result


def _apply(profile: Profile, given: Mapping[str, Any], result: Updated, watched: Watched) -> list[Change]:
    """One attribute after the other: what is wrong with one leaves the others alone. Returns what is to be told."""
    consents: dict[str, str] = {}
    told: list[Change] = []
    for name, value in given.items():
        reasons = fatal({name: value})
        if reasons:
            result.refused += [(name, reason) for reason in reasons]
            continue
        changed = apply(profile, {name: value})  # UPD-1
        before = watched.values(changed.names, profile.values)
        for column, each in changed.columns.items():
            setattr(profile, column, each)
        profile.standard, profile.attributes = changed.standard, changed.custom
        told += watched.changes(before, watched.values(changed.names, profile.values))  # TRK-9
        consents |= changed.consents
        result.subscriptions |= changed.subscriptions
        result.refused += [(name, error) for error in changed.errors]
        result.changed = result.changed or bool(changed.names)
    result.consents = consents
    return told


def _written(change: Any, before: Any, text: Callable[[str], str]) -> Sequence[Any]:
    """The result of a change: one value; none where a call failed, or where no number is incremented (ATT-3)."""
    increment = getattr(change, "increment", None)
    if increment is not None:
        if isinstance(before, bool) or not isinstance(before, int | float | None):
            return []
        return [(before or 0) + increment]  # UPD-1
    try:
        return [_rendered(change, text)]
    except _Left:
        return []


def _rendered(value: Any, text: Callable[[str], str]) -> Any:
    match value:
        case str():
            return text(value) if is_liquid(value) else value  # UPD-3
        case Mapping():
            return {name: _rendered(each, text) for name, each in value.items()}  # UPD-3, UPD-5
        case list() | tuple():
            return [_rendered(each, text) for each in value]  # UPD-3
    return value


STORE_DERIVED_EVENTS = """
insert into echoes (workspace, person, key, name, at, properties, hops, kind)
select workspace, person, key, name, at, properties, hops, kind
from unnest($1::int[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[], $6::jsonb[], $7::int[], $8::text[])
    with ordinality as s(workspace, person, key, name, at, properties, hops, kind, place)
order by place
on conflict do nothing
"""


async def store_updates(
    connection: Any,
    changed: Collection[Profile],
    consents: Sequence[SaidConsent],
    subscriptions: Sequence[Subscribing],
    derived_events: Sequence[DerivedEvent],
    watched: Mapping[int, Watched],
) -> None:
    """Write the changed profiles, consents, states in groups and the events to come; the people are locked.

    `watched`: the changes that are listened to, by workspace.
    """
    await store_profiles(connection, changed)
    told = await share_consents(connection, [each[:5] for each in consents], "canvas")
    await share_subscriptions(connection, subscriptions, "canvas")  # PRF-5, UPD-1
    said = {(each.workspace, each.person, each.channel): each for each in consents}
    changes = [
        consent_event(each, change, *said[each.workspace, each.by, each.channel][5:])
        for each in told
        for change in watched[each.workspace].consented(each.channel, each.before, each.after)
    ]
    await store_derived_events(connection, [*derived_events, *changes])


def consent_event(said: ConsentChange, change: Change, key: str, hops: int) -> DerivedEvent:
    """What is told of a consent that an update, or another person with the same address, set."""
    return DerivedEvent.of(
        said.workspace, said.person, f"{key}/change/{said.channel}", change, said.at, hops + 1
    )


async def tell_of_consents(
    connection: Any, watched: Watched, told: Sequence[ConsentChange], key: str
) -> None:
    """Let changes of consents be heard in a later transaction, where anybody listens. `key`: of what changed them."""
    events = [
        consent_event(each, change, f"{key}/{each.person}", 0)
        for each in told
        for change in watched.consented(each.channel, each.before, each.after)
    ]
    await store_derived_events(connection, events)


async def store_derived_events(connection: Any, events: Sequence[DerivedEvent]) -> None:
    """Store what is to be heard in a later transaction."""
    if events:
        rows = [
            (e.workspace, e.person, e.key, e.name, e.at, dict(e.properties), e.hops, e.kind) for e in events
        ]
        await connection.execute(STORE_DERIVED_EVENTS, *map(list, zip(*rows, strict=True)))
