"""The gates in a simulation: of real people as in the store, of made-up ones by what is made up of them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from journeys.canvas.canvas import Canvas
from journeys.canvas.events_and_commands import Note
from journeys.canvas.filters import Filter
from journeys.canvas.occurrences import instants
from journeys.canvas.plan import Plan
from journeys.canvas.wall_clock import zone_of
from journeys.engine.audience.match import Person
from journeys.engine.core.gates import Candidate, opening, period_of, places, refusal
from journeys.engine.core.made_up_people import MadeUp
from journeys.engine.core.simulation_report import Line


@dataclass(slots=True)
class Stays:
    """When one person was in a canvas by now: they may come again, by a schedule that repeats."""

    last: datetime | None = None
    ended: datetime | None = None

    def noting(self, lines: Iterator[Line]) -> Iterator[Line]:
        """The lines of one more entry, of which it is noted when it began and when it ended."""
        for at, entry, command in lines:
            if isinstance(command, Note) and command.fact == "entered":
                self.last, self.ended = entry.entered, None
            if isinstance(command, Note) and command.fact == "ended":
                self.ended = at
            yield at, entry, command

    def inside(self, at: datetime) -> datetime | None:
        """The instant of the entry in which they still are; None: they are in none."""
        return self.last if self.ended is None or self.ended > at else None


def comings(plan: Plan, company: str, starts: datetime, zone: str, occurrences: int) -> Iterator[datetime]:
    """When a person of this zone comes to a canvas: when its clock says, so often, or else once at `starts`."""
    schedule = plan.canvas.schedule
    if not schedule.by_clock:
        return iter([starts])
    return islice(instants(schedule, company, starts, zone), occurrences)


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
        stays: Stays | None = None,
    ) -> str | None:
        """The gate that keeps this person out; None: they enter, and have taken a place."""
        who = person or (None if made_up is None else made_up.person)
        if who is None:
            return self._full(plan, at, company)
        stays = stays or Stays()
        canvas = opening(plan, zone_of(company), segments=segments, held_out=self.held_out)
        candidate = Candidate(
            person=who,
            at=at,
            context=context,
            last=stays.last,
            inside=stays.inside(at),
            judged=made_up is not None,
        )
        reason = refusal(canvas, candidate)
        if made_up is not None and reason in (None, "global_control") and self._outside(plan, made_up, at):
            reason = "audience"
        return reason or self._full(plan, at, company)

    @staticmethod
    def _outside(plan: Plan, made_up: MadeUp, at: datetime) -> bool:
        """Whether chance has it that a made-up person is not in the audience."""
        audience = plan.canvas.audience
        return audience is not None and not made_up.match(audience, at, "audience")

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
