"""Deliveries in a test, and the answers to steps that ask others: the engine's preparation, outcomes and pauses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from journeys.canvas.events_and_commands import NOTHING, Answered, Delivered, Kind, Note
from journeys.canvas.steps import Message
from journeys.engine.audience.match import needs
from journeys.engine.content.services import Retry
from journeys.engine.delivery.channel import Channel, Receipt
from journeys.engine.delivery.outcomes import of_receipt, of_refusal
from journeys.engine.delivery.preparation import Ready, prepare
from journeys.engine.delivery.settlement import Settlement
from journeys.engine.delivery.tracking_links import Mark
from journeys.engine.entries.answering import Wanted, Writer, answered, unanswered
from journeys.engine.people.profiles import Profile
from journeys.engine.workspaces.published import Publication
from journeys.testing.memory import Caught, Held, Memory, MemoryReading, Queued
from journeys.testing.services import StubbedServices
from journeys.testing.timeline import Act, Timeline

BASE = "https://journeys.test"
"""Where the links in messages lead."""


class Around(Protocol):
    """What deliveries need of the world around them."""

    publication: Publication
    timeline: Timeline
    memory: Memory
    reading: MemoryReading
    numbers: Iterator[int]

    async def happens(
        self,
        profile: Profile,
        kind: Kind,
        name: str,
        properties: Mapping[str, Any],
        at: datetime | None = None,
        hops: int = 0,
    ) -> None:
        """Store something that a person did, and let it be heard."""

    async def burst(self, *several_: Held) -> None:
        """Let entries hear what they have not heard."""

    def note(self, one: Held, note: Note) -> None:
        """Keep a fact of an entry."""


class Deliveries:
    """Delivers what is queued. `receipts` are what providers answer next, by channel."""

    def __init__(self, world: Around, channels: Mapping[str, Channel], services: StubbedServices) -> None:
        self._world = world
        self._channels = channels
        self._services = services
        self.receipts: dict[str, list[Receipt]] = {}

    async def deliver(self) -> None:
        """Deliver whatever may leave now, one after the other."""
        while (one := self._next()) is not None:
            claimed, channel = one.claimed, self._channels[one.channel]
            held = next(each for each in self._world.memory.entries if each.id == claimed.entry)
            profile, now, step = (
                self._world.memory.people[claimed.person],
                self._world.timeline.clock.now(),
                held.plan.steps[claimed.step],
            )
            assert isinstance(step, Message), "only message steps make dispatches"
            asked = [] if step.only_when is None else [step.only_when]
            wanted = {profile.id: (needs(asked, self._world.publication.segments), now)}
            past = await self._world.reading.history(claimed.workspace, wanted)
            what = await prepare(
                claimed, channel, self._world.publication, held.plan, profile, past[profile.id], now, BASE,
                self._services.services(self._world.publication, profile.id), held.entry.key,
            )  # fmt: skip
            if not isinstance(what, Ready):
                await self._settle(one, held, of_refusal(channel, claimed, what, now))
                continue
            queue = self.receipts.get(one.channel)
            receipt = queue.pop(0) if queue else Receipt("sent")
            if receipt.outcome == "sent":
                mark = Mark(
                    claimed.workspace, profile.id, claimed.entry, claimed.canvas, claimed.step, one.channel
                )
                self._world.memory.caught.append(
                    Caught(mark, now, what.to.address, what.key, what.content, what.extras)
                )
            await self._settle(one, held, of_receipt(channel, claimed, what, receipt, now))

    def _next(self) -> Queued | None:
        """The next that may leave: of the messages of an entry on a channel the first, unless it was put behind."""
        now = self._world.timeline.clock.now()
        for one in sorted(
            self._world.memory.queued, key=lambda each: (each.claimed.priority, each.claimed.no)
        ):
            mine, first = one.claimed, True
            for other in self._world.memory.queued:
                theirs = other.claimed
                if theirs.entry == mine.entry and other.channel == one.channel and theirs is not mine:
                    first = first and not (theirs.no < mine.no or theirs.waits > 0)
            if one.not_before <= now and (mine.waits > 0 or first):
                return one
        return None

    async def _settle(self, one: Queued, held: Held, settlement: Settlement) -> None:
        claimed, now = one.claimed, self._world.timeline.clock.now()
        if settlement.after is not None:
            if settlement.behind:
                one.claimed = replace(claimed, waits=claimed.waits + 1, no=next(self._world.numbers))
            elif settlement.outcome != "away":
                one.claimed = replace(claimed, attempts=claimed.attempts + 1)
            one.not_before = now + timedelta(seconds=settlement.after)
            self._world.timeline.plan(one.not_before, self.deliver)
            return
        self._world.memory.queued.remove(one)
        self._world.note(
            held, Note(fact=settlement.outcome, at=settlement.at, step=claimed.step, data=settlement.data)
        )
        if settlement.bounced is not None:
            self._world.memory.bounce(one.channel, settlement.bounced)
        told: Any = Delivered(step=claimed.step, outcome=settlement.outcome, at=settlement.at)  # type: ignore[arg-type]
        if claimed.held and not held.entry.ended:
            held.inbox.append((next(self._world.numbers), claimed.step, told))
        if settlement.outcome == "sent":
            profile, said = (
                self._world.memory.people[claimed.person],
                self._world.memory.caught[-1].mark.properties,
            )
            await self._world.happens(profile, "message", "sent", said, settlement.at, held.loaded.hops + 1)
        if claimed.held:
            await self._world.burst(held)

    def fetching(self, one: Held, wanted: Wanted) -> Act:
        """Work out what an entry's step asks others for, and let it hear the answer."""

        async def fetch() -> None:
            entry, profile = one.entry, one.loaded.profile
            if entry.ended or entry.step != wanted.step or entry.phase != "asked":
                return
            now = self._world.timeline.clock.now()
            values = self._world.publication.values(
                profile, one.plan, wanted.step, entry.variant, entry.context, NOTHING, now
            )
            writer = Writer(
                self._services, self._world.publication, profile.id, f"{wanted.entry}/{wanted.step}"
            )
            try:
                answer = await answered(wanted, one.plan.steps[wanted.step], values, writer)
            except Retry as retry:
                answer = unanswered(wanted, retry)
            if answer.again is not None:
                later = replace(wanted, tries=wanted.tries + answer.counts)
                self._world.timeline.plan(now + timedelta(seconds=answer.again), self.fetching(one, later))
                return
            for fact, data in answer.facts:
                self._world.note(one, Note(fact=fact, at=now, step=wanted.step, data=data))
            said = Answered(dict(answer.values) if answer.label == "found" else None, now)
            one.inbox.append((next(self._world.numbers), wanted.step, said))
            await self._world.burst(one)

        return fetch
