"""Matches people with filters, and occurrences with triggers. Pure: people are values here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple, get_args

from journeys.canvas.change_triggers import AttributeTrigger, ConsentTrigger, said
from journeys.canvas.conditions import Condition, FromAttribute, FromContext, FromEntry
from journeys.canvas.events_and_commands import NOTHING, Kind, Occurrence
from journeys.canvas.filters import (
    AllOf,
    AnyOf,
    AttributeFilter,
    BucketFilter,
    ConsentFilter,
    ContextFilter,
    EventFilter,
    EventTrigger,
    Filter,
    MessageFilter,
    MessageTrigger,
    NoneOf,
    PropertyFilter,
    PurchaseFilter,
    PurchaseTrigger,
    SegmentFilter,
    SubscriptionFilter,
    Times,
    Trigger,
)
from journeys.canvas.steps import Step
from journeys.canvas.wall_clock import plus
from journeys.engine.audience.operators import holds, lookup
from journeys.engine.audience.tallies import Tallies, counts_all, times_of

Did = Mapping[tuple[str, str], Sequence[Occurrence]]
"""What a person did, by kind and name."""


class Said(NamedTuple):
    """What a person said last of a subscription group: its channel, and the state."""

    channel: str
    state: str


@dataclass(frozen=True, slots=True)
class Person:
    """What filters look at: attributes, random bucket, zone, and as much of the person's history as is needed.

    `consents` are the states by channel of those who said something, `subscriptions` what they said by group,
    `bounced` the channels on which their address does not exist. `tallies`: what is counted and not in the history.
    """

    id: str
    zone: str = "UTC"
    bucket: int = 0
    standard: Mapping[str, Any] = field(default_factory=dict)
    custom: Mapping[str, Any] = field(default_factory=dict)
    history: Did = field(default_factory=dict)
    consents: Mapping[str, str] = field(default_factory=dict)
    tallies: Tallies = field(default_factory=dict)
    subscriptions: Mapping[str, Said] = field(default_factory=dict)
    bounced: frozenset[str] = frozenset()

    def values(self, path: str) -> list[Any]:
        """The values that an attribute's path leads to; standard attributes come before custom ones of their name."""
        found = lookup(self.standard, path)
        return found or lookup(self.custom, path)

    def consent(self, channel: str) -> str:
        """The state on a channel; who said nothing is subscribed (SUB-1)."""
        return self.consents.get(channel, "subscribed")  # SUB-1

    def subscription(self, group: str) -> str:
        """The state in a subscription group; who has unsubscribed from its channel is subscribed to none (CNS-2)."""
        said = self.subscriptions.get(group)
        if said is None:
            return "unknown"  # CNS-1
        hidden = said.state == "subscribed" and self.consent(said.channel) == "unsubscribed"  # CNS-2
        return "unsubscribed" if hidden else said.state


@dataclass(frozen=True, slots=True)
class Past:
    """How much must be known of one kind and name: how far back, and the latest how many (None: all of it)."""

    since: timedelta | None = None
    most: int | None = None

    def __or__(self, other: Past) -> Past:
        """As much as both need."""
        since = None if self.since is None or other.since is None else max(self.since, other.since)
        most = None if self.most is None or other.most is None else max(self.most, other.most)
        return Past(since, most)


@dataclass(frozen=True, slots=True)
class Needs:
    """What must be known of a person's history, by kind and name (None: any); and of what only how often it was."""

    history: Mapping[tuple[str, str | None], Past] = field(default_factory=dict)
    counted: frozenset[tuple[str, str | None]] = frozenset()


@dataclass(frozen=True, slots=True)
class _Evaluation:
    """What a question is asked of and with."""

    person: Person
    now: datetime
    context: Mapping[str, Any]
    segments: Mapping[str, Filter]
    canvas: str | None
    then: Mapping[str, Any] = field(default_factory=dict)
    """Attributes as they were when the thing happened that is judged (ACT-7)."""
    key: Any = None
    """The entry's, where it has one."""
    entry: str | None = None
    """The entry that asks, where one does."""


def matches(
    what: Filter,
    person: Person,
    *,
    now: datetime,
    context: Mapping[str, Any] = NOTHING,
    segments: Mapping[str, Filter] = NOTHING,
    canvas: str | None = None,
    key: Any = None,
    entry: str | None = None,
) -> bool:
    """Whether the person matches the filter at this instant.

    `context` is what the entry carries, `key` its key, `segments` the filters of named segments, `canvas` the one whose
    steps `{message: opened, step: hello}` means: of the messages of `entry` alone, where an entry asks (CTL-10). An unknown
    segment matches no one.
    """
    return _matches(what, _Evaluation(person, now, context, segments, canvas, key=key, entry=entry))


def _matches(what: Filter, evaluation: _Evaluation) -> bool:
    match what:
        case AllOf(all=several):
            return all(_matches(each, evaluation) for each in several)
        case AnyOf(any=several):
            return any(_matches(each, evaluation) for each in several)
        case NoneOf(none=several):
            return not any(_matches(each, evaluation) for each in several)
        case AttributeFilter(attribute=path):
            return _holds(what, evaluation.person.values(path), evaluation)
        case ContextFilter(context=path):
            return _holds(what, lookup(evaluation.context, path), evaluation)
        case EventFilter() | PurchaseFilter():
            tally = evaluation.person.tallies.get(named(what)) if counts_all(what) else None
            if what.times is not None and tally is not None:
                return _counts(what.times, tally.times)  # EVT-3
            return _did(what, past(evaluation.person.history, *named(what)), evaluation)
        case MessageFilter():
            return any(
                _of_message(what, each, evaluation.canvas)
                and _of_entry(what, each, evaluation.entry)
                and _lately(each, what.within_last, evaluation)
                for each in past(evaluation.person.history, *named(what))
            )
        case ConsentFilter(consent=channel):
            said = [evaluation.person.consent(channel)]
            return holds(what.operator, said, what.operand, evaluation.now)
        case SubscriptionFilter(subscription=group):
            said = [evaluation.person.subscription(group)]
            return holds(what.operator, said, what.operand, evaluation.now)
        case SegmentFilter(segment=name):
            return name in evaluation.segments and _matches(evaluation.segments[name], evaluation)
        case BucketFilter(bucket=(low, high)):
            return low <= evaluation.person.bucket <= high
    raise AssertionError(f"unknown filter: {what!r}")


_MISSING = object()


def _operand(operand: Any, evaluation: _Evaluation) -> Any:
    """A literal, or what is read from the entry or the profile at this moment."""
    match operand:
        case FromContext(context=path):
            found = lookup(evaluation.context, path)  # EXT-3, ACT-7
        case FromAttribute(attribute=path):
            then = evaluation.then
            found = [then[path]] if path in then else evaluation.person.values(path)  # ACT-7
        case FromEntry():
            found = [evaluation.key]
        case tuple():
            parts = tuple(_operand(each, evaluation) for each in operand)
            return _MISSING if any(part is _MISSING for part in parts) else parts
        case _:
            return operand
    return found[0] if found and found[0] is not None else _MISSING


def _holds(condition: Condition, values: Sequence[Any], evaluation: _Evaluation) -> bool:
    operand = _operand(condition.operand, evaluation)
    return operand is not _MISSING and holds(condition.operator, values, operand, evaluation.now)


def _where(where: Iterable[PropertyFilter], occurrence: Occurrence, evaluation: _Evaluation) -> bool:
    return all(_holds(each, lookup(occurrence.properties, each.property), evaluation) for each in where)


def _lately(occurrence: Occurrence, within: timedelta | None, evaluation: _Evaluation) -> bool:
    return occurrence.at <= evaluation.now and (
        within is None or occurrence.at >= plus(evaluation.now, -within)
    )


def past(history: Did, kind: str, name: str | None) -> Sequence[Occurrence]:
    """What was done of a kind, under one name or under any."""
    if name is not None:
        return history.get((kind, name), ())
    return [each for (of, _), several in history.items() if of == kind for each in several]


def _did(what: EventFilter | PurchaseFilter, done: Sequence[Occurrence], evaluation: _Evaluation) -> bool:
    fitting = (
        each
        for each in done
        if _lately(each, what.within_last, evaluation) and _where(what.where, each, evaluation)
    )
    if what.times is None:
        return any(True for _ in fitting)
    return _counts(what.times, sum(map(times_of, fitting)))


def _counts(times: Times, count: int) -> bool:
    return (
        (times.equals is None or count == times.equals)
        and (times.more_than is None or count > times.more_than)
        and (times.less_than is None or count < times.less_than)
        and (times.at_least is None or count >= times.at_least)
        and (times.at_most is None or count <= times.at_most)
    )


def _of_message(what: MessageFilter | MessageTrigger, occurrence: Occurrence, canvas: str | None) -> bool:
    """Whether the engagement is with the message that is meant: a step without a canvas is one of this canvas."""
    said = occurrence.properties
    wanted = what.canvas or (canvas if what.step else None)
    return (
        (what.step is None or said.get("step") == what.step)
        and (wanted is None or said.get("canvas") == wanted)
        and (what.campaign is None or said.get("campaign") == what.campaign)
    )


def _of_entry(what: MessageFilter, occurrence: Occurrence, entry: str | None) -> bool:
    """Whether a step of this canvas sent the message in this entry, and not in an earlier one of the person (CTL-10)."""
    if entry is None or what.step is None or what.canvas is not None:
        return True
    return str(occurrence.properties.get("dispatch", f"{entry}/")).startswith(f"{entry}/")  # CTL-10


def judge(
    trigger: Trigger,
    occurrence: Occurrence,
    person: Person,
    context: Mapping[str, Any] = NOTHING,
    *,
    canvas: str | None = None,
    key: Any = None,
) -> bool:
    """Whether this occurrence is what the trigger awaits, given the entry at this moment and the person's attributes.

    The attributes are those of when it happened, where the occurrence has them, else those of this moment (ACT-7).
    """
    if isinstance(trigger, MessageTrigger):
        return (
            occurrence.kind == "message"
            and occurrence.name == trigger.message
            and _of_message(trigger, occurrence, canvas)
        )
    if not concerns(trigger, occurrence.kind, occurrence.name):
        return False
    if isinstance(trigger, AttributeTrigger | ConsentTrigger):
        return _changes(trigger, occurrence)
    if not isinstance(trigger, EventTrigger | PurchaseTrigger):
        return True
    evaluation = _Evaluation(person, occurrence.at, context, NOTHING, canvas, occurrence.compared, key)
    return not trigger.where or _where(trigger.where, occurrence, evaluation)


def _changes(trigger: AttributeTrigger | ConsentTrigger, change: Occurrence) -> bool:
    """Whether it is the change that is meant: what it changes to it was not before, what it changes from it is no more."""
    was, is_now = change.properties.get("before"), change.properties.get("after")

    def equals(value: Any, wanted: Any) -> bool:
        return holds("equals", [value], wanted, change.at)

    for word in said(trigger):
        wanted = getattr(trigger, word)
        if word == "changes_to" and (equals(was, wanted) or not equals(is_now, wanted)):
            return False
        if word == "changes_from" and (equals(is_now, wanted) or not equals(was, wanted)):
            return False
    return True


def compared_with(trigger: Trigger) -> frozenset[str]:
    """The attributes that a trigger compares the properties of an occurrence with (ACT-7)."""
    operands: list[Any] = []
    for condition in getattr(trigger, "where", ()):
        operand = condition.operand
        operands.extend(operand if isinstance(operand, tuple) else [operand])
    return frozenset(operand.attribute for operand in operands if isinstance(operand, FromAttribute))


KINDS: tuple[Kind, ...] = get_args(Kind)


def named(what: Any) -> tuple[Kind, str | None]:
    """The kind and name of what a filter or trigger on the past looks at; None: any of its kind."""
    for kind in KINDS:
        name = getattr(what, kind, None)
        if name is not None:
            return kind, None if name is True else str(name)
    raise AssertionError(f"it does not look at the past: {what!r}")


def concerns(trigger: Trigger, kind: str, name: str) -> bool:
    """Whether a trigger awaits what is of this kind and name."""
    of, wanted = named(trigger)
    return of == kind and wanted in (None, name)


def heard(
    step: Step,
    occurrence: Occurrence,
    person: Person,
    context: Mapping[str, Any] = NOTHING,
    *,
    canvas: str | None = None,
    key: Any = None,
) -> str | None:
    """The label of the first trigger of the step that this occurrence meets (ACT-11), or None."""
    for label, trigger in step.triggers():
        if judge(trigger, occurrence, person, context, canvas=canvas, key=key):  # ACT-11
            return label
    return None


def needs(several: Iterable[Any], segments: Mapping[str, Filter] = NOTHING) -> Needs:
    """What these filters and triggers must know of a person's history."""
    found: dict[tuple[str, str | None], Past] = {}
    counted: set[tuple[str, str | None]] = set()
    for each in several:
        _gather(each, segments, found, counted, frozenset())
    return Needs(found, frozenset(counted))


def _gather(
    what: Any,
    segments: Mapping[str, Filter],
    found: dict[tuple[str, str | None], Past],
    counted: set[tuple[str, str | None]],
    inside: frozenset[str],
) -> None:
    match what:
        case AllOf(all=several) | AnyOf(any=several) | NoneOf(none=several):
            for each in several:
                _gather(each, segments, found, counted, inside)
        case SegmentFilter(segment=name):
            if name in segments and name not in inside:
                _gather(segments[name], segments, found, counted, inside | {name})
        case AttributeFilter() | ContextFilter() | BucketFilter() | ConsentFilter() | SubscriptionFilter():
            return
        case _ if counts_all(what):
            counted.add(named(what))
        case _:
            past = Past(getattr(what, "within_last", None), _most(what))
            found[named(what)] = found.get(named(what), past) | past


def _most(what: Any) -> int | None:
    """How many of the latest decide it, and one more: the event that brings a person is not counted (ENT-16)."""
    match what:
        case EventFilter(where=()) | PurchaseFilter(where=()):
            times = what.times
            bounds = times and (times.equals, times.more_than, times.less_than, times.at_least, times.at_most)
            return 2 + max((bound for bound in bounds or () if bound is not None), default=0)
        case MessageFilter(step=None, canvas=None, campaign=None):
            return 2
    return None
