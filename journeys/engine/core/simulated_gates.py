"""The gates in a simulation: of real people as in the store, of made-up ones by what is made up of them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from journeys.canvas.canvas import Canvas
from journeys.canvas.filters import Filter
from journeys.canvas.plan import Plan
from journeys.canvas.wall_clock import zone_of
from journeys.engine.audience.match import Person
from journeys.engine.core.gates import Candidate, opening, period_of, places, refusal
from journeys.engine.core.made_up_people import MadeUp


@dataclass(slots=True)
class Door:
    """The gates of one canvas. `held_out`: the buckets of the global control group, where it keeps these people out.

    `taken`: how many places of its entry limit are taken, by period.
    """

    held_out: frozenset[int] = frozenset()
    taken: Counter[str] = field(default_factory=Counter)

    def refuses(
        self,
        plan: Plan,
        person: Person | None,
        made_up: MadeUp | None,
        at: datetime,
        context: Mapping[str, Any],
        company: str,
        segments: Mapping[str, Filter],
    ) -> str | None:
        """The gate that keeps this person out; None: they enter, and have taken a place."""
        if person is not None:
            canvas = opening(plan, zone_of(company), segments=segments, held_out=self.held_out)
            reason = refusal(canvas, Candidate(person=person, at=at, context=context))
        else:
            reason = None if made_up is None else self._by_chance(plan, made_up, at)
        return reason or self._full(plan, at, company)

    def _by_chance(self, plan: Plan, made_up: MadeUp, at: datetime) -> str | None:
        audience = plan.canvas.audience
        if audience is not None and not made_up.match(audience, at, "audience"):
            return "audience"
        return "global_control" if made_up.person.bucket in self.held_out else None

    def _full(self, plan: Plan, at: datetime, company: str) -> str | None:
        limit = plan.canvas.entry_limit
        if limit is None:
            return None
        period = period_of(limit, at, company).name
        if not places(limit, self.taken[period], 1):
            return "entry_limit"
        self.taken[period] += 1
        return None


def with_key(canvas: Canvas, person: str) -> Mapping[str, Any]:
    """The context with which a person comes into a canvas whose entries have keys: one of their own."""
    found: Any = person
    for name in reversed((canvas.key_path or "").split(".")):
        found = {name: found}
    return {} if canvas.key_path is None else found
