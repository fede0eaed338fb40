"""A canvas, compiled: flat, frozen, and named by the hash of its content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from journeys.canvas.canvas import Canvas, Variant
    from journeys.canvas.filters import Filter
    from journeys.canvas.steps.base import Step

Exits = Mapping[str, str | None]
"""The exits of one step, each with the step that it leads to; None where the entry ends."""


def lot(*names: str) -> float:
    """A number in [0, 1) that depends on these names alone, the same in every process (VAR-2, EXP-3)."""
    digest = blake2b("\x1f".join(names).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


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
        return frozenset(step for step, exits in self.exits.items() if exits["next"] is None)

    def is_last(self, step: str) -> bool:
        """Whether nothing follows the step (DLY-15)."""
        return step in self._last

    def variant_of(self, person: str) -> Variant:
        """The variant of this person: by a hash of person and canvas, so the same on every re-entry (VAR-2)."""
        place = lot(person, self.canvas.name) * 100
        for variant in self.canvas.arms:
            place -= variant.weight
            if place < 0:
                return variant
        return self.canvas.arms[-1]
