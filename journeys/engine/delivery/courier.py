"""The courier: drains the dispatches of a channel, batch by batch, exactly as far as its provider lets it be exact."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID

import asyncpg
import structlog
from pydantic_settings import BaseSettings, SettingsConfigDict

from journeys.canvas.steps import Message
from journeys.engine.audience.match import needs
from journeys.engine.clock import Clock
from journeys.engine.delivery.bell import TOPIC
from journeys.engine.delivery.claim import BATCH, LEASE, Claimed, calling, claim, release, renew
from journeys.engine.delivery.port import Channel, Doubtful, Receipt
from journeys.engine.delivery.prepare import Ready, Refused, prepare
from journeys.engine.delivery.settle import Settlement, pause, settle
from journeys.engine.people.profiles import History, Profile, history, load
from journeys.engine.ports import Bell, Teller
from journeys.engine.published import Published
from journeys.engine.store.database import Database

POLL = 1.0
"""Seconds after which a drainer looks without having been rung for."""

log = structlog.get_logger(__name__)


class PublicSettings(BaseSettings):
    """`JOURNEYS_PUBLIC_URL`: the address at which the API is reached from outside; links in messages lead there."""

    model_config = SettingsConfigDict(env_prefix="JOURNEYS_", extra="ignore")
    public_url: str = "http://localhost:8000"


class Courier:
    """Delivers what was dispatched. Open it as a context; `drain` runs until it is told to stop."""

    def __init__(
        self,
        db: Database,
        published: Published,
        clock: Clock,
        teller: Teller,
        bell: Bell,
        channels: Mapping[str, Channel],
        *,
        public_url: str | None = None,
    ) -> None:
        self._db = db
        self._published = published
        self._clock = clock
        self._teller = teller
        self._bell = bell
        self._channels = channels
        self._base = (public_url or PublicSettings().public_url).rstrip("/")
        self._rung: dict[str, asyncio.Event] = {name: asyncio.Event() for name in channels}

    async def __aenter__(self) -> Courier:
        for channel in self._channels.values():
            await channel.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        for channel in self._channels.values():
            await channel.close()

    async def drain(self, name: str, stop: asyncio.Event) -> None:
        """Deliver the dispatches of a channel as they come, until `stop` is set; then finish what was begun."""
        rung = self._rung[name]
        async with self._listening():
            while not stop.is_set():
                rung.clear()
                if await self.drain_once(name):
                    continue
                waits = {asyncio.ensure_future(rung.wait()), asyncio.ensure_future(stop.wait())}
                _, pending = await asyncio.wait(waits, timeout=POLL, return_when=asyncio.FIRST_COMPLETED)
                for each in pending:
                    each.cancel()

    @asynccontextmanager
    async def _listening(self) -> AsyncIterator[None]:
        """Hear the bell; without it the poll does the work."""

        def heard(_connection: object, _pid: int, _topic: str, channel: str) -> None:
            if channel in self._rung:
                self._rung[channel].set()

        try:
            connection = await asyncpg.connect(self._db.url)
        except (OSError, asyncpg.PostgresError) as error:
            log.warning("not_listening", error=type(error).__name__)
            yield
            return
        await connection.add_listener(TOPIC, heard)
        try:
            yield
        finally:
            with suppress(OSError, asyncpg.PostgresError, TimeoutError):
                await connection.close(timeout=2)

    async def drain_once(self, name: str, most: int = BATCH) -> int:
        """Claim one batch, deliver and settle it; returns how many dispatches it had."""
        channel = self._channels[name]
        batch = await claim(self._db, name, most)
        if not batch:
            return 0
        keeping = asyncio.create_task(self._keep(batch))
        try:
            await self._deliver(channel, batch)
        except asyncio.CancelledError:
            await asyncio.shield(release(self._db, batch[0].claim))
            raise
        finally:
            keeping.cancel()
        return len(batch)

    async def _keep(self, batch: Sequence[Claimed]) -> None:
        while True:
            await asyncio.sleep(LEASE.total_seconds() / 3)
            await renew(self._db, batch)

    async def _deliver(self, channel: Channel, batch: Sequence[Claimed]) -> None:
        settled: list[Settlement] = []
        prepared = await self._prepare(channel, batch)
        refused = [(one, what) for one, what in prepared if isinstance(what, Refused)]
        ready = [(one, what) for one, what in prepared if isinstance(what, Ready)]
        for one, what in refused:
            data = {"channel": channel.name, "reason": what.reason}
            settled.append(Settlement(one, what.outcome, self._clock.now(), data))
        if channel.idempotent:
            places = asyncio.Semaphore(channel.lanes)
            settled += await asyncio.gather(*(self._call(channel, one, what, places) for one, what in ready))
            await self._settle(settled)
            return
        await self._settle(settled)
        queue = list(reversed(ready))
        lanes = min(channel.lanes, len(queue))
        await asyncio.gather(*(self._lane(channel, queue) for _ in range(lanes)))

    async def _lane(self, channel: Channel, queue: list[tuple[Claimed, Ready]]) -> None:
        """One connection's work where the provider knows no key: mark, call, and settle with the next."""
        while queue:
            one, what = queue.pop()
            if not await calling(self._db, one):
                continue  # the claim was lost meanwhile: somebody else has it
            await self._settle([await self._call(channel, one, what, None)])

    async def _call(
        self, channel: Channel, one: Claimed, what: Ready, places: asyncio.Semaphore | None
    ) -> Settlement:
        try:
            if places is None:
                receipt = await channel.deliver(what.content, what.to, what.key)
            else:
                async with places:
                    receipt = await channel.deliver(what.content, what.to, what.key)
        except Doubtful as doubt:
            return await self._doubt(channel, one, str(doubt))
        except Exception as error:  # noqa: BLE001 - a channel of somebody's must not stop the others
            log.warning("channel_failed", channel=channel.name, error=type(error).__name__)
            receipt = Receipt("retry", f"the channel failed: {type(error).__name__}")
        return self._settlement(channel, one, receipt)

    def _settlement(self, channel: Channel, one: Claimed, receipt: Receipt) -> Settlement:
        data: dict[str, Any] = {"channel": channel.name}
        if receipt.provider_id:
            data["provider_id"] = receipt.provider_id
        if receipt.outcome != "retry":
            if receipt.outcome != "sent":
                data["reason"] = receipt.detail
            return Settlement(
                one, receipt.outcome, self._clock.now(), data, doubted=one.doubtful and not channel.idempotent
            )
        data["reason"] = receipt.detail
        after = pause(one.attempts, receipt.retry_after)
        return Settlement(one, "failed", self._clock.now(), data, after=after)

    async def _doubt(self, channel: Channel, one: Claimed, reason: str) -> Settlement:
        """Nobody knows whether it left: what the message's author says is done, and a fact remembers it."""
        plan = await self._published.plan(one.workspace, one.plan)
        step = plan.steps[one.step]
        data = {"channel": channel.name, "reason": reason}
        if isinstance(step, Message) and step.on_doubt == "skip":
            return Settlement(one, "failed", self._clock.now(), data, doubted=True)
        after = pause(one.attempts, None)
        return Settlement(one, "failed", self._clock.now(), data, after=after, doubted=True)

    async def _settle(self, settlements: Sequence[Settlement]) -> None:
        if settlements:
            self._teller.tell(await settle(self._db, settlements))

    async def _prepare(
        self, channel: Channel, batch: Sequence[Claimed]
    ) -> list[tuple[Claimed, Ready | Refused]]:
        made: list[tuple[Claimed, Ready | Refused]] = []
        now = self._clock.now()
        for workspace in sorted({one.workspace for one in batch}):
            ours = [one for one in batch if one.workspace == workspace]
            publication = await self._published.of(workspace)
            plans = {one.plan: await self._published.plan(workspace, one.plan) for one in ours}
            profiles = await load(self._db.pool, workspace, {one.person for one in ours}, consents=True)
            pasts = await self._pasts(workspace, ours, plans, publication)
            for one in ours:
                profile: Profile | None = profiles.get(one.person)
                if profile is None:
                    made.append((one, Refused("withdrawn", "person_gone")))
                    continue
                if one.doubtful and not channel.idempotent and self._skips(plans[one.plan], one):
                    made.append((one, Refused("failed", "in_doubt")))
                    continue
                what = prepare(
                    one,
                    channel,
                    publication,
                    plans[one.plan],
                    profile,
                    pasts.get(one.person, {}),
                    now,
                    self._base,
                )
                made.append((one, what))
        return made

    @staticmethod
    def _skips(plan: Any, one: Claimed) -> bool:
        step = plan.steps[one.step]
        return isinstance(step, Message) and step.on_doubt == "skip"

    async def _pasts(
        self, workspace: int, ours: Sequence[Claimed], plans: Mapping[str, Any], publication: Any
    ) -> Mapping[UUID, History]:
        """What these people did, as far as a message's `only_when` asks for it."""
        asked = {one.person: plans[one.plan].steps[one.step].only_when for one in ours}
        filters = [each for each in asked.values() if each is not None]
        wanted = needs(filters, publication.segments)
        people = [person for person, each in asked.items() if each is not None]
        return await history(self._db.pool, workspace, people, wanted, self._clock.now()) if people else {}
