"""JourneysPlugin: adds the engine to any Temporal worker."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from temporalio.plugin import SimplePlugin
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkerConfig

from journeys.channels.base import Channel
from journeys.engine.clock import Clock
from journeys.engine.store.entry_writes import FETCHES
from journeys.worker import Engine, engine, keep_delivering
from journeys.workflows.activities import Activities
from journeys.workflows.deliver import WATCH, Deliver
from journeys.workflows.entry import EntryAlarm
from journeys.workflows.search_attributes import register_search_attributes


class JourneysPlugin(SimplePlugin):
    """Adds entries, bursts and delivery to a worker of yours, beside whatever else it does.

    `database_url` is a PostgreSQL with our schema (`journeys publish` makes it). `channels`: those that are
    installed, unless others are given. `sandboxed` keeps the SDK's sandbox, at two to three times the CPU.

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
        activities = Activities(lambda: self._up().bursts, self._clock, self._drain, WATCH)
        super().__init__(
            "journeys.plugin.JourneysPlugin",
            workflows=[EntryAlarm, Deliver],
            activities=[activities.burst, activities.drain],
            workflow_runner=None if sandboxed else UnsandboxedWorkflowRunner(),
        )

    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        """See base class; remembers the task queue, on which entries are started."""
        self._queue = config["task_queue"]
        return super().configure_worker(config)

    async def run_worker(self, worker: Worker, next: Callable[[Worker], Awaitable[None]]) -> None:  # noqa: A002
        """See base class; brings the engine up around the worker."""
        client = worker.client
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
            await next(worker)

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
