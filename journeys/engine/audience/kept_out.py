"""Tells what the filters of an audience see of a person, and which of them keeps the person out. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from journeys.canvas.events_and_commands import NOTHING
from journeys.canvas.filters import (
    AllOf,
    AnyOf,
    AttributeFilter,
    BucketFilter,
    ConsentFilter,
    ContextFilter,
    Filter,
    NoneOf,
    SegmentFilter,
    SubscriptionFilter,
)
from journeys.canvas.in_words import in_words
from journeys.engine.audience.match import Person, matches, named, past
from journeys.engine.audience.tallies import counts_all, times_of

LONGEST = 500
"""Characters of a value, and of a filter in words, that are kept."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """Whom the filters are asked about, and with what."""

    person: Person
    now: datetime
    segments: Mapping[str, Filter]
    canvas: str | None

    def holds(self, what: Filter) -> bool:
        return matches(what, self.person, now=self.now, segments=self.segments, canvas=self.canvas)


@dataclass(frozen=True, slots=True)
class _Cause:
    """A filter that should hold (`holds`), or should not, and does the other; `segment`: the one that it is part of."""

    what: Filter
    holds: bool = True
    segment: str | None = None


def kept_out(
    audience: Filter,
    person: Person,
    *,
    now: datetime,
    segments: Mapping[str, Filter] = NOTHING,
    canvas: str | None = None,
) -> dict[str, Any]:
    """Of a person whom the audience does not contain: the innermost `filter` that decides it, in words, and what it `saw`.

    With the `segment`, where it is part of one. Where several decide it together, as in `any`, what each of them saw.
    Of what they did, as much is counted as the filter asks for.
    """
    asked = _Asked(person, now, segments, canvas)
    cause = _innermost(_Cause(audience), asked)
    words = in_words(cause.what) if cause.holds else f"not ({in_words(cause.what)})"
    found = {"filter": shortened(words), "saw": shortened(_saw(cause.what, asked))}
    return found if cause.segment is None else {**found, "segment": cause.segment}


@dataclass(frozen=True, slots=True)
class Judged:
    """A filter as it is for one person: in words, whether it holds, and what it `saw`, or the `parts` that decide it."""

    filter: str
    holds: bool
    saw: Any = None
    parts: tuple[Judged, ...] = ()


def looked_up(
    audience: Filter,
    person: Person,
    *,
    now: datetime,
    segments: Mapping[str, Filter] = NOTHING,
    canvas: str | None = None,
) -> Judged:
    """A person held against an audience: each filter with the value that it sees and its verdict (AUD-6)."""
    return _judged(audience, _Asked(person, now, segments, canvas))


def _judged(what: Filter, asked: _Asked) -> Judged:
    holds = asked.holds(what)
    match what:
        case AllOf(all=several):
            return Judged("all of these", holds, parts=tuple(_judged(each, asked) for each in several))
        case AnyOf(any=several):
            return Judged("any of these", holds, parts=tuple(_judged(each, asked) for each in several))
        case NoneOf(none=several):
            return Judged("none of these", holds, parts=tuple(_judged(each, asked) for each in several))
        case SegmentFilter(segment=name) if name in asked.segments:
            return Judged(f"segment {name}", holds, parts=(_judged(asked.segments[name], asked),))
    return Judged(shortened(in_words(what)), holds, shortened(_saw(what, asked)))


def _innermost(cause: _Cause, asked: _Asked) -> _Cause:
    """The part that decides it alone, if there is one."""
    while (inner := _part(cause, asked)) is not None:
        cause = inner
    return cause


def _part(cause: _Cause, asked: _Asked) -> _Cause | None:
    match cause.what:
        case SegmentFilter(segment=name):
            inside = asked.segments.get(name)
            return None if inside is None else replace(cause, what=inside, segment=name)
        case AllOf(all=several):
            each_holds, alone = cause.holds, cause.holds
        case AnyOf(any=several):
            each_holds, alone = cause.holds, not cause.holds
        case NoneOf(none=several):
            each_holds, alone = not cause.holds, cause.holds
        case _:
            return None
    wrong = [each for each in several if asked.holds(each) is not each_holds]
    return replace(cause, what=wrong[0], holds=each_holds) if alone or len(wrong) == 1 else None


def _saw(what: Filter, asked: _Asked) -> Any:
    person = asked.person
    match what:
        case AttributeFilter(attribute=path):
            return _one(person.values(path))
        case ConsentFilter(consent=channel):
            return person.consent(channel)
        case SubscriptionFilter(subscription=group):
            return person.subscription(group)
        case BucketFilter():
            return person.bucket
        case ContextFilter():
            return None
        case SegmentFilter(segment=name):
            return _saw(asked.segments[name], asked) if name in asked.segments else "there is no such segment"
        case AllOf(all=several) | AnyOf(any=several) | NoneOf(none=several):
            return {shortened(in_words(each)): _saw(each, asked) for each in several}
    return _did(what, asked)


def _did(what: Any, asked: _Asked) -> dict[str, Any]:
    """When they did it last, and how often, where the filter counts."""
    kind, name = named(what)
    counts = getattr(what, "times", None) is not None
    tally = asked.person.tallies.get((kind, name)) if counts_all(what) else None
    if tally is not None:
        return {"times": tally.times, "last": tally.last} if tally.last else {"times": tally.times}
    once = what.model_copy(update={"times": None}) if counts else what
    done = [
        each
        for each in past(asked.person.history, kind, name)
        if _having_done(asked, (kind, each.name), each).holds(once)
    ]
    if not done:
        return {"times": 0}
    last = max(each.at for each in done)
    return {"times": sum(map(times_of, done)), "last": last} if counts else {"last": last}


def _having_done(asked: _Asked, key: tuple[str, str], only: Any) -> _Asked:
    """The same question of a person who did nothing but this."""
    return replace(asked, person=replace(asked.person, history={key: [only]}))


def _one(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values or None


def shortened(value: Any) -> Any:
    """The value, or the beginning of its text."""
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return value if len(text) <= LONGEST else f"{text[:LONGEST]}…"
