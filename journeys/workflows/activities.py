"""The activities: a burst, and the draining of a channel. The composition root gives them their parts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from journeys.engine.clock import Clock, ClockOff
from journeys.engine.entries.burst import Bursts
from journeys.engine.entries.burst_calls import Call
from journeys.engine.entries.run_pages import RunPages
from journeys.engine.logs import logger
from journeys.engine.outages import DATABASE, OUTAGES, TEMPORAL
from journeys.engine.people.locking import Locked
from journeys.engine.store.database import away
from journeys.engine.workspaces.stored_plans import NotUnderstood
from journeys.workflows.run import STRETCH

log = logger(__name__)

UNREAD = "this process does not understand the entry's canvas; its log names it"
ASKED_AGAIN = timedelta(seconds=30)
"""How long an entry waits whose canvas the process does not understand, before it asks the next one."""

LOCKED = "somebody else has locked the person"
RELEASED = timedelta(seconds=1)
"""How long an entry whose person is locked waits before it asks again: it keeps no slot of a worker meanwhile.

Twice as long each time, up to `LONGEST_LOCKED`: many who wait for one person keep a worker from nobody else.
"""

LONGEST_LOCKED = timedelta(seconds=30)

LONGEST_AWAY = timedelta(seconds=15)
"""The longest pause before it is asked again whether the database answers: so late entries are at most when it is back."""

ONE_MOMENT = timedelta(seconds=1)
"""How long a channel waits whose process has a wrong clock, before the next one drains it."""

BEAT = 1.0
"""Seconds between two heartbeats of a drain."""

Drain = Callable[[str, asyncio.Event], Coroutine[Any, Any, None]]
"""Drains a channel until the event is set."""


class Activities:
    """What the workflows ask for. `ready` gives the parts, once the worker's engine is up."""

    def __init__(
        self,
        bursts: Callable[[], Bursts],
        clock: Clock,
        drain: Drain,
        watch: timedelta,
        runs: Callable[[], RunPages],
    ) -> None:
        self._bursts = bursts
        self._runs = runs
        self._clock = clock
        self._drain = drain
        self._watch = watch

    @activity.defn(name="journeys_burst")
    async def burst(self, alarm: str, turn: int, now: float) -> tuple[int, float | None]:
        """One alarm's burst: (turn, Unix seconds of the next alarm or None). `now` is the workflow's clock."""
        OUTAGES.back(TEMPORAL)
        at = self._clock.virtual(datetime.fromtimestamp(now, UTC))
        try:
            bursting = asyncio.ensure_future(self._bursts()(UUID(alarm), Call(turn, at)))
            bursting.add_done_callback(_noticed)
            reply = await asyncio.shield(bursting)
        except NotUnderstood as error:
            raise ApplicationError(
                UNREAD,
                type="NotUnderstood",
                category=ApplicationErrorCategory.BENIGN,
                non_retryable=activity.info().is_local,
                next_retry_delay=ASKED_AGAIN,
            ) from error
        except Locked as error:
            raise ApplicationError(
                LOCKED,
                type="Locked",
                category=ApplicationErrorCategory.BENIGN,
                non_retryable=activity.info().is_local,
                next_retry_delay=min(RELEASED * 2 ** min(activity.info().attempt - 1, 9), LONGEST_LOCKED),
            ) from error
        except Exception as error:
            told = _told(error)
            if told is None:
                raise
            raise told from error
        OUTAGES.back(DATABASE)
        return reply.turn, None if reply.alarm_at is None else self._clock.real(reply.alarm_at).timestamp()

    @activity.defn(name="journeys_drain")
    async def drain(self, channel: str, lane: int) -> None:
        """Drain a channel for a while, heartbeating; ends early where the worker shuts down or the call is withdrawn."""
        stop = asyncio.Event()
        draining = asyncio.create_task(self._drain(channel, stop))
        await self._beating(draining, stop, self._watch)

    @activity.defn(name="journeys_run")
    async def run(self, workspace: int, run: str) -> float | None:
        """See to a run for a while, heartbeating; after how many seconds it goes on, None where it is over."""
        stop = asyncio.Event()
        working = asyncio.create_task(self._runs().work(workspace, UUID(run), stop))
        await self._beating(working, stop, STRETCH)
        OUTAGES.back(DATABASE)
        return working.result()

    async def _beating(self, work: asyncio.Task[Any], stop: asyncio.Event, most: timedelta) -> None:
        """Beat while it works, at most for so long; then, or where the worker shuts down, let it come to its end."""
        OUTAGES.back(TEMPORAL)
        shutting = asyncio.create_task(activity.wait_for_worker_shutdown())
        ends = asyncio.get_running_loop().time() + most.total_seconds()
        try:
            while not work.done() and not shutting.done() and asyncio.get_running_loop().time() < ends:
                activity.heartbeat()
                await asyncio.wait({work, shutting}, timeout=BEAT, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            details = activity.cancellation_details()
            if details is None or details.cancel_requested:
                raise
            log.debug("activity_cancelled", activity=activity.info().activity_type)  # another goes on by now
        finally:
            shutting.cancel()
            stop.set()
            with suppress(asyncio.CancelledError):
                await self._ended(work)

    @staticmethod
    async def _ended(work: asyncio.Task[Any]) -> None:
        try:
            await work
        except ClockOff as error:  # logged where it was measured; some other process drains meanwhile
            raise ApplicationError(
                str(error),
                type="ClockOff",
                category=ApplicationErrorCategory.BENIGN,
                next_retry_delay=ONE_MOMENT,
            ) from error
        except Exception as error:
            told = _told(error)
            if told is None:
                raise
            raise told from error


def _noticed(done: asyncio.Future[Any]) -> None:
    """Nobody may be there any more to hear of its error."""
    if not done.cancelled():
        done.exception()


def _told(error: Exception) -> ApplicationError | None:
    """What an activity raises while the database does not answer: it is in the log once, and not at each try."""
    if not away(error):
        return None
    OUTAGES.gone(DATABASE, error)
    pause = min(timedelta(seconds=2 ** min(activity.info().attempt - 1, 9)), LONGEST_AWAY)
    return ApplicationError(
        "the database does not answer",
        type=type(error).__name__,
        category=ApplicationErrorCategory.BENIGN,
        next_retry_delay=None if activity.info().is_local else pause,
    )
