"""Runs of schedules by the clock in a test: whole audiences come at each occurrence, by the gates of production.

What has come of an occurrence, and whom it is for, is decided by the engine's own functions (`slices_of`, `following`,
`matches`, and the gates); here stands in memory who is in a run already.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from journeys.canvas.occurrences import ScheduledOccurrence
from journeys.engine.audience.match import matches, needs
from journeys.engine.entries.admission import Entrant
from journeys.engine.entries.run_pages import admission_key
from journeys.engine.entries.runs import Slice, slices_of
from journeys.engine.people.profiles import Profile
from journeys.engine.workspaces.planned_runs import BATCH_PRIORITY, following, run_id
from journeys.engine.workspaces.published import Publication, Running
from journeys.testing.memory import Held, Memory, MemoryReading
from journeys.testing.timeline import RUN, Timeline


@dataclass(slots=True)
class TrialRun:
    """One occurrence of a schedule in a trial.

    `no`: its number, from 1. `at`: when it came, in the zone where it comes first. `entered`: the names of those whom it
    let in, in order. `refused`: how many were kept out, by gate; who is not in the audience does not come at all.
    `missed`: it came so late that the next one was due.
    """

    no: int
    at: datetime
    entered: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    missed: bool = False


class Admits(Protocol):
    """The part of a trial's world that lets people in."""

    publication: Publication
    starts: datetime
    timeline: Timeline
    memory: Memory
    reading: MemoryReading

    async def admit(self, running: Running, entrant: Entrant, run: UUID | None = None) -> Held | str | None:
        """Let a person in; returns the entry, the gate that keeps them out, or None: they came before."""

    async def burst(self, *several_: Held) -> None:
        """Let entries hear what they have not heard."""


class ScheduledRuns:
    """The runs of one canvas, of which each is planned when the one before it begins."""

    def __init__(self, world: Admits, running: Running, most: int | None) -> None:
        self._world = world
        self._running = running
        self._most = most
        self.runs: list[TrialRun] = []

    @property
    def endless(self) -> bool:
        """Whether there is always one more."""
        schedule = self._running.plan.canvas.schedule
        return bool(
            schedule.every and self._most is None and schedule.times is None and schedule.ends is None
        )

    def plan_next(self, after: ScheduledOccurrence | None = None) -> None:
        """Plan the occurrence after this one, or the first; nothing where it is not to be."""
        found = self._following(after)
        if found is not None and (self._most is None or found.no <= self._most):
            self._world.timeline.plan(max(found.first, self._world.starts), self._beginning(found), RUN)

    def _following(self, after: ScheduledOccurrence | None) -> ScheduledOccurrence | None:
        return following(self._running.plan, self._world.publication.zone, self._world.starts, after)

    def _beginning(self, occurrence: ScheduledOccurrence) -> Callable[[], Awaitable[None]]:
        async def begin() -> None:
            self.plan_next(occurrence)
            self.runs.append(TrialRun(occurrence.no, occurrence.first))
            await self._work(occurrence, self._following(occurrence), self.runs[-1], None, set())

        return begin

    async def _work(
        self,
        occurrence: ScheduledOccurrence,
        later: ScheduledOccurrence | None,
        run: TrialRun,
        asked: datetime | None,
        members: set[UUID],
    ) -> None:
        """Let those in whose time has come, and come back when that of others does."""
        now = self._world.timeline.clock.now()
        slices, coming = slices_of(occurrence, later, now, self._world.starts)
        if asked is None and not slices and not coming:
            run.missed = True
        for each in slices:
            if asked is None or each.at > asked:
                await self._let_in(each, run, members)
        if coming:

            async def go_on() -> None:
                await self._work(
                    occurrence, later, run, max((each.at for each in slices), default=asked), members
                )

            self._world.timeline.plan(coming[0], go_on, RUN)

    async def _let_in(self, of: Slice, run: TrialRun, members: set[UUID]) -> None:
        """Those of some zones who are in the audience at their instant, and not in the run yet, by their ids."""
        canvas = self._running.name
        identity = run_id(self._world.publication.workspace, canvas, self._world.starts, run.no)
        came: list[Held] = []
        for profile in await self._audience(of):
            if profile.id in members:
                continue
            members.add(profile.id)
            entrant = Entrant(
                profile=profile,
                admission_key=admission_key("schedule", identity),
                at=of.at,
                priority=BATCH_PRIORITY,
                judged=True,
            )
            found = await self._world.admit(self._running, entrant, identity)
            if isinstance(found, Held):
                came.append(found)
                run.entered.append(str(profile.external_id))
            elif found is not None:
                run.refused[found] += 1
        await self._world.burst(*came)

    async def _audience(self, of: Slice) -> Sequence[Profile]:
        world, canvas = self._world, self._running.plan.canvas
        zone, segments, people = world.publication.zone, world.publication.segments, world.memory.people
        there = [
            each for _, each in sorted(people.items()) if of.zones is None or (each.zone or zone) in of.zones
        ]
        if canvas.audience is None:
            return there
        wanted = needs([canvas.audience], segments)
        past = await world.reading.history(
            world.publication.workspace, {each.id: (wanted, of.at) for each in there}
        )
        return [
            each
            for each in there
            if matches(
                canvas.audience,
                each.as_person(zone, past[each.id]),
                now=of.at,
                segments=segments,
                canvas=canvas.name,
            )
        ]
