"""The life of a canvas: what a stop, a pause, a resume or an archive means for its entries and unsent messages. Pure.

A canvas' changes are a log that is only added to. A stop or a pause of a canvas rewrites no rows: each
entry has the number of the last change that was applied to it, and is brought up to date when it is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from typing import Literal

from journeys.canvas.events_and_commands import Command, Entry, Left, ZonesAnswer
from journeys.canvas.plan import Plan
from journeys.canvas.wall_clock import plus
from journeys.engine.core.machine import advance

Word = Literal["publish", "stop", "pause", "resume", "archive"]

Span = tuple[datetime, datetime]
"""From an instant, to another one that is not of it."""

Timers = Literal["shift", "send", "skip"]
"""What a resume does with what fell due during a pause: it comes as much later, or at once, or its messages are not sent."""

AFTER: Mapping[str, Mapping[str, str]] = {
    "stop": {"active": "stopped", "paused": "stopped", "stopped": "stopped"},
    "pause": {"active": "paused", "paused": "paused"},
    "resume": {"draft": "active", "active": "active", "stopped": "active", "paused": "active"},
    "archive": dict.fromkeys(("draft", "active", "stopped", "paused", "archived"), "archived"),
}
"""The status that a canvas has after a word, by the one that it had; a missing word is not possible."""

LETS_IN = frozenset({"active", "paused"})
"""The statuses in which people enter by event and by API; while the canvas is paused they wait before their first step."""


def runs_may(status: str) -> Literal["go_on", "hold", "end"]:
    """What the runs of a canvas of this status do: a pause holds them, and all but an active canvas ends them."""
    return "go_on" if status == "active" else "hold" if status == "paused" else "end"


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a canvas. `at` is an instant of the canvas' time, `stored` one of the database's own clock.

    `timers`: what a resume does with what fell due during a pause.
    """

    no: int
    kind: str
    at: datetime
    stored: datetime
    timers: str | None = None


@dataclass(frozen=True, slots=True)
class Present:
    """An entry that is up to date. `change`: the last change that was applied to it.

    `parked`: its canvas is stopped or paused. `movable`: its deadline may still move, since a pause lasts that began
    before it. `commands` are what the machine says of an entry that ended on the way. `skip`: a time that the entry goes
    through first, and of which it sends nothing; the changes in `later` are applied to what it is at the end of that.
    """

    entry: Entry
    change: int
    parked: bool = False
    movable: bool = False
    commands: tuple[Command, ...] = ()
    skip: Span | None = None
    later: tuple[Change, ...] = ()


def current(plan: Plan, entry: Entry, change: int, changes: Iterable[Change], zones: ZonesAnswer) -> Present:
    """Apply the changes after `change` to an entry, in their order, as it is read.

    An entry that is due while its canvas is stopped ends at the resume, as `stopped`; others go on as planned, at the
    resume at the earliest (X4, STA-3). What is due while it is paused comes later by the pause, or at once, as the
    resume says. An archive ends it. A stop or a pause without a resume is not applied: it is read again each time that
    the entry is read, until the resume.
    """
    return _brought(plan, entry, change, tuple(changes), zones, stages=False)


def to_drive(plan: Plan, entry: Entry, change: int, changes: Iterable[Change], zones: ZonesAnswer) -> Present:
    """The same for an entry that is about to be driven: only as far as the next pause that is skipped.

    What it does in that time decides what the changes after it meet: the delay that it comes to, say, may be the one
    that the next pause moves. An entry that is parked, or met an archive, is not driven, and has no `skip`.
    """
    return _brought(plan, entry, change, tuple(changes), zones, stages=True)


def after_skip(
    plan: Plan, entry: Entry, skip: Span, change: int, later: Sequence[Change], zones: ZonesAnswer
) -> Present:
    """The present of an entry that has gone through the `skip` of its present: again as far as the next one."""
    entry = _after_pause(plan, entry, *skip, "skip", zones)
    return _brought(plan, entry, change, later, zones, stages=True)


def _brought(
    plan: Plan, entry: Entry, change: int, log: Sequence[Change], zones: ZonesAnswer, *, stages: bool
) -> Present:
    stages = stages and not _lasts(log)
    halts: list[Change] = []
    for place, each in enumerate(log):
        if each.kind == "archive":
            return _ended(plan, entry, each, "archived")  # STA-1
        if _halts(each, halts):
            halts.append(each)
        elif each.kind == "resume" and halts:
            skips = _skips(halts, each) and entry.begun is not None
            if skips and stages:
                later = (*halts[1:], *log[place:])  # a stop in the pause ended it
                return Present(entry, halts[0].no, skip=(halts[0].at, later[0].at), later=later)
            for halt, end in pairwise([*halts, each]):
                if halt.kind == "pause":
                    entry = _after_pause(plan, entry, halt.at, end.at, each.timers, zones)
                elif _within(entry.wake_at, halt.at, end.at):
                    return _ended(plan, entry, each, "stopped")
            if not skips:
                entry = replace(entry, moved=max(entry.moved, each.at))
            halts = []
        if not halts:
            change = each.no
    movable = bool(halts) and halts[0].kind == "pause" and _from(entry.wake_at, halts[0].at)
    return Present(entry, change, parked=bool(halts), movable=movable)


def dropped(at: datetime, due: datetime | None, changes: Iterable[Change]) -> str | None:
    """Why a message that waited while its canvas changed is not sent; None: it is sent.

    `at`: the instant of the message. `due`: the instant, on the database's clock, before which it could not leave; None
    where there was none: then it was due before all of these changes. Dropped is what fell due while the canvas was
    stopped, what did so during a pause after which it is skipped, and what an archive found.
    """
    halts: list[Change] = []
    for each in changes:
        if each.kind == "archive":
            return "archived"
        if _halts(each, halts):
            halts.append(each)
        elif each.kind == "resume" and halts:
            for halt, end in pairwise([*halts, each]):
                fell_due = _within(due, halt.stored, end.stored)
                if halt.kind == "stop" and fell_due:
                    return "stopped"
                if _skips([halt], each) and (fell_due or _within(at, halt.at, end.at)):
                    return "skipped"
            halts = []
    return None


def shown(status: str, *, inside: int, over: bool) -> str:
    """The status as people read it: `idle` is an active canvas without open entries, whose entry window is over."""
    return "idle" if status == "active" and over and not inside else status


def _halts(change: Change, halts: Sequence[Change]) -> bool:
    """Whether a change halts a canvas, or halts it otherwise than it is halted: a stop may follow a pause."""
    return change.kind in ("stop", "pause") and (not halts or halts[-1].kind != change.kind)


def _lasts(log: Sequence[Change]) -> bool:
    """Whether an entry is not driven after these changes: they end in a stop or a pause, or archive the canvas."""
    last = next((each.kind for each in reversed(log) if each.kind in ("stop", "pause", "resume")), None)
    return last in ("stop", "pause") or any(each.kind == "archive" for each in log)


def _skips(halts: Sequence[Change], resume: Change) -> bool:
    return halts[0].kind == "pause" and resume.timers == "skip"


def _after_pause(
    plan: Plan, entry: Entry, since: datetime, until: datetime, timers: str | None, zones: ZonesAnswer
) -> Entry:
    """The entry after a pause: its deadline, unless it was due before it, is later by what it waited of the pause.

    A deadline of the wall clock that fell into the pause is at its next occurrence. The time for which a step waits for
    others is longer by the pause whatever the resume says. `begun` stays: what happened after the arrival counts.
    """
    if entry.step is None or entry.begun is None or entry.wake_at is None or entry.wake_at < since:
        return entry
    step = plan.steps[entry.step]
    if timers in ("send", "skip") and not step.waits_for_others(entry):
        return entry
    occurrence = step.next_occurrence(entry, until, zones)
    if occurrence is None:
        waited = max(until, entry.begun) - max(since, entry.begun)
        return replace(entry, wake_at=plus(entry.wake_at, waited))
    return replace(entry, wake_at=occurrence) if entry.wake_at < until else entry


def _within(due: datetime | None, since: datetime, until: datetime) -> bool:
    return due is not None and since <= due < until


def _from(due: datetime | None, since: datetime) -> bool:
    return due is not None and since <= due


def _ended(plan: Plan, entry: Entry, by: Change, reason: str) -> Present:
    ended, commands = advance(plan, entry, Left(reason=reason, at=by.at), by.at)
    return Present(ended, by.no, commands=commands)
