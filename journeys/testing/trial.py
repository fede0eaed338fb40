"""A trial: a canvas in virtual time, and the people who go through it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from journeys.canvas.events_and_commands import Entry, Go
from journeys.canvas.steps.base import Here
from journeys.canvas.times import span
from journeys.channels.base import channel_of, kinds
from journeys.engine.content.services import Call, Reply
from journeys.engine.delivery.channel import Channel, Receipt
from journeys.engine.people.profiles import Profile, shard_of
from journeys.testing.people import Impossible, TrialPerson
from journeys.testing.publication import (
    WORKSPACE,
    Given,
    checked,
    definitions_of,
    identity,
    publication_of,
)
from journeys.testing.schedules import ScheduledRuns, TrialRun
from journeys.testing.services import Answers, Stub, StubbedServices, reply
from journeys.testing.story import SentMessage, Story
from journeys.testing.timeline import After, Instant, instant
from journeys.testing.world import World

STARTS = "2026-12-07T09:00Z"
"""A Monday."""

MOST_TRIES = 20_000
"""So many ids are tried to find a person who is assigned to what a test asks for."""


class Trial:
    """One canvas, or several, in virtual time, for as many people as are made with `person`.

    Made by `journey`. Nothing is sent, and no database and no server is needed: what people do, the deadlines of
    entries, and the deliveries come in the order of their instants, and the engine's own code decides and renders.
    """

    def __init__(
        self,
        definitions: Given,
        canvas: str | Sequence[str] | None = None,
        *,
        starts: Instant = STARTS,
        zone: str | None = None,
        channels: Mapping[str, Channel] | None = None,
        folders: Sequence[Path] = (),
        occurrences: int | None = None,
    ) -> None:
        self.starts = instant(starts)
        found = definitions_of(definitions, folders)
        installed = {**dict.fromkeys(kinds()), **(channels or {})}
        self.warnings = checked(found, installed, self.starts)
        names = [canvas] if isinstance(canvas, str) else canvas
        publication = publication_of(found, names, self.starts, zone)
        self.canvases = list(publication.running)
        if not self.canvases:
            raise LookupError("these definitions have no canvas")
        self._answers = Answers()
        used = {each.channel for each in publication.templates.values()}
        made = {name: channel or channel_of(name) for name, channel in installed.items() if name in used}
        services = StubbedServices(self._answers, answers=self._answers)
        self._world = World(publication, self.starts, made, services)
        self._scheduled = {
            name: ScheduledRuns(self._world, running, occurrences)
            for name, running in publication.running.items()
            if running.plan.canvas.schedule.by_clock
        }
        for each in self._scheduled.values():
            each.plan_next()
        self._names = count(1)
        self.people: list[TrialPerson] = []

    # The world around ------------------------------------------------------------------------------------------

    def answers(
        self,
        url: str,
        *replies: Reply | Callable[[Call], Reply],
        json: Any = None,
        text: str | None = None,
        status: int = 200,
        method: str | None = None,
    ) -> None:
        """Say what a web service answers to calls of an address, in which `*` stands for anything.

        With several `replies` each call gets the next, and the last goes on for ever; one may be a function of the
        call. Of several patterns that fit the one that was said last counts. A call without an answer fails the test.
        """
        stubs: list[Stub] = list(replies) or [reply(status, json, text)]
        self._answers.replies.append((url, method, stubs))

    def catalog(self, name: str, items: Iterable[Mapping[str, Any]]) -> None:
        """Give a catalog its items, each with its `id`."""
        self._answers.catalogs[name] = {str(item["id"]): item for item in items}

    def selection(self, catalog: str, name: str, items: Iterable[Mapping[str, Any]]) -> None:
        """Say which items a selection of a catalog gives, and a recommendation of this name."""
        self._answers.selections[catalog, name] = list(items)

    def promotion(self, name: str, codes: Iterable[str]) -> None:
        """Give a promotion list its codes."""
        self._answers.promotions[name] = list(codes)

    def receipts(self, channel: str, *receipts: Receipt) -> None:
        """Say what the provider of a channel reports of the next deliveries; of those after them that they are sent."""
        self._world.deliveries.receipts.setdefault(channel, []).extend(receipts)

    def outage(self, lasts: After, *, after: After | None = None, at: Instant | None = None) -> None:
        """Let all workers be away for a while: alarms ring and messages leave when they are back."""
        begins = self._world.timeline.moment(after, at)
        self._world.timeline.outages.append((begins, begins + span(lasts)))

    @property
    def calls(self) -> Sequence[Call]:
        """The calls to web services that were made, in order."""
        return self._answers.calls

    def occurrences(self, canvas: str | None = None) -> list[TrialRun]:
        """The occurrences of a canvas' schedule that have come, in order: whom each let in, and whom which gate kept out."""
        name = self._world.canvas(canvas)
        return list(self._scheduled[name].runs) if name in self._scheduled else []

    @property
    def messages(self) -> list[SentMessage]:
        """The messages that were sent to anybody, in order."""
        return [SentMessage.of(each) for each in self._world.memory.caught]

    @property
    def now(self) -> datetime:
        """The instant that the trial has got to."""
        return max(self._world.timeline.clock.now(), self.starts)

    # People ----------------------------------------------------------------------------------------------------

    def person(
        self,
        *,
        external_id: str | None = None,
        bucket: int = 0,
        assigned: Mapping[str, str] | None = None,
        attributes: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> TrialPerson:
        """A person with these attributes, standard and custom ones by their names; a consent is `email_subscribe`.

        `assigned` says which variant of a canvas, and which path of an experiment, they are assigned to, by the name of
        the canvas or step. Raises ValueError where an attribute is none that a profile takes.
        """
        name = external_id or f"person-{next(self._names)}"
        if any(each.name == name for each in self.people):
            raise ValueError(f"there is a person “{name}” already")
        id_ = self._id(name, assigned or {})
        profile = Profile(
            WORKSPACE, id_, shard_of(id_), name, None, None, None, None, None, None, None, None, bucket, {}, {}, {},
            self.starts,
        )  # fmt: skip
        self._world.memory.people[id_] = profile
        one = TrialPerson(self._world, profile, self.run)
        one.write({**(attributes or {}), **more})
        self.people.append(one)
        return one

    def _id(self, name: str, assigned: Mapping[str, str]) -> Any:
        """An id by whose hash the person is assigned as the test asks for."""
        running = self._world.publication.running
        for number in range(MOST_TRIES):
            found = identity("person", name, number)
            if all(self._draws(str(found), place, way) for place, way in assigned.items()):
                return found
        known = {name: [each.name for each in one.plan.canvas.arms] for name, one in running.items()}
        raise LookupError(f"nobody is assigned to {dict(assigned)}; the variants are {known}")

    def _draws(self, person: str, place: str, way: str) -> bool:
        for name, one in self._world.publication.running.items():
            if name == place:
                return one.plan.variant_of(person).name == way
            if place in one.plan.steps:
                entry = Entry(
                    id="", canvas=name, person=person, moved=self.starts, entered=self.starts, step=place
                )
                outcome = one.plan.steps[place].arrive(Here(entry, self.starts, last=False))
                return (outcome.exit if isinstance(outcome, Go) else "control") == way
        raise LookupError(f"there is no canvas or step “{place}”")

    # Running ---------------------------------------------------------------------------------------------------

    def run(self, *, until: Instant | After | None = None) -> dict[str, Story]:
        """Let everything happen, up to an instant or a span after the start, or to the end; the last story of each.

        Raises `Impossible` where there is no end: a schedule goes on for ever, and nothing says how often it comes here.
        """
        endless = [name for name, each in self._scheduled.items() if each.endless] if until is None else []
        if endless:
            raise Impossible(
                f"the schedule of “{endless[0]}” has no end: say run(until=…), or journey(…, occurrences=4)"
            )
        end = None if until is None else self._world.timeline.end(until)
        work = partial(asyncio.run, self._world.timeline.run(end))
        if _in_a_loop():  # within a coroutine: the trial has a loop of its own
            with ThreadPoolExecutor(1) as thread:
                thread.submit(work).result()
        else:
            work()
        return {one.name: one.story for one in self.people}


def journey(
    definitions: Given,
    canvas: str | Sequence[str] | None = None,
    *,
    starts: Instant = STARTS,
    zone: str | None = None,
    channels: Mapping[str, Channel] | None = None,
    folders: Sequence[Path] = (),
    occurrences: int | None = None,
) -> Trial:
    """A trial of a canvas, which begins at an instant: canvases by the clock are launched at it.

    `definitions`: a file or folder, a text in YAML, a definition in Python, or a list of these; they are checked as a
    publication checks them, and `Refused` tells all that is wrong. `canvas`: the one, or those, that run; without it all
    of them do. `zone`: the company's, where the definitions have no settings of a workspace. `channels`: more than are
    installed. `occurrences`: so many of each schedule by the clock come, and no more.
    """
    return Trial(
        definitions,
        canvas,
        starts=starts,
        zone=zone,
        channels=channels,
        folders=folders,
        occurrences=occurrences,
    )


def _in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
