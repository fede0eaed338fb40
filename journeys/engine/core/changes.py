"""Changes of a person as occurrences: which ones some canvas listens to, and what they were and are now. Pure.

What no canvas listens to is neither compared nor stored.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from journeys.canvas.change_triggers import ChangeTrigger
from journeys.canvas.events_and_commands import NOTHING, Kind, Occurrence
from journeys.canvas.plan import Plan
from journeys.engine.audience.match import Person, named
from journeys.engine.audience.operators import parts, same

MOST_TOLD = 2048
"""Bytes, as JSON, of a list or an object that is told of; of a larger one it is told that there is one."""

CREATED = "created"

Values = Callable[[str], Sequence[Any]]
"""The values of a person that the path of an attribute leads to."""

_encode = msgspec.json.Encoder().encode


class Change(NamedTuple):
    """What changed, and the values before and after; None: there was none, or is none any more (TRK-9)."""

    kind: Kind
    name: str
    before: Any = None
    after: Any = None

    @property
    def properties(self) -> Mapping[str, Any]:
        """What the occurrence tells."""
        if self.kind == "person":
            return NOTHING
        return {"before": _told(self.before), "after": _told(self.after)}

    def occurrence(self, no: int, at: datetime) -> Occurrence:
        """The change as something that happened."""
        return Occurrence(no=no, kind=self.kind, name=self.name, at=at, properties=self.properties)


def _told(value: Any) -> Any:
    if isinstance(value, Mapping | list | tuple) and len(_encode(value)) > MOST_TOLD:
        return {} if isinstance(value, Mapping) else []
    return value


@dataclass(frozen=True, slots=True)
class Watched:
    """The changes that some canvas listens to. `attributes`: their paths, by the name that each begins with."""

    attributes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    consents: frozenset[str] = frozenset()
    identifiers: frozenset[str] = frozenset()
    created: bool = False

    def values(self, names: Collection[str], of: Values) -> dict[str, Any]:
        """The value of everything that is listened to within these attributes, as it is now."""
        paths = [path for name in names if name in self.attributes for path in self.attributes[name]]
        paths += self.identifiers.intersection(names)
        return {path: next(iter(of(path)), None) for path in sorted(paths)}

    def changes(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
        """What is another value now: addresses and numbers that were added first, then attributes by their paths."""
        differing = [path for path, now in after.items() if not _alike(before.get(path), now)]
        added = [
            Change("identifier", name, before.get(name), after[name])
            for name in differing
            if name in self.identifiers and after[name] is not None
        ]
        return added + [
            Change("attribute", path, before.get(path), after[path])
            for path in differing
            if path in self.attributes.get(parts(path)[0][0], ())
        ]

    def consented(self, channel: str, before: str, after: str) -> list[Change]:
        """The change of a consent, where it is one that is listened to."""
        differs = channel in self.consents and before != after
        return [Change("consent", channel, before, after)] if differs else []

    def appeared(self, of: Values) -> list[Change]:
        """What there is to tell of a person who was created just now, with what they are known by."""
        known = self.values(("email", "phone"), of)
        return [*([Change("person", CREATED)] if self.created else []), *self.changes({}, known)]


def changes(listened: Watched, before: Person, after: Person) -> list[Change]:
    """What is listened to and differs between two states of one person: attributes, then consents."""
    names = [*listened.attributes, *listened.identifiers]
    told = listened.changes(listened.values(names, before.values), listened.values(names, after.values))
    for channel in sorted(listened.consents):
        told += listened.consented(channel, before.consent(channel), after.consent(channel))
    return told


def _alike(before: Any, after: Any) -> bool:
    return (before is None and after is None) or same(before, after)


UNWATCHED = Watched()


def watched(listened: Iterable[tuple[str, str | None]]) -> Watched:
    """What is listened to, by the kind and name of each."""
    named_: dict[str, set[str]] = {}
    for kind, name in listened:
        if name is not None:
            named_.setdefault(kind, set()).add(name)
    attributes: dict[str, frozenset[str]] = {}
    for path in named_.get("attribute", ()):
        head = parts(path)[0][0]
        attributes[head] = attributes.get(head, frozenset()) | {path}
    return Watched(
        attributes,
        frozenset(named_.get("consent", ())),
        frozenset(named_.get("identifier", ())),
        CREATED in named_.get("person", ()),
    )


def watched_by(plans: Iterable[Plan]) -> Watched:
    """What these plans listen to, by whatever part of them."""
    triggers: list[Any] = []
    for plan in plans:
        canvas = plan.canvas
        triggers += [canvas.schedule.trigger, *(each.trigger for each in canvas.exits)]
        triggers += [each.trigger for each in canvas.conversions]
        triggers += [trigger for step in plan.steps.values() for _, trigger in step.triggers()]
    return watched(named(trigger) for trigger in triggers if isinstance(trigger, ChangeTrigger))
