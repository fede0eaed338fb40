"""What a user update step does to a profile: attributes set or incremented, events logged for a later transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from journeys.canvas.events_and_commands import Update
from journeys.canvas.frozen_model import is_liquid
from journeys.engine.content import Values, render_value
from journeys.engine.people.profiles import Profile

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


class _Left(Exception):
    """A call within a value failed: the value is not written (CXS-4)."""


def updated(
    profile: Profile, step: Any, update: Update, values: Values, hops: int
) -> tuple[Mapping[str, Any], Sequence[DerivedEvent]]:
    """The attributes after the update, and the events that it logs (UPD-1, UPD-5).

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

    attributes = dict(profile.attributes)
    for name, change in step.attributes.items():
        for value in _written(change, attributes.get(name), text):
            if value is None:
                attributes.pop(name, None)
            else:
                attributes[name] = value
    derived_events = []
    for place, event in enumerate(step.events):
        key = f"{update.key}/{place}"
        properties = {
            name: value for name, each in event.properties.items() for value in _written(each, None, text)
        }
        derived_events.append(
            DerivedEvent(profile.workspace, profile.id, key, event.name, update.at, properties, hops + 1)
        )
    return attributes, derived_events


def _written(change: Any, before: Any, text: Callable[[str], str]) -> Sequence[Any]:
    """What a change comes to: one value, or none where a call failed."""
    try:
        return [_changed(before, change, text)]
    except _Left:
        return []


def _changed(before: Any, change: Any, text: Callable[[str], str]) -> Any:
    """What the attribute comes to. An increment of something that is no number leaves it alone (ATT-3)."""
    increment = getattr(change, "increment", None)
    if increment is None:
        return _rendered(change, text)
    if before is None:
        return increment
    if isinstance(before, bool) or not isinstance(before, int | float):
        return before
    return before + increment


def _rendered(value: Any, text: Callable[[str], str]) -> Any:
    match value:
        case str():
            return text(value) if is_liquid(value) else value
        case Mapping():
            return {name: _rendered(each, text) for name, each in value.items()}
        case list() | tuple():
            return [_rendered(each, text) for each in value]
    return value


STORE_PROFILES = """
update people p set attributes = s.attributes, updated = clock_timestamp()
from unnest($1::int[], $2::uuid[], $3::jsonb[]) as s(workspace, id, attributes)
where (p.workspace, p.id) = (s.workspace, s.id)
"""

STORE_ECHOES = """
insert into echoes (workspace, person, key, name, at, properties, hops)
select * from unnest($1::int[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[], $6::jsonb[], $7::int[])
on conflict do nothing
"""


async def store_updates(
    connection: Any, changed: Collection[Profile], derived_events: Sequence[DerivedEvent]
) -> None:
    """Write the changed profiles and the events to come; the people are locked."""
    if changed:
        rows = [(profile.workspace, profile.id, dict(profile.attributes)) for profile in changed]
        await connection.execute(STORE_PROFILES, *map(list, zip(*rows, strict=True)))
    if derived_events:
        events = [
            (e.workspace, e.person, e.key, e.name, e.at, dict(e.properties), e.hops) for e in derived_events
        ]
        await connection.execute(STORE_ECHOES, *map(list, zip(*events, strict=True)))
