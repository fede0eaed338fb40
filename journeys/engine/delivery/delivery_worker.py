"""The delivery worker: drains the dispatches of a channel in batches, exactly once as far as the provider allows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Coroutine, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any
from uuid import UUID

from journeys.canvas.filters import Filter
from journeys.canvas.plan import Plan
from journeys.canvas.steps import Message
from journeys.engine.audience.match import needs
from journeys.engine.clock import Clock
from journeys.engine.delivery.attributes_read import attributes
from journeys.engine.delivery.channel import Channel, Doubtful, Receipt
from journeys.engine.delivery.claim import BATCH, LEASE, Claimed, claim, release, renew
from journeys.engine.delivery.entry_keys import keys_of
from journeys.engine.delivery.message_content import makes_calls
from journeys.engine.delivery.message_people import people_of
from journeys.engine.delivery.outcomes import of_doubt, of_receipt, of_refusal, skips
from journeys.engine.delivery.preparation import Failed, Postponed, Ready, Refused, prepare
from journeys.engine.delivery.providers import Providers
from journeys.engine.delivery.public_address import PublicSettings
from journeys.engine.delivery.settlement import Settlement, give_back
from journeys.engine.delivery.settlement_queue import SettlementQueue
from journeys.engine.fair_batches import Notices, share_out
from journeys.engine.fair_shares import Lanes
from journeys.engine.fair_threads import Places
from journeys.engine.logs import logger
from journeys.engine.metrics import PROVIDER_SECONDS, RENDER_SECONDS, timed
from journeys.engine.outages import DATABASE, OUTAGES
from journeys.engine.outgoing.resolver import calling_for
from journeys.engine.people.profiles import History, Profile, history
from journeys.engine.ports import AlarmSync, Notifier
from journeys.engine.store.database import Database, away
from journeys.engine.store.notify import listening
from journeys.engine.workspaces.published import Publication, Published
from journeys.engine.workspaces.stored_plans import NotUnderstood
from journeys.engine.workspaces.template_services import TemplateServices

POLL = 1.0
"""Seconds after which a drainer polls without a notification."""

TAKE_OVER = 5.0
"""Seconds from the beginning of a drain before it takes over what is in doubt: who knows the outcome settles it first."""

FINISH = 5.0
"""Seconds that a call has to come to its end when the worker stops."""

UNREAD = 10.0
"""Seconds until a message is claimed again whose canvas this process does not understand."""

ASKING, ASKING_IN_ALL = 64, 512
"""The number of messages with calls that a process renders at once, of a workspace and of all."""

Prepared = Ready | Refused | Postponed | Failed

log = logger(__name__)


class DeliveryWorker:
    """Delivers what was dispatched. Open it as a context; `drain` runs until `stop` is set."""

    def __init__(
        self,
        db: Database,
        published: Published,
        clock: Clock,
        alarm_sync: AlarmSync,
        notifier: Notifier,
        channels: Mapping[str, Channel],
        *,
        public_url: str | None = None,
        template_services: TemplateServices | None = None,
    ) -> None:
        self._db = db
        self._published = published
        self._clock = clock
        self._settlements = SettlementQueue(db, published, clock, alarm_sync, notifier)
        self._channels = channels
        self._template_services = template_services or TemplateServices.of(db)
        self._asking = Places(ASKING, ASKING_IN_ALL)
        self._base = (public_url or PublicSettings().public_url).rstrip("/")
        self._notices = {name: Notices() for name in channels}
        self._lanes: dict[tuple[str, int], Lanes] = {}
        self._finishing: set[asyncio.Task[object]] = set()
        self._providers = Providers()

    async def __aenter__(self) -> DeliveryWorker:
        for channel in self._channels.values():
            await channel.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._finishing:
            await asyncio.wait(self._finishing, timeout=FINISH)
        for channel in self._channels.values():
            await channel.close()

    async def drain(self, name: str, stop: asyncio.Event) -> None:
        """Deliver the dispatches of a channel as they come, until `stop` is set; then finish what was begun.

        Each workspace has one batch under way: one that takes long holds up the next of its own, and no other's.
        Raises `ClockOff`, so that another process takes over.
        """
        began = time.monotonic()

        async def next_batch(without: Sequence[int]) -> Sequence[Claimed]:
            if self._providers.wait(name):
                return ()
            doubtful = time.monotonic() - began > TAKE_OVER
            most = 1 if self._providers.away(name) else BATCH  # one tries whether the provider is back
            return await claim(self._db, name, most, without, doubtful=doubtful)

        async with listening(self._db, self._notices):
            await share_out(
                next_batch,
                partial(self._take, name),
                self._notices[name],
                stop,
                poll=POLL,
                check=self._clock.check,
            )

    async def drain_once(self, name: str, most: int = BATCH) -> int:
        """Claim one batch, deliver and settle it; returns how many dispatches it had."""
        batch = await claim(self._db, name, most)
        if batch:
            await self._take(name, batch)
        return len(batch)

    async def _take(self, name: str, batch: Sequence[Claimed]) -> None:
        """Deliver and settle a batch."""
        keeping = asyncio.create_task(self._keep(batch))
        try:
            await self._deliver(self._channels[name], batch)
        except asyncio.CancelledError:
            await asyncio.shield(release(self._db, batch[0].claim))
            raise
        finally:
            keeping.cancel()

    async def _keep(self, batch: Sequence[Claimed]) -> None:
        while True:
            await asyncio.sleep(LEASE.total_seconds() / 3)
            await renew(self._db, batch)

    async def _deliver(self, channel: Channel, batch: Sequence[Claimed]) -> None:
        """Messages without calls are sent first; those that wait for calls, or take long, do not delay others."""
        made, asking = await self._prepare(channel, batch)
        try:
            await self._hand_over(channel, made)
            while asking:
                done, asking = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
                await self._hand_over(channel, [each.result() for each in done])
        finally:
            for each in asking:
                each.cancel()

    async def _hand_over(self, channel: Channel, prepared: Sequence[tuple[Claimed, Prepared]]) -> None:
        settled = [
            of_refusal(channel, one, what, self._clock.now())
            for one, what in prepared
            if not isinstance(what, Ready)
        ]
        ready = [(one, what) for one, what in prepared if isinstance(what, Ready)]
        ready.sort(key=lambda each: (each[0].priority, each[0].no), reverse=True)
        if settled:
            await self._settlements(settled)
        queues: dict[int, list[tuple[Claimed, Ready]]] = {}
        for each in ready:
            queues.setdefault(each[0].workspace, []).append(each)
        await asyncio.gather(
            *(
                self._in_lane(channel, workspace, queue)
                for workspace, queue in queues.items()
                for _ in range(min(channel.lanes, len(queue)))
            )
        )

    async def _in_lane(self, channel: Channel, workspace: int, queue: list[tuple[Claimed, Ready]]) -> None:
        """Work a queue off when one of the lanes is free: those of the channel, or of a workspace on it.

        Whom a repeatable call goes to is the workspace's own choice: so are its lanes. Others are shared, and given up
        after a call where another workspace waits for one. What cannot be settled at once keeps no lane meanwhile.
        """
        whose = workspace if channel.idempotent else 0
        lanes = self._lanes.setdefault((channel.name, whose), Lanes(channel.lanes))
        lane = self._repeatable if channel.idempotent else partial(self._doubtful, lanes)
        while True:
            async with lanes.held(workspace):
                done = await lane(channel, queue)
            if not done:
                return
            await self._settlements(done)

    async def _repeatable(self, channel: Channel, queue: list[tuple[Claimed, Ready]]) -> Sequence[Settlement]:
        """One of the calls under way where the provider does the same key once: call, and settle."""
        settling: list[Awaitable[None]] = []
        while queue:
            if self._providers.wait(channel.name):
                await self._leave(queue)
                break
            one, what = queue.pop()
            if await self._stopped(one):
                await give_back(self._db, [one])
                continue
            settling.append(
                asyncio.ensure_future(self._settlements([await self._whole_call(channel, one, what)]))
            )
        await asyncio.gather(*settling)
        return ()

    async def _doubtful(
        self, lanes: Lanes, channel: Channel, queue: list[tuple[Claimed, Ready]]
    ) -> Sequence[Settlement]:
        """One connection's work where the provider knows no key: mark, call, and settle with the next mark.

        Returns what is still to be settled, since somebody else has locked the person, or another workspace waits for
        the lane: the queue is not done then.
        """
        done: list[Settlement] = []
        while queue:
            if done and lanes.wanted(done[0].claimed.workspace):
                return done
            if self._providers.wait(channel.name):
                await self._leave(queue)
                break
            one, what = queue.pop()
            holds = await self._settlements.at_once(done, one)
            if holds is None:
                queue.append((one, what))
                return done
            done = [await self._whole_call(channel, one, what)] if holds else []
            if not holds:  # its canvas is stopped, or the claim was lost: then nothing is given back
                await give_back(self._db, [one])
        return () if await self._settlements.at_once(done) is not None else done

    async def _leave(self, queue: list[tuple[Claimed, Ready]]) -> None:
        """Give back what has not been called for."""
        left = [one for one, _ in queue]
        queue.clear()
        await give_back(self._db, left)

    async def _stopped(self, one: Claimed) -> bool:
        """Whether its canvas is not active any more, as far as this process has heard: at most a second ago."""
        running = (await self._published.of(one.workspace)).running.get(one.canvas)
        return running is not None and running.status != "active"

    async def _whole_call(self, channel: Channel, one: Claimed, what: Ready) -> Settlement:
        """A call comes to its end, and what became of it is settled, though its lane is cancelled meanwhile."""
        calling = asyncio.create_task(self._call(channel, one, what))
        try:
            return await asyncio.shield(calling)
        except asyncio.CancelledError:
            late = asyncio.create_task(self._settle(calling))
            self._finishing.add(late)
            late.add_done_callback(self._finishing.discard)
            raise

    async def _settle(self, calling: asyncio.Task[Settlement]) -> None:
        try:
            await self._settlements([await calling])
        except Exception as error:  # noqa: BLE001 - it is in doubt then
            log.warning("settlement_lost", error=type(error).__name__)

    async def _call(self, channel: Channel, one: Claimed, what: Ready) -> Settlement:
        calling_for.set(one.workspace)
        began = time.monotonic()
        outcome = "failed"
        try:
            receipt = await channel.deliver(what.content, what.to, what.key)
            outcome = receipt.outcome
            self._providers.heard(channel.name, receipt)
        except Doubtful as doubt:
            outcome = "in_doubt"
            plan = await self._published.plan(one.workspace, one.plan)
            return of_doubt(channel, one, plan, str(doubt), self._clock.now())
        except Exception as error:  # noqa: BLE001 - a channel of another package must not stop the others
            log.warning("channel_failed", channel=channel.name, error=type(error).__name__)
            receipt = Receipt("retry", f"the channel failed: {type(error).__name__}")
        finally:
            PROVIDER_SECONDS.labels(channel.name, outcome).observe(time.monotonic() - began)
        return of_receipt(channel, one, what, receipt, self._clock.now())

    async def _prepare(
        self, channel: Channel, batch: Sequence[Claimed]
    ) -> tuple[list[tuple[Claimed, Prepared]], set[asyncio.Task[tuple[Claimed, Prepared]]]]:
        """What can be prepared at once, and the tasks of those that make calls or take long."""
        made: list[tuple[Claimed, Prepared]] = []
        asking: set[asyncio.Task[tuple[Claimed, Prepared]]] = set()
        now = self._clock.now()
        for workspace in sorted({one.workspace for one in batch}):
            ours = [one for one in batch if one.workspace == workspace]
            publication = await self._published.of(workspace)
            plans, unread = await self._plans(ours)
            if unread:
                await give_back(self._db, unread, UNREAD)
                ours = [one for one in ours if one.plan in plans]
            steps = [plans[plan].steps[name] for plan, name in {(one.plan, one.step) for one in ours}]
            shown = attributes(publication, [step for step in steps if isinstance(step, Message)])
            ours, profiles = await people_of(self._db, workspace, ours, shown)
            pasts = await self._pasts(workspace, ours, plans, publication)
            keys = await keys_of(self._db, ours, plans)
            slow = self._slow(publication, ours, plans)
            for one in ours:
                profile: Profile | None = profiles.get(one.person)
                if profile is None:
                    made.append((one, Refused("withdrawn", "person_gone")))
                    continue
                if one.dropped is not None:
                    made.append((one, Refused("withdrawn", one.dropped)))
                    continue
                if one.doubtful and not channel.idempotent and skips(plans[one.plan], one.step):
                    made.append((one, Refused("failed", "in_doubt")))
                    continue
                preparing = timed(
                    RENDER_SECONDS.labels(channel.name),
                    prepare(
                        one,
                        channel,
                        publication,
                        plans[one.plan],
                        profile,
                        pasts.get(one.person, History()),
                        now,
                        self._base,
                        self._template_services.services(publication, one.person),
                        keys.get(one.entry),
                    ),
                )
                if (one.plan, one.step) in slow:
                    asking.add(asyncio.create_task(self._ask(one, preparing)))
                    continue
                task = asyncio.create_task(self._whole(one, preparing))
                await asyncio.sleep(0)  # nearly all are done with that
                if task.done():
                    made.append(task.result())
                else:
                    asking.add(task)
        return made, asking

    async def _plans(self, ours: Sequence[Claimed]) -> tuple[dict[str, Plan], list[Claimed]]:
        """The plans of these messages of one workspace, and those whose plan this process does not understand."""
        plans: dict[str, Plan] = {}
        for workspace, plan in {(one.workspace, one.plan) for one in ours}:
            with suppress(NotUnderstood):
                plans[plan] = await self._published.plan(workspace, plan)
        return plans, [one for one in ours if one.plan not in plans]

    @staticmethod
    def _slow(
        publication: Publication, ours: Sequence[Claimed], plans: Mapping[str, Plan]
    ) -> set[tuple[str, str]]:
        """The steps whose templates make calls, by plan."""
        found = set()
        for plan, name in {(one.plan, one.step) for one in ours}:
            step = plans[plan].steps[name]
            template = publication.templates.get(step.template) if isinstance(step, Message) else None
            if template is not None and makes_calls(template):
                found.add((plan, name))
        return found

    async def _ask(self, one: Claimed, preparing: Coroutine[Any, Any, Prepared]) -> tuple[Claimed, Prepared]:
        """Prepare one that makes calls, when it is its turn."""
        async with self._asking.held(one.workspace):
            return await self._whole(one, preparing)

    @staticmethod
    async def _whole(one: Claimed, preparing: Coroutine[Any, Any, Prepared]) -> tuple[Claimed, Prepared]:
        """Prepare one. Whatever happens to it happens to no other."""
        try:
            return one, await preparing
        except Exception as error:  # noqa: BLE001 - tried again, as where a channel fails
            if away(error):
                OUTAGES.gone(DATABASE, error)
            else:
                log.warning("rendering_failed", error=type(error).__name__)
            return one, Failed(f"it could not be rendered: {type(error).__name__}")

    async def _pasts(
        self, workspace: int, ours: Sequence[Claimed], plans: Mapping[str, Plan], publication: Publication
    ) -> Mapping[UUID, History]:
        """What these people did, as far as a message's `only_when` asks for it."""
        asked: dict[UUID, list[Filter]] = {}
        for one in ours:
            step = plans[one.plan].steps[one.step]
            if isinstance(step, Message) and step.only_when is not None:
                asked.setdefault(one.person, []).append(step.only_when)
        now = self._clock.now()
        wanted = {person: (needs(several, publication.segments), now) for person, several in asked.items()}
        return await history(self._db.pool, workspace, wanted)
