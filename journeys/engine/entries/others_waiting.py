"""Answers whether another entry of a person waits for the message that an entry comes to (CTL-9).

Entries of the transaction count as they stand in it, the others as they are stored and the changes of their canvas make
them; the person is locked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from journeys.canvas.events_and_commands import Entry, OthersWait, ZonesAnswer
from journeys.canvas.plan import Plan
from journeys.engine.core.life import current
from journeys.engine.core.machine import HELD
from journeys.engine.entries.looking_back import Looking
from journeys.engine.entries.reading import Reading, Waiter
from journeys.engine.people.profiles import Profile
from journeys.engine.workspaces.published import Publication


class Asking(Looking, Protocol):
    """An entry that asks, or that is asked about."""

    @property
    def plan(self) -> Plan:
        """The plan that it goes by."""

    @property
    def profile(self) -> Profile:
        """The person."""

    @property
    def publication(self) -> Publication:
        """What their workspace runs."""

    @property
    def beside(self) -> bool:
        """Whether the person may have another entry of the canvas."""


def waits(entry: Entry) -> bool:
    """Whether the entry waits, for whatever it is, and is not about to leave."""
    return not entry.ended and entry.leaving is None and entry.wake_at is not None and entry.phase != HELD


async def others_wait(
    reading: Reading, asked: Sequence[tuple[Asking, OthersWait]], loaded: Iterable[Asking]
) -> Mapping[str, bool]:
    """The answer for each of these entries, of one person each, by its id. `loaded`: all entries of the transaction."""
    if not asked:
        return {}
    here = {each.id: each for each in loaded}
    perhaps = [_waiter(each) for each, _ in asked if each.beside]
    stored = [each for each in await reading.waiting(perhaps) if each.id not in here] if perhaps else []
    answers = {}
    for each, question in asked:
        mine, plan = _waiter(each), each.plan
        now = [one.entry for one in here.values() if one.id != each.id and _waiter(one) == mine]
        zones = ZonesAnswer(each.publication.zone, each.profile.as_person(each.publication.zone).zone)
        now += [
            current(plan, one.entry, one.change, one.changes, zones).entry
            for one in stored
            if one.waiter == mine and one.entry.step in question.steps
        ]
        answers[each.entry.id] = any(one.step in question.steps and waits(one) for one in now)
    return answers


def _waiter(each: Asking) -> Waiter:
    return (*each.place, each.entry.canvas)
