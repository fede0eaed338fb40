"""The life of a canvas: what a stop, a pause, a resume or an archive means for its entries and unsent messages. Pure.

A canvas' changes are a log that is only added to. A stop or a pause of a canvas rewrites no rows: each
entry has the number of the last change that was applied to it, and is brought up to date when it is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from typing import Literal

from journeys.canvas.events_and_commands import Command, Entry, Left, ZonesAnswer
from journeys.canvas.plan import Plan
from journeys.canvas.wall_clock import plus
from journeys.engine.core.machine import advance

Word = Literal["publish", "stop", "pause", "resume", "archive"]

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
    before it. `commands` are what the machine says of an entry that ended on the way. `skips`: the times of which it
    sends nothing.
    """

    entry: Entry
    change: int
    parked: bool = False
    movable: bool = False
    commands: tuple[Command, ...] = ()
    skips: tuple[tuple[datetime, datetime], ...] = ()


def current(plan: Plan, entry: Entry, change: int, changes: Iterable[Change], zones: ZonesAnswer) -> Present:
    """Apply the changes after `change` to an entry, in their order.

    An entry that is due while its canvas is stopped ends at the resume, as `stopped`; others go on as planned, at the
    resume at the earliest (X4, STA-3). What is due while it is paused comes later by the pause, or at once, as the
    resume says. An archive ends it. A stop or a pause without a resume is not applied: it is read again each time that
    the entry is read, until the resume.
    """
    halts: list[Change] = []
    skips: list[tuple[datetime, datetime]] = []
    for each in changes:
        if each.kind == "archive":
            return _ended(plan, entry, each, "archived")  # STA-1
        if _halts(each, halts):
            halts.append(each)
        elif each.kind == "resume" and halts:
            for kind, since, until in _spans(halts, each, lambda one: one.at):
                if kind == "pause":
                    entry = _after_pause(plan, entry, since, until, each.timers, zones)
                elif _within(entry.wake_at, since, until):
                    return _ended(plan, entry, each, "stopped")
            if _skips(halts, each) and entry.begun is not None:
                skips.append((halts[0].at, each.at))
            elif not any(_within(entry.wake_at, *span) for span in skips):  # else it goes through that first
                entry = replace(entry, moved=max(entry.moved, each.at))
            halts = []
        if not halts:
            change = each.no
    movable = bool(halts) and halts[0].kind == "pause" and _from(entry.wake_at, halts[0].at)
    return Present(entry, change, parked=bool(halts), movable=movable, skips=tuple(skips))


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
            for kind, since, until in _spans(halts, each, lambda one: one.stored):
                if kind == "stop" and _within(due, since, until):
                    return "stopped"
                if kind == "pause" and each.timers == "skip" and _within(due, since, until):
                    return "skipped"
            if _skips(halts, each) and _within(at, halts[0].at, each.at):
                return "skipped"
            halts = []
    return None


def shown(status: str, *, inside: int, over: bool) -> str:
    """The status as people read it: `idle` is an active canvas without open entries, whose entry window is over."""
    return "idle" if status == "active" and over and not inside else status


def _halts(change: Change, halts: Sequence[Change]) -> bool:
    """Whether a change halts a canvas, or halts it otherwise than it is halted: a stop may follow a pause."""
    return change.kind in ("stop", "pause") and (not halts or halts[-1].kind != change.kind)


def _spans(
    halts: Sequence[Change], resume: Change, clock: Callable[[Change], datetime]
) -> Iterator[tuple[str, datetime, datetime]]:
    """The times for which a canvas was halted up to a resume, each with its kind."""
    for one, following in pairwise([*halts, resume]):
        yield one.kind, clock(one), clock(following)


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
