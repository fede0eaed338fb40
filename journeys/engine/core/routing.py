"""Routing, who hears an event: conversions, exits, waits, new entries. Pure; used by ingestion and the simulator.

There is no table of waits: the plan says what each step hears, and a person has few open entries. Filters are judged
with the entry's context and the person's attributes of this moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from journeys.canvas.canvas import Conversion
from journeys.canvas.entry_keys import asks_key
from journeys.canvas.events_and_commands import Entry, Left, Note, Occurrence
from journeys.canvas.plan import Plan
from journeys.engine.audience.match import Person, heard, judge
from journeys.engine.core.machine import advance


@dataclass(frozen=True, slots=True)
class OpenEntry:
    """An entry that may still hear something: it is open, or has completed and left messages unsent.

    `unsent`: the contexts of the messages that a completed entry has left; None: it is open. `leaves`: why it leaves,
    where an exit or a de-duplication said so, and `at_once`, or at the end of its step. `deaf`: it may leave, and hears
    nothing, since a change of its canvas ends it at its next burst. `movable`: its canvas is paused, and the resume says
    whether what comes after its deadline is in time.
    """

    plan: Plan
    entry: Entry
    unsent: Sequence[Mapping[str, Any]] | None = None
    leaves: str | None = None
    at_once: bool = False
    deaf: bool = False
    movable: bool = False

    @property
    def gone(self) -> bool:
        """Whether it hears nothing more."""
        return self.leaves is not None and self.at_once


@dataclass(frozen=True, slots=True)
class Leaves:
    """An entry leaves; `notes` are what the machine says of it."""

    entry: str
    notes: tuple[Note, ...]


@dataclass(frozen=True, slots=True)
class Hears:
    """An entry that waits in a step hears the occurrence, as what this label of the step means."""

    entry: str
    step: str
    label: str


@dataclass(frozen=True, slots=True)
class Window:
    """The time [`since`, `until`) in which a conversion counts for an entry; `credited`: it has been counted."""

    entry: Any
    canvas: str
    conversion: Conversion
    since: datetime
    until: datetime
    credited: bool = False
    key: Any = None
    """The entry's, where the conversion compares with it."""


def credited(windows: Iterable[Window], what: Occurrence, person: Person) -> list[Window]:
    """The windows that this occurrence is credited to: of each goal the latest that is open at its instant (X7, X8).

    `windows` come latest first. A window counts once. Where the conversion compares with the key of an entry, it is the
    latest of those entries whose key fits.
    """
    latest: set[tuple[str, str]] = set()
    found = []
    for window in windows:
        goal = (window.canvas, window.conversion.name)
        if goal in latest or not window.since <= what.at < window.until:  # CNV-4, X7, X8
            continue
        trigger = window.conversion.trigger
        fits = judge(trigger, what, person, {}, canvas=window.canvas, key=window.key)
        if fits or not asks_key(trigger):
            latest.add(goal)
        if fits and not window.credited:  # CNV-7
            found.append(window)
    return found


def brings_in(plan: Plan, what: Occurrence, person: Person) -> bool:
    """Whether this occurrence is one by which people enter the canvas."""
    trigger = plan.canvas.schedule.trigger
    return trigger is not None and judge(trigger, what, person, {}, canvas=plan.canvas.name)


def decide(
    entries: Sequence[OpenEntry], what: Occurrence, person: Person
) -> tuple[list[OpenEntry], list[Leaves | Hears]]:
    """Let one person's entries hear an occurrence: the entries after it, and what was decided.

    Exits come before waits: an entry that leaves at once hears nothing more. Of several entries of one canvas that
    wait at one step the earliest hears it, the others leave (ACT-9); one that is perhaps too late comes after the others.
    """
    decided: list[Leaves | Hears] = []
    after = [_exited(one, what, person, decided) for one in entries]
    taken: set[tuple[str, str]] = set()
    for place in sorted(range(len(after)), key=lambda place: _passed(after[place].entry, what)):
        after[place] = _heard(after[place], what, person, taken, decided)
    return after, decided


def _passed(entry: Entry, what: Occurrence) -> bool:
    """Whether the deadline of the entry has passed at the instant of the occurrence."""
    return entry.wake_at is not None and what.at >= entry.wake_at


def _exited(one: OpenEntry, what: Occurrence, person: Person, decided: list[Leaves | Hears]) -> OpenEntry:
    """What happened before the entry never counts (EXT-4). Who leaves at the end of the step can still leave at once."""
    if one.gone or what.at < one.entry.entered:  # EXT-4
        return one
    contexts = [one.entry.context] if one.unsent is None else one.unsent
    for leaving in one.plan.canvas.event_exits:
        trigger = leaving.trigger
        if trigger is None or (one.leaves and not leaving.at_once):  # X1
            continue
        # EXT-1, EXT-3
        canvas, key = one.entry.canvas, one.entry.key
        if any(judge(trigger, what, person, context, canvas=canvas, key=key) for context in contexts):
            return _leaves(one, "exit_event", what, decided, at_once=leaving.at_once)  # EXT-5, X1
    return one


def _heard(
    one: OpenEntry,
    what: Occurrence,
    person: Person,
    taken: set[tuple[str, str]],
    decided: list[Leaves | Hears],
) -> OpenEntry:
    entry = one.entry
    if (
        one.gone
        or one.deaf
        or one.unsent is not None
        or entry.ended
        or entry.step is None
        or entry.begun is None
    ):
        return one
    if what.at < entry.begun or (_passed(entry, what) and not one.movable):  # ACT-4
        return one
    step = one.plan.steps[entry.step]
    label = heard(step, what, person, entry.context, canvas=entry.canvas, key=entry.key)
    if label is None:
        return one
    if (entry.canvas, entry.step) in taken:  # ACT-9, ACT-10
        return _leaves(one, "deduplicated", what, decided, at_once=True)
    taken.add((entry.canvas, entry.step))
    decided.append(Hears(entry.id, entry.step, label))
    return one


def _leaves(
    one: OpenEntry, reason: str, what: Occurrence, decided: list[Leaves | Hears], *, at_once: bool
) -> OpenEntry:
    entry = one.entry
    notes: tuple[Note, ...] = ()
    if one.unsent is None:
        event = Left(reason=reason, at=what.at, at_once=at_once)
        entry, commands = advance(one.plan, one.entry, event, what.at)
        notes = tuple(command for command in commands if isinstance(command, Note))
    decided.append(Leaves(entry.id, notes))
    return replace(one, entry=entry, leaves=reason, at_once=at_once)
