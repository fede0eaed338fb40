"""JourneysPlugin: adds the engine to any Temporal worker.

Only our own workflows run outside of the SDK's sandbox; the host's run where they ran before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from temporalio import workflow
from temporalio.plugin import SimplePlugin
from temporalio.worker import (
    UnsandboxedWorkflowRunner,
    Worker,
    WorkerConfig,
    WorkflowInstance,
    WorkflowInstanceDetails,
    WorkflowRunner,
)
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from journeys.channels.base import Channel
from journeys.engine.clock import Clock
from journeys.engine.store.entry_writes import FETCHES
from journeys.engine.store.migrate import check_database
from journeys.worker import Engine, engine, keep_delivering, measured
from journeys.workflows.activities import Activities
from journeys.workflows.deliver import WATCH, Deliver
from journeys.workflows.entry import EntryAlarm
from journeys.workflows.run import RunAlarm
from journeys.workflows.search_attributes import register_search_attributes

OURS = (EntryAlarm, RunAlarm, Deliver)


class OursOutside(WorkflowRunner):
    """Runs our workflows outside of the sandbox, which doubles or triples their CPU, and all others as before."""

    def __init__(self, others: WorkflowRunner) -> None:
        self._others = others
        self._ours = UnsandboxedWorkflowRunner()

    def _for(self, definition: workflow._Definition) -> WorkflowRunner:
        return self._ours if definition.cls in OURS else self._others

    def prepare_workflow(self, defn: workflow._Definition) -> None:
        """See base class."""
        self._for(defn).prepare_workflow(defn)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """See base class."""
        return self._for(det.defn).create_instance(det)

    def set_worker_level_failure_exception_types(self, types: Sequence[type[BaseException]]) -> None:
        """See base class."""
        self._others.set_worker_level_failure_exception_types(types)


class JourneysPlugin(SimplePlugin):
    """Adds entries, bursts and delivery to a worker of yours, beside whatever else it does.

    `database_url` is a PostgreSQL with our schema (`journeys publish` makes it); a worker whose database cannot be
    reached or has none of our tables ends with `Unfit`, which says so in one line. `channels`: those that are
    installed, unless others are given. `sandboxed` keeps our workflows within the SDK's sandbox too, at two to three
    times their CPU. Settings of the worker that are not given get values that were measured (`worker.measured`).

    Example:
        >>> worker = Worker(client, task_queue="mine", plugins=[JourneysPlugin("postgresql:///journeys")])  # doctest: +SKIP
        >>> await worker.run()                                                                              # doctest: +SKIP
    """

    def __init__(
        self,
        database_url: str,
        *,
        clock: Clock | None = None,
        connections: int = 12,
        channels: Sequence[Channel] | None = None,
        sandboxed: bool = False,
        drain_lanes: int = 1,
        public_url: str | None = None,
    ) -> None:
        self._database_url = database_url
        self._clock = clock or Clock()
        self._connections = connections
        self._channels = channels
        self._lanes = drain_lanes
        self._public_url = public_url
        self.engine: Engine | None = None
        """The parts of this process, while the worker runs."""
        activities = Activities(
            lambda: self._up().bursts, self._clock, self._drain, WATCH, lambda: self._up().run_pages
        )
        super().__init__(
            "journeys.plugin.JourneysPlugin",
            workflows=list(OURS),
            activities=[activities.burst, activities.drain, activities.run],
            workflow_runner=None if sandboxed else _ours_outside,
        )

    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        """See base class; remembers the task queue, on which entries are started."""
        self._queue = config["task_queue"]
        config.update(measured(config))  # type: ignore[typeddict-item]
        return super().configure_worker(config)

    async def run_worker(self, worker: Worker, next: Callable[[Worker], Awaitable[None]]) -> None:  # noqa: A002
        """See base class; brings the engine up around the worker. Raises `Unfit` where the database is not ready."""
        client, began = worker.client, False
        try:
            await check_database(self._database_url)
            await register_search_attributes(client)
            async with engine(
                self._database_url,
                client,
                task_queue=self._queue,
                clock=self._clock,
                connections=self._connections,
                channels=self._channels,
                public_url=self._public_url,
            ) as parts:
                self.engine = parts
                await keep_delivering(client, [*parts.channels, FETCHES], self._queue, self._lanes)
                began = True
                await next(worker)
        finally:
            self.engine = None
            if not began:
                _never_ran(worker)

    async def _drain(self, channel: str, stop: asyncio.Event) -> None:
        parts = self._up()
        if channel == FETCHES:
            await parts.fetcher.drain(stop)
        else:
            await parts.delivery_worker.drain(channel, stop)

    def _up(self) -> Engine:
        if self.engine is None:
            raise RuntimeError("the plugin's engine is available only while its worker runs")
        return self.engine


def _ours_outside(others: WorkflowRunner | None) -> WorkflowRunner:
    return OursOutside(others or SandboxedWorkflowRunner())


def _never_ran(worker: Worker) -> None:
    """Let the end of the worker's `async with` not wait for the end of what never began: the SDK sees to that only where
    the worker itself cannot begin."""
    complete = getattr(worker, "_shutdown_complete_event", None)
    if isinstance(complete, asyncio.Event):
        complete.set()
