"""The life of a canvas: what a stop, a resume or an archive means for its entries and unsent messages. Pure.

A canvas' changes are a log that is only added to. A stop of a canvas rewrites no rows: each
entry has the number of the last change that was applied to it, and is brought up to date when it is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from journeys.canvas.events_and_commands import Command, Entry, Left
from journeys.canvas.plan import Plan
from journeys.engine.core.machine import advance

Word = Literal["publish", "stop", "resume", "archive"]

AFTER: Mapping[str, Mapping[str, str]] = {
    "stop": {"active": "stopped", "stopped": "stopped"},
    "resume": {"active": "active", "stopped": "active"},
    "archive": {"active": "archived", "stopped": "archived", "archived": "archived"},
}
"""The status that a canvas has after a word, by the one that it had; a missing word is not possible."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a canvas. `at` is an instant of the canvas' time, `stored` one of the database's own clock."""

    no: int
    kind: str
    at: datetime
    stored: datetime


@dataclass(frozen=True, slots=True)
class Present:
    """An entry that is up to date. `change`: the last change that was applied to it; `stopped`: its canvas is stopped.

    `commands` are what the machine says of an entry that ended on the way.
    """

    entry: Entry
    change: int
    stopped: bool = False
    commands: tuple[Command, ...] = ()


def current(plan: Plan, entry: Entry, change: int, changes: Iterable[Change]) -> Present:
    """Apply the changes after `change` to an entry, in their order.

    An entry that is due while its canvas is stopped ends at the resume, as `stopped`; others go on as planned, at the
    resume at the earliest (X4, STA-3). An archive ends it. A stop without a resume is not applied: it is read again
    each time that the entry is read, until the resume.
    """
    stop: Change | None = None
    for each in changes:
        if each.kind == "archive":
            return _ended(plan, entry, each, "archived")  # STA-1
        if each.kind == "stop":
            stop = stop or each
        elif each.kind == "resume" and stop is not None:
            if _within(entry.wake_at, stop.at, each.at):
                return _ended(plan, entry, each, "stopped")
            entry, stop = replace(entry, moved=max(entry.moved, each.at)), None
        if stop is None:
            change = each.no
    return Present(entry, change, stopped=stop is not None)


def dropped(due: datetime | None, changes: Iterable[Change]) -> str | None:
    """Why a message that waited while its canvas changed is not sent; None: it is sent.

    `due`: the instant, on the database's clock, before which it could not leave; None where there was none: then it was
    due before all of these changes. Dropped is what fell due while the canvas was stopped, and what an archive found.
    """
    stop: Change | None = None
    for each in changes:
        if each.kind == "archive":
            return "archived"
        if each.kind == "stop":
            stop = stop or each
        elif each.kind == "resume" and stop is not None:
            if _within(due, stop.stored, each.stored):
                return "stopped"
            stop = None
    return None


def shown(status: str, *, inside: int, over: bool) -> str:
    """The status as people read it: `idle` is an active canvas without open entries, whose entry window is over."""
    return "idle" if status == "active" and over and not inside else status


def _within(due: datetime | None, stop: datetime, resume: datetime) -> bool:
    return due is not None and stop <= due < resume


def _ended(plan: Plan, entry: Entry, by: Change, reason: str) -> Present:
    ended, commands = advance(plan, entry, Left(reason=reason, at=by.at), by.at)
    return Present(ended, by.no, commands=commands)
