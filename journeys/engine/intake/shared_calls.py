"""Calls of `/users/track` that several share: those that come while others are stored go together into one transaction."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from contextvars import Context
from dataclasses import dataclass, field
from itertools import chain

from journeys.engine.clock import Clock
from journeys.engine.fair_threads import working_for
from journeys.engine.intake.track import Tracked, measured, store
from journeys.engine.intake.track_objects import Objects
from journeys.engine.logs import logger
from journeys.engine.ports import AlarmSync, Notifier
from journeys.engine.store.database import PASSING, Database
from journeys.engine.workspaces.published import Published

AT_ONCE = 2
"""Transactions of one workspace that are under way at once."""

MOST_TOGETHER = 600
"""Objects of one transaction that several calls share."""

log = logger(__name__)


def may_share(objects: Objects) -> bool:
    """Whether a call may go together with others: it has events and purchases only, so that their order is that of calls.

    Attributes of a call come before its events, and events of the call before have not to see them; and what a call says of
    an anonymous person, or to the sender of a `braze_id` that nobody has, is its own.
    """
    return bool(objects.items) and not any(
        item.array == "attributes" or item.anonymous is not None or item.who.sort == "braze_id"
        for item in objects.items
    )


@dataclass(slots=True)
class _Call:
    objects: Objects
    stored: asyncio.Future[None]


@dataclass(slots=True)
class _Waiting:
    """The calls of a workspace that are not under way yet, and the number of transactions that are."""

    calls: deque[_Call] = field(default_factory=deque)
    under_way: set[asyncio.Task[None]] = field(default_factory=set)


class SharedCalls:
    """Stores calls for which `may_share` is true. One that comes alone is stored at once, and waits for nobody.

    A transaction that fails is repeated call by call: none fails for another. When a call returns, what it says is
    committed (API-5).
    """

    def __init__(
        self, db: Database, published: Published, clock: Clock, alarm_sync: AlarmSync, notifier: Notifier
    ) -> None:
        self._parts = db, published, clock, alarm_sync, notifier
        self._waiting: dict[int, _Waiting] = {}

    async def __call__(self, workspace: int, objects: Objects) -> Tracked:
        """Store the objects of a call, with those of others where some are under way. Raises what the database raises."""
        waiting = self._waiting.setdefault(workspace, _Waiting())
        call = _Call(objects, asyncio.get_running_loop().create_future())
        waiting.calls.append(call)
        if len(waiting.under_way) < AT_ONCE:
            task = asyncio.create_task(self._drain(workspace, waiting), context=Context())
            waiting.under_way.add(task)
        await call.stored
        return measured(Tracked(objects.taken, objects.errors, objects.warnings))

    async def _drain(self, workspace: int, waiting: _Waiting) -> None:
        working_for.set(workspace)
        try:
            while waiting.calls:
                calls = [waiting.calls.popleft()]
                size = len(calls[0].objects.items)
                while waiting.calls and size + len(waiting.calls[0].objects.items) <= MOST_TOGETHER:
                    calls.append(waiting.calls.popleft())
                    size += len(calls[-1].objects.items)
                await self._stored(workspace, calls)
        finally:  # in the step that found no call: the next one would wait for a task that has ended
            waiting.under_way = {each for each in waiting.under_way if each is not asyncio.current_task()}
            if not waiting.under_way:
                self._waiting.pop(workspace, None)

    async def _stored(self, workspace: int, calls: Sequence[_Call]) -> None:
        items = list(chain.from_iterable(call.objects.items for call in calls))
        error: BaseException | None = None
        try:
            await store(*self._parts, workspace, Objects(items=items))
        except Exception as raised:  # noqa: BLE001 - each call is told of it
            error = raised
        if error is not None and len(calls) > 1 and not isinstance(error, PASSING):
            log.info("shared_calls_failed", calls=len(calls), error=type(error).__name__)
            for call in calls:
                await self._stored(workspace, [call])
            return
        for call in calls:
            if call.stored.done():
                continue
            if error is None:
                call.stored.set_result(None)
            else:
                call.stored.set_exception(error)
