"""The settlement queue: settles a delivery and marks the next one, in one commit for all lanes at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from uuid import UUID

from asyncpg.exceptions import LockNotAvailableError

from journeys.engine.clock import Clock
from journeys.engine.delivery.claim import Claimed
from journeys.engine.delivery.sent_events import route_sent
from journeys.engine.delivery.settlement import Settlement, give_back, lock_people, present_people, settle
from journeys.engine.fair_threads import Places
from journeys.engine.logs import logger
from journeys.engine.outages import DATABASE, OUTAGES
from journeys.engine.people.locking import ALONE_IN_ALL, BRIEFLY, SOON
from journeys.engine.ports import AlarmSync, Notifier
from journeys.engine.store.database import PASSING, Database, Moved
from journeys.engine.workspaces.published import Published

AGAIN = 0.25
"""Seconds between two tries while the database does not answer."""
LONGEST_PAUSE = 1.0
"""Seconds between two tries to settle a delivery whose person somebody has locked."""

log = logger(__name__)


@dataclass(slots=True, eq=False)
class _Passing:
    done: Sequence[Settlement]
    following: Claimed | None
    passed: asyncio.Future[bool | None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    @property
    def people(self) -> set[UUID]:
        """Those whose locks it needs."""
        return {one.claimed.person for one in self.done if one.after is None}

    def fail(self, error: BaseException) -> None:
        """Say why it could not pass."""
        if not self.passed.done():
            self.passed.set_exception(error)


class SettlementQueue:
    """Lanes pass through it one delivery after the other.

    What comes while a transaction is in flight shares the next one: no delay when idle. A lane's delivery is settled
    in the commit that marks its next one, so a kill leaves at most one in doubt per lane. A shared transaction that
    fails is repeated one by one, so that one failure stops no other lane, and what cannot be written of a delivery
    neither another's nor its own settlement. Nor does a transaction that lanes share wait for a person whom somebody
    else has locked: that delivery is settled a moment later, or alone. While the database does not answer, what was
    delivered is kept and settled as soon as it does, so that an outage leaves nothing in doubt that this process knows.
    Whoever does not wait any longer (a worker
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
        self._late: set[asyncio.Task[None]] = set()
        self._places = Places(1, ALONE_IN_ALL)

    async def __call__(self, done: Sequence[Settlement]) -> None:
        """Settle these of one workspace, however long somebody has locked their people.

        Raises whatever the database raises.
        """
        pause = SOON
        while await self.at_once(done) is None:
            if (
                pause > SOON
                and self._places.free(done[0].claimed.workspace)
                and await asyncio.shield(asyncio.create_task(self._by_itself(done)))
            ):
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def at_once(self, done: Sequence[Settlement], following: Claimed | None = None) -> bool | None:
        """Settle these, and say that the provider is called for the next one, unless a person of these is locked.

        False where that one's claim was lost: the call must not be made. None where a person is locked: nothing was
        done. Raises whatever the database raises.
        """
        passing = _Passing(done, following)
        self._waiting.append(passing)
        if self._flight is None or self._flight.done():
            self._flight = asyncio.create_task(self._fly())
        return await passing.passed

    async def _by_itself(self, done: Sequence[Settlement]) -> bool:
        """Settle these as soon as their people are free; False where that takes long."""
        passing = _Passing(done, None)
        async with self._places.held(done[0].claimed.workspace):
            await self._share([passing], skip=False)
        return await passing.passed is not None

    async def _fly(self) -> None:
        while self._waiting:
            together, self._waiting = self._waiting, []
            try:
                await self._share(together)
            except BaseException as error:  # noqa: BLE001 - passed on to all who wait, so that none waits for ever
                gone, self._waiting = self._waiting, []
                for each in [*together, *gone]:
                    each.fail(error)

    async def _share(self, together: Sequence[_Passing], *, skip: bool = True) -> None:
        try:
            marked, left = await self._lasting(together, skip=skip)
        except LockNotAvailableError:
            marked, left = set(), list(together)
        except Exception as error:  # noqa: BLE001 - passed on to the caller
            if len(together) > 1:
                for each in together:
                    await self._share([each])
                return
            try:
                if not together[0].done or isinstance(error, PASSING):
                    raise
                marked, left = await self._alone(together[0], skip=skip)
            except LockNotAvailableError:
                marked, left = set(), list(together)
            except Exception as lasting:  # noqa: BLE001 - handed on, too
                together[0].fail(lasting)
                return
        gone = []
        for each in together:
            if not each.passed.done():
                each.passed.set_result(
                    None if each in left else each.following is not None and each.following.key in marked
                )
            elif each in left and each.done:
                self._later(each.done)
            elif each.following is not None and each not in left:
                gone.append(each.following)
        if gone:
            await give_back(self._db, gone)

    def _later(self, done: Sequence[Settlement]) -> None:
        """Settle these though nobody waits for it any longer."""
        late = asyncio.create_task(self(done))
        self._late.add(late)
        late.add_done_callback(self._late.discard)

    async def _lasting(self, together: Sequence[_Passing], *, skip: bool) -> tuple[set[str], list[_Passing]]:
        """Commit; where something was delivered, however long the database is away. Its claim decides whether it counts."""
        waited = False
        while True:
            try:
                found = await self._commit(together, skip=skip)
            except PASSING as error:
                if not any(each.done for each in together):
                    raise
                OUTAGES.gone(DATABASE, error)
                waited = True
                await asyncio.sleep(AGAIN)
            else:
                if waited:
                    OUTAGES.back(DATABASE)
                return found

    async def _alone(self, passing: _Passing, *, skip: bool) -> tuple[set[str], list[_Passing]]:
        """Settle one by one, then mark: of one whose facts cannot be written only what became of it is settled.

        Where a person is locked it stops: what is settled by then is not settled again.
        """
        for one in passing.done:
            try:
                _, left = await self._commit([_Passing([one], None)], skip=skip)
            except (*PASSING, LockNotAvailableError):
                raise
            except Exception as error:  # noqa: BLE001 - told in the fact
                log.warning("settlement_not_stored", error=type(error).__name__)
                why = f"the details cannot be stored: {type(error).__name__}"
                data = {"channel": one.data.get("channel"), "reason": why}
                _, left = await self._commit([_Passing([replace(one, data=data)], None)], skip=skip)
            if left:
                return set(), [passing]
        return await self._commit([replace(passing, done=())])

    async def _commit(
        self, together: Sequence[_Passing], *, skip: bool = True
    ) -> tuple[set[str], list[_Passing]]:
        """The keys that were marked; and those that were left out, since a person of theirs is locked.

        Where one does not `skip`, a lock is waited for, but not for long. What became another person's by a merge since
        it was claimed is settled as theirs.
        """
        while True:
            with suppress(Moved):
                return await self._transaction(together, skip=skip)

    async def _transaction(
        self, together: Sequence[_Passing], *, skip: bool
    ) -> tuple[set[str], list[_Passing]]:
        """One try. Raises `Moved` where a person was merged into another, whose it is now."""
        workspaces = {one.claimed.workspace for each in together for one in each.done if _has_left(one)}
        publications = [await self._published.of(workspace) for workspace in sorted(workspaces)]
        channels: set[tuple[str, int]] = set()
        async with self._db.transaction() as connection:
            if not skip:
                await connection.execute(BRIEFLY)
            held = await lock_people(connection, [one for each in together for one in each.done], skip=skip)
            into = await present_people(connection, [one for each in together for one in each.done], held)
            if into:
                for each in together:
                    each.done = [
                        one.of(into.get(one.claimed.person, one.claimed.person)) for one in each.done
                    ]
                raise Moved
            left = [each for each in together if skip and not each.people <= held]
            done = [one for each in together if each not in left for one in each.done]
            following = [each.following for each in together if each.following and each not in left]
            pending_alarms, marked = await settle(connection, done, following)
            for publication in publications:
                rows = [
                    (one.claimed.person, one.claimed.entry, one.claimed.key, one.at)
                    for one in done
                    if _has_left(one) and one.claimed.workspace == publication.workspace
                ]
                if rows and publication.hears_sent:
                    routed = await route_sent(connection, publication, self._published, self._clock, rows)
                    pending_alarms += routed.pending_alarms
                    channels |= routed.channels
        self._alarm_sync.sync(pending_alarms)
        for channel, workspace in channels:
            self._notifier.notify(channel, workspace)
        return marked, left


def _has_left(one: Settlement) -> bool:
    """Whether it has left: entries may wait for that."""
    return one.outcome == "sent" and one.after is None
