"""Says triggers and filters in a few words, for diagrams."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from journeys.canvas.canvas import Canvas
from journeys.canvas.change_triggers import (
    CHANGES,
    AttributeTrigger,
    ConsentTrigger,
    IdentifierTrigger,
    PersonTrigger,
    said,
)
from journeys.canvas.filters import AllOf, AnyOf, NoneOf
from journeys.canvas.occurrences import Timetable
from journeys.canvas.times import spell

SUBJECTS = (
    "attribute",
    "context",
    "property",
    "event",
    "purchase",
    "message",
    "consent",
    "subscription",
    "segment",
    "bucket",
)
BESIDE = ("step", "canvas", "campaign")
MARKS = {
    "equals": "=", "not_equals": "≠", "more_than": ">", "less_than": "<", "at_least": "≥", "at_most": "≤",
    "one_of": "one of", "none_of": "none of", "starts_with": "starts with", "ends_with": "ends with",
    "within_last": "within the last", "within_next": "within the next",
}  # fmt: skip


def in_words(what: Any) -> str:
    """A filter or trigger in a few words: `event liked where category = running`."""
    match what:
        case AttributeTrigger(attribute=name):
            return " ".join([name, *_changes(what)])
        case ConsentTrigger(consent=name):
            return " ".join([f"consent {name}", *_changes(what)])
        case IdentifierTrigger(identifier=name):
            return f"{name} added"
        case PersonTrigger():
            return "a new person"
        case AllOf(all=several):
            return " and ".join(_part(each) for each in several)
        case AnyOf(any=several):
            return " or ".join(_part(each) for each in several)
        case NoneOf(none=several):
            return "not " + " nor ".join(_part(each) for each in several)
    given = {name: getattr(what, name) for name in type(what).model_fields if name in what.model_fields_set}
    given = {name: value for name, value in given.items() if value not in (None, ())}
    subject = next(name for name in SUBJECTS if name in given)
    value = given.pop(subject)
    words = (
        ["any purchase"]
        if value is True
        else [_value(value) if subject == "attribute" else f"{subject} {_value(value)}"]
    )
    words += [f"of {name} {given.pop(name)}" for name in BESIDE if name in given]
    if where := given.pop("where", ()):
        words.append("where " + " and ".join(in_words(each).removeprefix("property ") for each in where))
    times = given.pop("times", None)
    if times is not None:
        words += [
            f"{MARKS[name]} {count} times" for name, count in times.model_dump(exclude_none=True).items()
        ]
    words += [f"{MARKS.get(name, name)} {_value(each)}" for name, each in given.items()]
    return " ".join(words)


def _changes(what: Any) -> list[str]:
    """How something changes: `changes from free`, `to pro`."""
    spoken = {word: _value(getattr(what, word)) for word in said(what)}
    ends = [
        f"{word.removeprefix('changes_')} {spoken[word]}" for word in reversed(CHANGES[1:]) if word in spoken
    ]
    return ["changes", *ends]


def comes_in(canvas: Canvas) -> str:
    """What lets people into a canvas."""
    if canvas.schedule.by_clock:
        return _by_clock(canvas.schedule)
    trigger = canvas.schedule.trigger
    return "the API" if trigger is None else in_words(trigger)


def scheduled(canvas: Canvas) -> str:
    """What lets people into a canvas, and in which time."""
    schedule = canvas.schedule
    said = [comes_in(canvas)]
    if schedule.by_clock:
        return said[0]
    for word, bound in (("from", schedule.starts), ("until", schedule.ends)):
        if bound is not None:
            zone = " UTC" if bound.tzinfo else ", company time"
            said.append(f"{word} {bound:%Y-%m-%d %H:%M}{zone}")
    return " ".join(said)


def _by_clock(table: Timetable) -> str:
    """A schedule by the clock: `the clock: every week on monday at 09:00, local time`."""
    if table.at_launch:
        return "the launch"
    words = f"once, {table.once:%Y-%m-%d %H:%M}" if table.once else f"every {table.every}"
    on = table.weekdays or table.days
    if on is not None:
        words += " on " + ", ".join(map(str, on))
    if table.at is not None:
        words += f" at {table.at:%H:%M}"
    bounds = {"from": table.starts, "before": table.ends}
    words += "".join(f", {word} {bound:%Y-%m-%d %H:%M}" for word, bound in bounds.items() if bound)
    words += f", {table.times} times" if table.times else ""
    zone = {"company": "", "local": ", local time"}.get(table.zone, f", {table.zone}")
    return f"the clock: {words}{zone}"


def leaves(canvas: Canvas) -> list[str]:
    """The exits of a canvas."""
    return [
        in_words(each.trigger) if each.trigger else f"matching {in_words(each.audience)}"
        for each in canvas.exits
    ]


def succeeds(canvas: Canvas) -> list[str]:
    """The conversions of a canvas."""
    return [
        f"{each.name}: {in_words(each.trigger)} within {spell(each.within)}" for each in canvas.conversions
    ]


def _part(each: Any) -> str:
    said = in_words(each)
    return f"({said})" if isinstance(each, AllOf | AnyOf | NoneOf) else said


def _value(value: Any) -> str:
    if isinstance(value, timedelta):
        return spell(value)
    if isinstance(value, tuple):
        return ", ".join(map(_value, value))
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "nothing"}[value]
    fields: Mapping[str, Any] = getattr(type(value), "model_fields", {})
    return " ".join(f"{name} {getattr(value, name)}" for name in fields) or str(value)
