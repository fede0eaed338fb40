"""The settlement queue: settles a delivery and marks the next one, in one commit for all lanes at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from journeys.engine.clock import Clock
from journeys.engine.delivery.claim import Claimed
from journeys.engine.delivery.sent_events import route_sent
from journeys.engine.delivery.settlement import Settlement, give_back, settle
from journeys.engine.logs import logger
from journeys.engine.outages import DATABASE, OUTAGES
from journeys.engine.ports import AlarmSync, Notifier
from journeys.engine.store.database import PASSING, Database
from journeys.engine.workspaces.published import Published

AGAIN = 0.25
"""Seconds between two tries while the database does not answer."""

log = logger(__name__)


@dataclass(slots=True, eq=False)
class _Passing:
    done: Sequence[Settlement]
    following: Claimed | None
    passed: asyncio.Future[bool] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def fail(self, error: BaseException) -> None:
        """Say why it could not pass."""
        if not self.passed.done():
            self.passed.set_exception(error)


class SettlementQueue:
    """Lanes pass through it one delivery after the other.

    What comes while a transaction is in flight shares the next one: no delay when idle. A lane's delivery is settled
    in the commit that marks its next one, so a kill leaves at most one in doubt per lane. A shared transaction that
    fails is repeated one by one, so that one failure stops no other lane, and what cannot be written of a delivery
    neither another's nor its own settlement. While the database does not answer, what was delivered is kept and settled as
    soon as it does, so that an outage leaves nothing in doubt that this process knows. Whoever does not wait any longer (a worker
    that stops) has not called: what was marked for it is given back, and is not in doubt.
    """

    def __init__(
        self, db: Database, published: Published, clock: Clock, alarm_sync: AlarmSync, notifier: Notifier
    ) -> None:
        self._db = db
        self._published = published
        self._clock = clock
        self._alarm_sync = alarm_sync
        self._notifier = notifier
        self._waiting: list[_Passing] = []
        self._flight: asyncio.Task[None] | None = None

    async def __call__(self, done: Sequence[Settlement], following: Claimed | None = None) -> bool:
        """Settle these, and say that the provider is called for the next one.

        False where that one's claim was lost: the call must not be made. Raises whatever the database raises.
        """
        passing = _Passing(done, following)
        self._waiting.append(passing)
        if self._flight is None or self._flight.done():
            self._flight = asyncio.create_task(self._fly())
        return await passing.passed

    async def _fly(self) -> None:
        while self._waiting:
            together, self._waiting = self._waiting, []
            try:
                await self._share(together)
            except BaseException as error:  # noqa: BLE001 - passed on to all who wait, so that none waits for ever
                gone, self._waiting = self._waiting, []
                for each in [*together, *gone]:
                    each.fail(error)

    async def _share(self, together: Sequence[_Passing]) -> None:
        try:
            marked = await self._lasting(together)
        except Exception as error:  # noqa: BLE001 - passed on to the caller
            if len(together) > 1:
                for each in together:
                    await self._share([each])
                return
            try:
                if not together[0].done or isinstance(error, PASSING):
                    raise
                marked = await self._alone(together[0])
            except Exception as lasting:  # noqa: BLE001 - handed on, too
                together[0].fail(lasting)
                return
        gone = []
        for each in together:
            if not each.passed.done():
                each.passed.set_result(each.following is not None and each.following.key in marked)
            elif each.following is not None:
                gone.append(each.following)
        if gone:
            await give_back(self._db, gone)

    async def _lasting(self, together: Sequence[_Passing]) -> set[str]:
        """Commit; where something was delivered, however long the database is away. Its claim decides whether it counts."""
        while True:
            try:
                return await self._commit(together)
            except PASSING as error:
                if not any(each.done for each in together):
                    raise
                OUTAGES.gone(DATABASE, error)
                await asyncio.sleep(AGAIN)

    async def _alone(self, passing: _Passing) -> set[str]:
        """Settle one by one, then mark: of one whose facts cannot be written only what became of it is settled."""
        for one in passing.done:
            try:
                await self._commit([_Passing([one], None)])
            except PASSING:
                raise
            except Exception as error:  # noqa: BLE001 - told in the fact
                log.warning("settlement_not_stored", error=type(error).__name__)
                why = f"the details cannot be stored: {type(error).__name__}"
                data = {"channel": one.data.get("channel"), "reason": why}
                await self._commit([_Passing([replace(one, data=data)], None)])
        return await self._commit([replace(passing, done=())])

    async def _commit(self, together: Sequence[_Passing]) -> set[str]:
        done = [one for each in together for one in each.done]
        following = [each.following for each in together if each.following is not None]
        sent: dict[int, list[Settlement]] = {}
        for one in done:
            if one.outcome == "sent" and one.after is None:
                sent.setdefault(one.claimed.workspace, []).append(one)
        publications = [await self._published.of(workspace) for workspace in sent]
        channels: set[str] = set()
        async with self._db.transaction() as connection:
            pending_alarms, marked = await settle(connection, done, following)
            for publication in publications:
                if publication.hears_sent:
                    rows = [
                        (one.claimed.person, one.claimed.entry, one.claimed.key, one.at)
                        for one in sent[publication.workspace]
                    ]
                    routed = await route_sent(connection, publication, self._published, self._clock, rows)
                    pending_alarms += routed.pending_alarms
                    channels |= routed.channels
        self._alarm_sync.sync(pending_alarms)
        for channel in channels:
            self._notifier.notify(channel)
        return marked
