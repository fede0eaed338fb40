"""What made-up people of a simulation do: by random numbers of a seed, and by what is known of them so far."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from journeys.canvas.events_and_commands import Entry, Left, Send, Update
from journeys.canvas.filters import (
    AllOf,
    AnyOf,
    AttributeFilter,
    BucketFilter,
    ConsentFilter,
    Filter,
    MessageFilter,
    NoneOf,
    SegmentFilter,
    SubscriptionFilter,
    Trigger,
)
from journeys.canvas.frozen_model import is_liquid
from journeys.canvas.never_matching import CONSENTS, GROUPS
from journeys.canvas.plan import Plan
from journeys.canvas.steps import Increment, UserUpdate
from journeys.engine.audience.match import Person, Said, matches, named
from journeys.engine.audience.operators import number
from journeys.engine.core.global_control import BUCKETS

ANYTHING = "purchase"
"""The name under which a rate is said of any purchase."""

REACTS = timedelta(days=3)
"""Within so long of a message made-up people open it, click, or unsubscribe."""


@dataclass(slots=True)
class MadeUp:
    """One made-up person: what is known of them, and what they will do.

    `longest` is the longest that their entry can last. `draw` gives their random numbers; `rates` are probabilities by the name of an event, product, engagement, segment or
    attribute; `happens` and `matches` hold where none is said.
    """

    plan: Plan
    person: Person
    starts: datetime
    longest: timedelta
    draw: Callable[..., float]
    rates: Mapping[str, float]
    happens: float
    matching: float
    segments: Mapping[str, Filter] = field(default_factory=dict)
    sends: dict[str, datetime] = field(default_factory=dict)
    refused: bool = False
    """Whether a gate keeps them out."""

    def __post_init__(self) -> None:
        self.person = replace(self.person, bucket=int(self.draw("bucket") * BUCKETS))

    def notes(self, command: Any) -> None:
        """Remember what was sent to them."""
        if isinstance(command, Send):
            self.sends.setdefault(command.step, command.at)

    def match(self, what: Filter, now: datetime, *names: str) -> bool:
        """Whether they match a filter: as what is known of them says, else by a random number of these names."""
        known = self._known(what, now)
        return self.draw(*names) < self.rates.get(_name(what), self.matching) if known is None else known

    def leaves_by(self, filters: Sequence[Filter], now: datetime) -> int | None:
        """The first of these exits by audience that they match at this instant (EXT-6)."""
        for place, each in enumerate(filters):
            found = self._known(each, now)
            if found is None:
                names = ("exit", str(place))
                begins = self.starts + self.longest * self.draw(*names, "when")
                found = self.draw(*names) < self.rates.get(_name(each), self.happens) and begins <= now
            if found:
                return place
        return None

    def leaves(self, entry: Entry, until: datetime) -> Left | None:
        """The first exit by an event that they meet before this instant; None: none."""
        if entry.leaving is not None:
            return None
        found = [
            (at, place, leaving)
            for place, leaving in enumerate(self.plan.canvas.event_exits)
            if leaving.trigger is not None
            and (at := self._does(leaving.trigger, self.longest)) is not None
            and entry.moved <= at < until
        ]
        if not found:
            return None
        at, _, leaving = min(found, key=lambda each: each[:2])
        return Left(reason="exit_event", at=at, at_once=leaving.at_once)  # EXT-5, X1

    def converts(self) -> Iterator[str]:
        """The conversions that they make within their windows (CNV-4)."""
        for conversion in self.plan.canvas.conversions:
            at = self._does(conversion.trigger, conversion.within)
            if at is not None and at < self.starts + conversion.within:
                yield conversion.name

    def _does(self, trigger: Trigger, within: timedelta) -> datetime | None:
        """When they do what is listened to: once, within the longest time in which the canvas listens; None: never."""
        kind, name = named(trigger)
        key = (kind, name or ANYTHING)
        if self.draw("does", *key) >= self.rates.get(key[1], self.happens):
            return None
        share = self.draw("does", *key, "when")
        if kind != "message":
            listened = [
                each.within for each in self.plan.canvas.conversions if named(each.trigger) == (kind, name)
            ]
            return self.starts + max([within, *listened]) * share
        step = getattr(trigger, "step", None)
        sent = self.sends.get(step) if step else min(self.sends.values(), default=None)
        return None if sent is None else sent + REACTS * share

    def _known(self, what: Filter, now: datetime) -> bool | None:
        """Whether they match, as far as it follows from what is known of them; None: it does not."""
        match what:
            case AllOf(all=several) | AnyOf(any=several) | NoneOf(none=several):
                parts = [self._known(each, now) for each in several]
                decisive = not isinstance(what, AllOf)
                found = decisive if decisive in parts else None if None in parts else not decisive
                return not found if isinstance(what, NoneOf) and found is not None else found
            case SegmentFilter(segment=name) if name in self.segments:
                inner = {key: each for key, each in self.segments.items() if key != name}
                return replace_segments(self, inner)._known(self.segments[name], now)  # noqa: SLF001 - itself
            case MessageFilter(step=step) if step in self.plan.steps and step not in self.sends:
                return False
            case AttributeFilter(attribute=path) if self.person.values(path):
                return matches(what, self.person, now=now)
            case ConsentFilter(consent=channel) if channel in self.person.consents:
                return matches(what, self.person, now=now)
            case SubscriptionFilter(subscription=group) if group in self.person.subscriptions:
                return matches(what, self.person, now=now)
            case BucketFilter():
                return matches(what, self.person, now=now)
        return None


def replace_segments(one: MadeUp, segments: Mapping[str, Filter]) -> MadeUp:
    """The same person where only these segments are known, so that one that leads to itself ends."""
    copy = object.__new__(MadeUp)
    for name in MadeUp.__slots__:
        setattr(copy, name, getattr(one, name))
    copy.segments = segments
    return copy


def _name(what: Any) -> str:
    """The name by which a rate is said of a filter."""
    for subject in ("segment", "attribute", "context", "event", "message", "consent", "subscription"):
        found = getattr(what, subject, None)
        if isinstance(found, str):
            return found
    product = getattr(what, "purchase", None)
    return ANYTHING if product is True else str(product or "")


def updated(person: Person, step: UserUpdate, update: Update) -> Person:
    """The person after a user update; what holds Liquid is written where its texts are known (UPD-1, UPD-3)."""
    standard, custom, consents = dict(person.standard), dict(person.custom), dict(person.consents)
    subscriptions = dict(person.subscriptions)
    for name, change in step.attributes.items():
        place = standard if name in standard else custom
        before = place.get(name, 0)
        if isinstance(change, Increment):
            if number(before):
                place[name] = before + change.increment
            continue
        value = update.texts.get(change) if is_liquid(change) else change
        if is_liquid(change) and value is None:
            continue
        if name in CONSENTS:
            consents[CONSENTS[name]] = str(value)
        elif name == GROUPS:
            subscriptions |= _said(value)
        elif value is None:
            place.pop(name, None)
        else:
            place[name] = value
    return replace(person, standard=standard, custom=custom, consents=consents, subscriptions=subscriptions)


def _said(value: Any) -> dict[str, Said]:
    """The states in groups that an update sets, as it is written."""
    return {each["subscription_group_id"]: Said("", each["subscription_state"]) for each in value}
