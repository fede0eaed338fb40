"""What the store keeps of people and entries, kept in memory for one test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any
from uuid import UUID

from journeys.canvas.events_and_commands import Entry, Event, Occurrence
from journeys.canvas.plan import Plan
from journeys.canvas.wall_clock import plus
from journeys.engine.audience.match import Needs, Said
from journeys.engine.audience.tallies import Tally, times_of
from journeys.engine.clock import Clock
from journeys.engine.core.routing import Window
from journeys.engine.delivery.channel import Content
from journeys.engine.delivery.claim import Claimed
from journeys.engine.delivery.tracking_links import Mark
from journeys.engine.entries.entry_transaction import LoadedEntry
from journeys.engine.entries.others_waiting import waits
from journeys.engine.entries.reading import Beside, Place, Waiter
from journeys.engine.people.profiles import History, Profile


class VirtualClock(Clock):
    """A clock that stands where the test has got to."""

    def __init__(self, at: datetime) -> None:
        super().__init__()
        object.__setattr__(self, "at", at)

    def now(self) -> datetime:
        """The instant in the test."""
        found: datetime = self.at  # type: ignore[attr-defined]
        return found

    def turn(self, at: datetime) -> None:
        """Go on to an instant; never back."""
        object.__setattr__(self, "at", max(at, self.now()))


@dataclass(frozen=True, slots=True)
class StoredFact:
    """A fact as the store has it."""

    person: UUID
    entry: UUID | None
    canvas: str | None
    fact: str
    at: datetime
    step: str | None
    data: Mapping[str, Any]


@dataclass(slots=True)
class Held:
    """An entry, and what it has not heard: rows of number, step and event."""

    loaded: LoadedEntry
    admission_key: str
    inbox: list[tuple[int, str | None, Event]] = field(default_factory=list)
    alarm: datetime | None = None

    @property
    def entry(self) -> Entry:
        """The entry as it stands."""
        return self.loaded.case.entry

    @property
    def plan(self) -> Plan:
        """The plan that it goes by."""
        return self.loaded.case.plan

    @property
    def id(self) -> UUID:
        """The entry's id."""
        return self.loaded.id


@dataclass(slots=True)
class Queued:
    """A dispatch that has not been settled, and the instant before which it does not leave."""

    claimed: Claimed
    channel: str
    not_before: datetime


@dataclass(frozen=True, slots=True)
class Caught:
    """A message that a provider was given."""

    mark: Mark
    at: datetime
    to: str
    key: str
    content: Content
    extras: Mapping[str, str]


@dataclass(slots=True)
class Memory:
    """All of it."""

    people: dict[UUID, Profile] = field(default_factory=dict)
    events: dict[UUID, list[Occurrence]] = field(default_factory=dict)
    entries: list[Held] = field(default_factory=list)
    facts: list[StoredFact] = field(default_factory=list)
    windows: dict[UUID, list[Window]] = field(default_factory=dict)
    queued: list[Queued] = field(default_factory=list)
    caught: list[Caught] = field(default_factory=list)
    hearings: dict[Place, UUID] = field(default_factory=dict)
    places: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many places of entry limits are taken, by canvas and period."""

    def of(self, person: UUID) -> list[Held]:
        """The entries of a person, the earliest first."""
        mine = [one for one in self.entries if one.entry.person == str(person)]
        return sorted(mine, key=lambda one: (one.entry.entered, one.id))

    def facts_of(self, entry: UUID) -> list[StoredFact]:
        """The facts of an entry, in order."""
        return [each for each in self.facts if each.entry == entry]

    def share(self, person: UUID, channel: str, state: str) -> list[tuple[Profile, str]]:
        """Set a consent; one to e-mail for all who share the address (PRF-5). Returns those people, with their states before."""
        one, before = self.people[person], list[tuple[Profile, str]]()
        for each in self.people.values():
            shares = channel == "email" and one.email is not None and each.email == one.email
            if each is one or shares:
                before.append((each, each.consents.get(channel, "subscribed")))  # SUB-1
                each.consents = {**each.consents, channel: state}
        return before

    def subscribe(self, person: UUID, group: str, channel: str, state: str) -> None:
        """Set a state in a group: by e-mail for all who share the address, else the number (PRF-5)."""
        one, said = self.people[person], Said(channel, state)
        name = "email" if channel == "email" else "phone"
        for each in self.people.values():
            shares = getattr(one, name) is not None and getattr(each, name) == getattr(one, name)
            if each is one or shares:
                each.subscriptions = {**each.subscriptions, group: said}

    def bounce(self, channel: str, address: str) -> None:
        """Let an address be one that does not exist, whoever has it (EML-8)."""
        name = "email" if channel == "email" else "phone"
        for each in self.people.values():
            if getattr(each, name) == address:
                each.bounced |= {channel}


@dataclass(frozen=True, slots=True)
class MemoryReading:
    """Reads from memory what a transaction reads from the store. Profiles have their consents all the time."""

    memory: Memory

    async def history(
        self,
        workspace: int,
        asked: Mapping[UUID, tuple[Needs, datetime]],
        but: Mapping[UUID, int | None] = MappingProxyType({}),
    ) -> Mapping[UUID, History]:
        """See base class."""
        del workspace
        return {
            person: _history(self.memory.events.get(person, ()), needs, until, but.get(person))
            for person, (needs, until) in asked.items()
        }

    async def consents(self, workspace: int, profiles: Iterable[Profile]) -> None:
        """See base class."""

    async def holders(self, places: Sequence[Place]) -> Mapping[Place, UUID]:
        """See base class."""
        return {place: self.memory.hearings[place] for place in places if place in self.memory.hearings}

    async def waiting(self, asked: Sequence[Waiter]) -> Sequence[Beside]:
        """See base class."""
        return [
            Beside(waiter, one.id, one.entry)
            for waiter in asked
            for one in self.memory.of(waiter[1])
            if one.entry.canvas == waiter[2] and waits(one.entry)
        ]


def _history(events: Sequence[Occurrence], needs: Needs, until: datetime, but: int | None) -> History:
    kept: dict[int, Occurrence] = {}
    for (kind, name), past in needs.history.items():
        since = None if past.since is None else plus(until, -past.since)
        fitting = [
            each
            for each in events
            if each.kind == kind
            and name in (None, each.name)
            and each.at <= until
            and (since is None or each.at >= since)
        ]
        fitting.sort(key=lambda each: each.at)
        kept |= {each.no: each for each in (fitting if past.most is None else fitting[-past.most :])}
    found: dict[tuple[str, str], list[Occurrence]] = {}
    for _, each in sorted(kept.items()):
        found.setdefault((each.kind, each.name), []).append(each)
    known = History(found)
    known.tallies = {of: _tally(events, *of, until, but) for of in needs.counted}
    return known


def _tally(
    events: Sequence[Occurrence], kind: str, name: str | None, until: datetime, but: int | None
) -> Tally:
    done = [each for each in events if each.kind == kind and name in (None, each.name) and each.at <= until]
    last = max((each.at for each in done), default=None)
    return Tally(sum(times_of(each) for each in done if each.no != but), last if but is None else None)


NO_GRACE = timedelta(0)
"""In a test nothing is on its way when a deadline comes."""
