"""Alarm sync: tells Temporal of entries that were changed outside of their workflow, by start, nudge or cancel.

A transaction that changes an entry raises its turn. After the commit, and again by a sweep, the workflows of entries with
`told < turn` are informed. The calls are idempotent and may overlap; the store decides.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from opentelemetry import context as traces
from temporalio.client import Client
from temporalio.common import Priority, SearchAttributePair, TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from journeys.engine.clock import Clock
from journeys.engine.fair_shares import Allowance
from journeys.engine.logs import logger
from journeys.engine.metrics import ALARM_CALLS
from journeys.engine.outages import DATABASE, OUTAGES, TEMPORAL
from journeys.engine.ports import PendingAlarm
from journeys.engine.store.database import PASSING, Database, away
from journeys.engine.store.entry_writes import PENDING_ALARM, SHARED_ALARM
from journeys.workflows.entry import EntryAlarm
from journeys.workflows.run import RunAlarm
from journeys.workflows.search_attributes import CANVAS, PERSON, PLAN, WORKSPACE

TASK_TIMEOUT = timedelta(seconds=3)
"""A killed worker's entries go on after this long."""

MOST_WAITING = 2_000
"""So many may wait in memory to be carried over; the sweep carries what is beyond, so that a stop waits for few."""

LEAST_URGENT = 5

FLUSH = 0.25
"""Seconds between two writes of what was told; bursts write it themselves, so most rows never need it."""

SETTLED = "update entries t set told = greatest(t.told, s.turn) from unnest($1::int[], $2::uuid[], $3::uuid[], $4::int[]) \
as s(workspace, person, id, turn) where (t.workspace, t.person, t.id) = (s.workspace, s.person, s.id) and t.told < s.turn"

SETTLED_SHARED = (
    "update alarms t set told = greatest(t.told, s.turn) from unnest($1::int[], $2::uuid[], $3::int[]) \
as s(workspace, id, turn) where (t.workspace, t.id) = (s.workspace, s.id) and t.told < s.turn"
)

SWEEP = f"""
(select {PENDING_ALARM}, 'entry' as kind from entries
    where told < turn and moved < clock_timestamp() - interval '1 second' order by moved limit $1)
union all
(select {SHARED_ALARM} from alarms
    where told < turn and moved < clock_timestamp() - interval '1 second' order by moved limit $1)
"""  # noqa: S608 - constants

log = logger(__name__)


class Urgency:
    """Says of each workspace whether it is told of little: what is beyond that waits behind what others are told of."""

    def __init__(self, at_once: int = 50, each_second: float = 10.0) -> None:
        self._allowance = Allowance(at_once, each_second)

    def urgent(self, workspace: int, now: float) -> bool:
        """Whether one more, at this instant, is within what the workspace may have."""
        left = self._allowance.left(workspace, now)
        self._allowance.spend(workspace, min(1.0, left), now)
        return left >= 1.0


class Waiting:
    """What waits to be carried over: its workspaces take turns, and where it is full, the one with most gives way."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0
        self._queues: dict[int, deque[PendingAlarm]] = {}

    def __len__(self) -> int:
        return self._count

    def add(self, one: PendingAlarm) -> PendingAlarm | None:
        """Let it wait; returns what has no room for it, which may be itself."""
        queue = self._queues.setdefault(one.workspace, deque())
        queue.append(one)
        if self._count < self._most:
            self._count += 1
            return None
        longest = max(self._queues.items(), key=lambda each: (len(each[1]), each[0] == one.workspace))
        left = longest[1].pop()
        if not longest[1]:
            del self._queues[longest[0]]
        return left

    def next(self) -> PendingAlarm:
        """The first of the workspace whose last turn was longest ago."""
        workspace = next(iter(self._queues))
        queue = self._queues.pop(workspace)
        one = queue.popleft()
        if queue:
            self._queues[workspace] = queue
        self._count -= 1
        return one


class TemporalAlarmSync:
    """Tells in the background, at most `most` calls at a time. `sweep` repeats what was lost."""

    def __init__(
        self, db: Database, client: Client, clock: Clock, task_queue: str, *, most: int = 64
    ) -> None:
        self._db = db
        self._client = client
        self._clock = clock
        self._queue = task_queue
        self._most = most
        self._sweeping = asyncio.Semaphore(max(1, most // 4))
        self._waiting = Waiting(MOST_WAITING)
        self._urgency = Urgency()
        self._carriers = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._carrying: dict[UUID, int] = {}
        self._traces: dict[UUID, traces.Context] = {}
        self._said: list[PendingAlarm] = []
        self._flushing: asyncio.Task[None] | None = None

    def sync(self, pending_alarms: Sequence[PendingAlarm]) -> None:
        """Begin to carry these over; returns at once. Those for whom there is no room are left to the sweep."""
        for each in pending_alarms:
            self._later(each)

    def nudge(self, one: PendingAlarm) -> None:
        """Wake this entry's workflow, or start it where none runs, whatever was told before."""
        self._later(replace(one, told=max(one.told, 1)))

    async def sweep(self, most: int = 500) -> int:
        """Carry over what was committed a second ago or longer and not told; returns how many rows there were.

        What this process is carrying over already, or has and not yet written, is left alone: under a backlog each
        entry would be reported twice.
        """
        written = {one.entry: one.turn for one in self._said}
        rows = [PendingAlarm(*row) for row in await self._db.pool.fetch(SWEEP, most)]
        lost = [
            one for one in rows if one.turn > max(self._carrying.get(one.entry, 0), written.get(one.entry, 0))
        ]
        waiting = Waiting(most * 2)
        for one in lost:
            waiting.add(one)
        await asyncio.gather(*(self._swept(waiting.next()) for _ in lost))
        await self._flush()
        return len(lost)

    async def _swept(self, one: PendingAlarm) -> None:
        """Carry over what was lost, beside few others: what has just been committed goes past it."""
        async with self._sweeping:
            await self._carry(one)

    async def drain(self) -> None:
        """Wait until all that was begun is done."""
        while self._tasks:
            await asyncio.wait(self._tasks)
        await self._flush()

    def _later(self, one: PendingAlarm) -> None:
        self._carrying[one.entry] = max(one.turn, self._carrying.get(one.entry, 0))
        if trace := traces.get_current():
            self._traces[one.entry] = trace
        left = self._waiting.add(one)
        if left is not None:
            self._forget(left)
        if self._carriers < self._most:
            self._carriers += 1
            self._background(self._carry_all())

    async def _carry_all(self) -> None:
        """Carry over what waits, one after the other."""
        try:
            while self._waiting:
                try:
                    await self._carry(self._waiting.next())
                except Exception as error:
                    if away(error):
                        OUTAGES.gone(DATABASE, error)
                    else:
                        log.exception("alarm_sync_failed")
        finally:
            self._carriers -= 1
            if not self._carriers:  # the last one ended by force: what is left is the sweep's
                while self._waiting:
                    self._forget(self._waiting.next())

    def _forget(self, one: PendingAlarm) -> None:
        self._carrying.pop(one.entry, None)
        self._traces.pop(one.entry, None)

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry(self, one: PendingAlarm) -> None:
        self._carrying[one.entry] = max(one.turn, self._carrying.get(one.entry, 0))
        token = traces.attach(self._traces.pop(one.entry, traces.Context()))
        try:
            await self._carry_over(one)
        finally:
            traces.detach(token)
            if self._carrying.get(one.entry) == one.turn:
                del self._carrying[one.entry]

    async def _carry_over(self, one: PendingAlarm) -> None:
        try:
            await self._call(one)
        except WorkflowAlreadyStartedError:
            pass  # closed, or started by a call that died before it could say so
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:
                ALARM_CALLS.labels(_kind(one), "failed").inc()
                OUTAGES.gone(TEMPORAL, error.status.name)
                return  # `told` stays below `turn`: the sweep repeats it
        OUTAGES.back(TEMPORAL)
        ALARM_CALLS.labels(_kind(one), "done").inc()
        self._said.append(one)
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush_soon())
            self._tasks.add(self._flushing)
            self._flushing.add_done_callback(self._tasks.discard)

    async def _call(self, one: PendingAlarm) -> None:
        identity = f"{one.alarm}:{one.generation}"
        match _kind(one):
            case "cancel":
                await self._client.get_workflow_handle(identity).cancel()
            case "start":  # never told, never nudged: a bare start, with what is left of the delay
                await self._start(one, identity)
            case _:
                await self._start(one, identity, start_signal="nudge")

    async def _start(self, one: PendingAlarm, identity: str, **nudge: Any) -> None:
        """A signal that rides on a delayed start does not end the delay, so a nudge never carries one."""
        if not nudge and one.alarm_at is not None:
            left = self._clock.real(one.alarm_at) - self._clock.present()
            if left > timedelta(0):
                nudge["start_delay"] = left
        attributes = [
            SearchAttributePair(WORKSPACE, str(one.workspace)),
            SearchAttributePair(CANVAS, one.canvas),
            SearchAttributePair(PLAN, one.plan),
        ]
        if one.person is not None:
            attributes.append(SearchAttributePair(PERSON, str(one.person)))
        workflow: Any = EntryAlarm.run if one.kind != "run" else RunAlarm.run
        args = [str(one.alarm), one.turn] if one.kind != "run" else [one.workspace, str(one.alarm)]
        await self._client.start_workflow(
            workflow,
            args=args,
            id=identity,
            task_queue=self._queue,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            task_timeout=TASK_TIMEOUT,
            priority=Priority(priority_key=self._priority(one)),
            request_eager_start=not nudge,
            search_attributes=TypedSearchAttributes(attributes),
            **nudge,
        )

    def _priority(self, one: PendingAlarm) -> int:
        """The entry's own, or one less urgent where its workspace has very many: others do not wait behind them."""
        urgent = self._urgency.urgent(one.workspace, asyncio.get_running_loop().time())
        return one.priority if urgent else min(one.priority + 1, LEAST_URGENT)

    async def _flush_soon(self) -> None:
        await asyncio.sleep(FLUSH)
        try:
            await self._flush()
        except PASSING as error:  # what was told is told again by the sweep
            OUTAGES.gone(DATABASE, error)

    async def _flush(self) -> None:
        said, self._said = self._said, []
        own = [(one.workspace, one.person, one.entry, one.turn) for one in said if one.kind == "entry"]
        shared = [(one.workspace, one.alarm, one.turn) for one in said if one.kind != "entry"]
        if own:
            await self._db.pool.execute(SETTLED, *map(list, zip(*own, strict=True)))
        if shared:
            await self._db.pool.execute(SETTLED_SHARED, *map(list, zip(*shared, strict=True)))


def _kind(one: PendingAlarm) -> str:
    """How Temporal is told of it."""
    if one.ended:
        return "cancel"
    return "start" if one.told == 0 and one.turn == 1 else "nudge"
