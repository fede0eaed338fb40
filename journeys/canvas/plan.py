"""The plan: a compiled canvas, flat, frozen, and named by the hash of its content."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import blake2b

from journeys.canvas.assignment import hash_fraction, pick
from journeys.canvas.canvas import Canvas, Variant
from journeys.canvas.filters import Filter
from journeys.canvas.steps import Context, Delay, Message, Step, UserUpdate

END = "end"
"""`then: end` ends the entry."""

Exits = Mapping[str, str | None]
"""The exits of one step, each with the step that it leads to; None where the entry ends."""


@dataclass(frozen=True)
class Plan:
    """What entries go by. Plans are never changed: an edited canvas compiles to another plan with another `id`.

    `steps` by id; `exits` by step and exit; `starts`: the first step of each variant, None where it has none;
    `audience_exits`: the filters that are judged at every boundary between steps (EXT-6).
    """

    id: str
    canvas: Canvas
    steps: Mapping[str, Step]
    exits: Mapping[str, Exits]
    starts: Mapping[str, str | None]
    audience_exits: tuple[Filter, ...] = ()

    @cached_property
    def _last(self) -> frozenset[str]:
        return frozenset(step for step, exits in self.exits.items() if exits["next"] is None)  # DLY-15

    def is_last(self, step: str) -> bool:
        """Whether nothing follows the step (DLY-15)."""
        return step in self._last

    @cached_property
    def same_message(self) -> Mapping[str, frozenset[str]]:
        """The steps in which an entry may find that another of the person's waits for the message that it comes to (CTL-9).

        With those in which such an entry waits: delays that lead to the message, through steps that neither wait nor
        branch, and the message itself. Of canvases that people enter by API, and may be in several times without a key.
        """
        canvas = self.canvas
        if canvas.schedule.api is None or canvas.reentry == "never" or not canvas.overlaps:
            return {}
        waiting: dict[str, set[str]] = {}
        for name, step in self.steps.items():
            if (message := self._leads_to(name, step)) is not None:
                waiting.setdefault(message, set()).add(name)
        return {name: frozenset(several) for several in waiting.values() for name in several}

    def _leads_to(self, name: str, step: Step) -> str | None:
        """The message that an entry waits for in this step."""
        if isinstance(step, Message):
            return name
        following = self.exits[name]["next"] if isinstance(step, Delay) else None
        while following is not None and not isinstance(self.steps[following], Message):
            passing = isinstance(self.steps[following], Context | UserUpdate)
            following = self.exits[following]["next"] if passing else None
        return following

    def variant_of(self, person: str) -> Variant:
        """The variant of this person: by a hash of person and canvas, so the same on every re-entry (VAR-2)."""
        arms = {variant.name: variant for variant in self.canvas.arms}
        shares = {name: variant.weight for name, variant in arms.items()}
        return arms[pick(hash_fraction(person, self.canvas.name), shares)]  # VAR-2

    def longest_from(self, entered: datetime) -> timedelta:
        """The longest that an entry of this instant can last, over all paths of all variants (CTL-6).

        A delay until an instant lasts as long as that lies ahead of whoever comes to it last.
        """
        latest = {start: entered for start in self.starts.values() if start is not None}
        end = entered
        for step in self.order:
            left = self.steps[step].latest(latest.get(step, entered))
            end = max(end, left)  # CTL-6
            for target in self.exits[step].values():
                if target is not None:
                    latest[target] = max(left, latest.get(target, left))  # CTL-6
        return end - entered

    @property
    def order(self) -> Sequence[str]:
        """The steps in the order in which they are written: forwards only, so every exit leads further down."""
        return tuple(self.steps)


def walk(steps: Sequence[Step]) -> Iterator[Step]:
    """All steps of a sequence and of the branches within it, in the order in which they are written."""
    for step in steps:
        yield step
        for branch in step.branches().values():
            yield from walk(branch.steps)


def links(
    steps: Sequence[Step], after: str | None, meant: Callable[[str], str | None] = str
) -> Iterator[tuple[str, dict[str, str | None]]]:
    """The exits of all steps of a sequence that is followed by the step `after`.

    A sequence reads downwards; a branch that runs out falls through to what follows the branching step; `then`
    goes elsewhere: to the step that it `meant`, and nowhere else where it meant none.
    """
    for place, step in enumerate(steps):
        following = steps[place + 1].id if place + 1 < len(steps) else after  # GEN-3
        onward = _then(step.then, following, meant)
        exits: dict[str, str | None] = {"next": onward}
        for name, branch in step.branches().items():
            end = _then(branch.then, onward, meant)
            exits[name] = branch.steps[0].id if branch.steps else end
            yield from links(branch.steps, end, meant)
        yield step.id, exits


def _then(then: str | None, following: str | None, meant: Callable[[str], str | None]) -> str | None:
    if then == END:
        return None
    return following if then is None else meant(then) or following


def canonical(canvas: Canvas) -> str:
    """The canvas as canonical JSON, every default written out."""
    return json.dumps(
        canvas.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )


def compile(canvas: Canvas) -> Plan:  # noqa: A001 - the verb of the design
    """The plan of a canvas that was checked. The same canvas gives the same plan, wherever it was written."""
    steps = {step.id: step for variant in canvas.arms for step in walk(variant.steps)}
    exits = {step: ways for variant in canvas.arms for step, ways in links(variant.steps, None)}
    starts = {variant.name: variant.steps[0].id if variant.steps else None for variant in canvas.arms}
    digest = blake2b(canonical(canvas).encode(), digest_size=8).hexdigest()
    return Plan(f"{canvas.name}@{digest}", canvas, steps, exits, starts, canvas.audience_exits)
