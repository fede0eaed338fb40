"""What a person has after a call that waits for it: the attributes that it named, or how often they did what it told of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from journeys.canvas.never_matching import CONSENTS, CONTROL
from journeys.engine.intake.track_objects import KEYS
from journeys.engine.people.event_counts import counts_of
from journeys.engine.people.profile_export import instant
from journeys.engine.people.profiles import load
from journeys.engine.people.standard_attributes import COLUMNS, STANDARD

IDENTIFIERS = ("external_id", "user_alias", "braze_id", "anonymous_id", "email", "phone")
"""The strongest first (IDN-6)."""

NOT_CUSTOM = frozenset({*CONTROL, *COLUMNS, *CONSENTS, *STANDARD, *IDENTIFIERS})
MOST_SHOWN = 50
"""Attributes that are read one by one; where more are named, all are read."""

TOLD = {
    "events": ("custom_events", "event", "name"),
    "purchases": ("purchase_events", "purchase", "product_id"),
}
"""By array: where it is told, the kind of what happened, and the key that names it."""


async def result(
    connection: Any, workspace: int, person: UUID, array: str, given: Mapping[str, Any]
) -> dict[str, Any]:
    """The person as the call named them, with what it wrote of them as it is now (TRK-13).

    Of attributes the custom ones that it named, those that are there; a change that was refused shows the old value. Of an
    event or a purchase how often it was, and when first and last.
    """
    named = next(name for name in IDENTIFIERS if given.get(name) is not None)
    who = {named: given[named]}
    if array in KEYS:
        place, kind, key = TOLD[array]
        done = (await counts_of(connection, workspace, [person])).get(person, [])
        return who | {
            place: [
                {
                    key: one["name"],
                    "first": instant(one["first"]),
                    "last": instant(one["last"]),
                    "count": one["count"],
                }
                for one in done
                if (one["kind"], one["name"]) == (kind, given[key])
            ]
        }
    names = [name for name in given if name not in NOT_CUSTOM and "\0" not in name]
    few = names if len(names) <= MOST_SHOWN else None
    profiles = await load(connection, workspace, [person], attributes=few)
    have = profiles[person].attributes if person in profiles else {}
    return who | {"custom_attributes": {name: have[name] for name in names if name in have}}
