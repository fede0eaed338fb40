"""Looks back: what a step that begins to listen has missed since its own instant, and whether another entry heard it.

An event is judged as it would have been when it happened (ACT-7), and moves one entry of several that stand at the same
step (ACT-9): the others end as `deduplicated` (ACT-10). Which entry heard it is kept where a person may be in a canvas
more than once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from journeys.canvas.events_and_commands import Entry, Happened, Left
from journeys.canvas.plan import Plan
from journeys.engine.audience.match import Person, heard
from journeys.engine.entries.reading import Place, Reading


class Looking(Protocol):
    """What is asked of an entry that looks back."""

    @property
    def entry(self) -> Entry:
        """The entry as it stands now."""

    @property
    def place(self) -> tuple[int, UUID]:
        """Workspace and person."""

    @property
    def id(self) -> UUID:
        """The entry's."""


def several(plan: Plan) -> bool:
    """Whether a person may be in the canvas more than once."""
    return plan.canvas.reentry != "never" or plan.canvas.key is not None


def missed(plan: Plan, entry: Entry, person: Person) -> list[Happened]:
    """What the entry's step hears of the person's history since it began and before its deadline, in order (ACT-4)."""
    assert entry.step is not None and entry.begun is not None, "who looks back stands in a step"
    step, found = plan.steps[entry.step], []
    past = (each for many in person.history.values() for each in many)
    for occurrence in sorted(past, key=lambda each: each.no):
        early = occurrence.at < entry.begun
        late = entry.wake_at is not None and occurrence.at >= entry.wake_at
        if early or late or occurrence.no == entry.heard:  # ACT-4
            continue
        label = heard(step, occurrence, person, entry.context, canvas=entry.canvas, key=entry.key)
        if label is not None:
            found.append(Happened(label=label, occurrence=occurrence))
    return found


@dataclass(slots=True)
class Hearings:
    """Which entry heard which event at which step, of what this transaction has met; `new` is to be stored."""

    new: dict[Place, UUID] = field(default_factory=dict)

    async def answers(
        self, reading: Reading, asked: Sequence[tuple[Looking, Sequence[Happened]]]
    ) -> Mapping[str, tuple[Happened | Left, ...]]:
        """What each of these entries, of one person each, hears of what it missed, by its id."""
        places = [_place(looking, each) for looking, missed in asked for each in missed]
        held = {**(await reading.holders(places) if places else {}), **self.new}
        return {looking.entry.id: self._heard(looking, missed, held) for looking, missed in asked}

    def _heard(
        self, looking: Looking, missed: Sequence[Happened], held: Mapping[Place, UUID]
    ) -> tuple[Happened | Left, ...]:
        """What it missed, up to the first thing that another has heard; it leaves where that is the first (ACT-9, ACT-10)."""
        found: list[Happened | Left] = []
        for each in missed:
            place = _place(looking, each)
            if held.get(place, looking.id) != looking.id:
                if not found:
                    found.append(Left(reason="deduplicated", at=each.occurrence.at))  # ACT-10
                break
            if not found:
                self.new[place] = looking.id  # ACT-9
            found.append(each)
        return tuple(found)


def _place(looking: Looking, each: Happened) -> Place:
    entry = looking.entry
    return (*looking.place, entry.canvas, entry.step or "", each.occurrence.no)
