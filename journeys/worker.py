"""The composition root: settings become an engine, an engine becomes a worker or an API."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import Field
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import PollerBehaviorSimpleMaximum, Worker, WorkerTuner

from journeys.channels.base import Channel, installed
from journeys.engine.clock import Clock
from journeys.engine.delivery.delivery_worker import DeliveryWorker
from journeys.engine.delivery.public_address import PublicSettings
from journeys.engine.entries.burst import Bursts
from journeys.engine.entries.fetching import Fetcher
from journeys.engine.entries.following_changes import FollowingChanges
from journeys.engine.entries.run_pages import RunPages
from journeys.engine.exports.exporting import Exporter
from journeys.engine.intake.scheduled_triggers import ScheduledTriggers
from journeys.engine.intake.triggering import Trigger
from journeys.engine.logs import logger
from journeys.engine.sources.connected.connected_content import connected_content
from journeys.engine.store.clock_check import measured_clock
from journeys.engine.store.database import Database
from journeys.engine.store.notify import PostgresNotifier
from journeys.engine.store.presence import Kind, announced
from journeys.engine.workspaces.published import Published
from journeys.engine.workspaces.template_services import TemplateServices
from journeys.workflows.alarm_sync import TemporalAlarmSync
from journeys.workflows.deliver import Deliver
from journeys.workflows.housekeeping import Housekeeping
from journeys.workflows.temporal_connection import TemporalSettings

TASK_QUEUE = "journeys"

WORKFLOW_SLOTS = 32
"""Workflow tasks in flight; one is held for a whole local activity, so they cap the bursts in flight."""

CACHED_WORKFLOWS = 500
"""Well above three times the slots, or local activities are run again."""

FASTEST = 864_000.0
"""The largest time scale, ten days in a second: beyond it, the calendar ends while one looks on."""

SLOTS = ("max_concurrent_workflow_tasks", "max_concurrent_activities", "max_concurrent_local_activities")
"""Settings of a worker that a tuner excludes."""

GRACEFUL = timedelta(seconds=20)
"""How long a worker that is asked to stop finishes what it has begun."""

log = logger(__name__)


class Settings(TemporalSettings):
    """Where the database and Temporal are, and the few knobs of a process, from the environment."""

    database_url: str = Field(
        validation_alias="DATABASE_URL",
        description="The PostgreSQL database, as any libpq URL: postgresql://user:password@host:5432/name",
        json_schema_extra={"secret": True},
    )
    task_queue: str = Field(
        default=TASK_QUEUE,
        min_length=1,
        description="The task queue of entries and deliveries: the same in all processes",
    )
    time_scale: float | None = Field(
        default=None,
        gt=0,
        le=FASTEST,
        description="How many times as fast as real time the time of canvases goes: for trials, never in production",
    )
    connections: int = Field(
        default=12,
        ge=1,
        description="The most connections of this process to the database",
        json_schema_extra={"unit": "connections"},
    )
    drain_lanes: int = Field(
        default=1,
        ge=1,
        description="How many drainers of each channel run at the same time, over all workers",
        json_schema_extra={"unit": "drainers"},
    )


@dataclass(slots=True)
class Engine:
    """The parts of one process, up and connected."""

    db: Database
    client: Client
    clock: Clock
    published: Published
    notifier: PostgresNotifier
    alarm_sync: TemporalAlarmSync
    bursts: Bursts
    delivery_worker: DeliveryWorker
    fetcher: Fetcher
    housekeeping: Housekeeping
    run_pages: RunPages
    channels: dict[str, Channel]


@asynccontextmanager
async def engine(
    database_url: str,
    client: Client,
    *,
    task_queue: str = TASK_QUEUE,
    clock: Clock | None = None,
    connections: int = 12,
    channels: Sequence[Channel] | None = None,
    keep_housekeeping: bool = True,
    public_url: str | None = None,
    kind: Kind = "worker",
) -> AsyncIterator[Engine]:
    """Everything but the worker and the API. `channels`: those that are installed, unless others are given.

    `kind`: as what the process is known to be alive.
    """
    clock = clock or Clock()
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(Database.at(database_url, size=connections))
        await stack.enter_async_context(measured_clock(db, clock))
        await stack.enter_async_context(announced(db, kind, clock))
        published = Published(db)
        notifier = PostgresNotifier(db)
        stack.push_async_callback(notifier.close)
        alarm_sync = TemporalAlarmSync(db, client, clock, task_queue)
        stack.push_async_callback(alarm_sync.drain)
        bursts = Bursts(db, published, clock, notifier)
        stack.push_async_callback(bursts.drain)
        ways = {channel.name: channel for channel in channels} if channels is not None else dict(installed())
        template_services = TemplateServices.of(db, await stack.enter_async_context(connected_content(db)))
        fetcher = Fetcher(db, published, clock, alarm_sync, template_services)
        delivery_worker = DeliveryWorker(
            db,
            published,
            clock,
            alarm_sync,
            notifier,
            ways,
            public_url=public_url,
            template_services=template_services,
        )
        await stack.enter_async_context(delivery_worker)

        async def closed(workflow_id: str) -> bool:
            return await is_closed(client, workflow_id)

        trigger = Trigger(db, published, clock, alarm_sync, notifier)
        run_pages = RunPages(db, published, clock, alarm_sync, notifier, ScheduledTriggers(trigger))
        following = FollowingChanges(db, bursts, clock, alarm_sync)
        exporter = Exporter(db, published, clock, public_url or PublicSettings().public_url)
        parts = db, published, clock, alarm_sync, notifier, following
        housekeeping = Housekeeping(*parts, closed=closed, exporter=exporter)
        if keep_housekeeping:
            housekeeping.start()
            stack.callback(housekeeping.stop)
        yield Engine(
            db,
            client,
            clock,
            published,
            notifier,
            alarm_sync,
            bursts,
            delivery_worker,
            fetcher,
            housekeeping,
            run_pages,
            ways,
        )


async def is_closed(client: Client, workflow_id: str) -> bool:
    """Whether the workflow of that id has come to an end, by itself or terminated by an operator."""
    try:
        description = await client.get_workflow_handle(workflow_id).describe()
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return False
        raise
    return description.status != WorkflowExecutionStatus.RUNNING


def measured(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a Temporal worker that were measured to suit ours, where it has none of its own."""
    options: dict[str, Any] = {
        "max_cached_workflows": CACHED_WORKFLOWS,
        "tuner": WorkerTuner.create_fixed(
            workflow_slots=WORKFLOW_SLOTS, activity_slots=50, local_activity_slots=100
        ),
        "workflow_task_poller_behavior": PollerBehaviorSimpleMaximum(maximum=4),
        "activity_task_poller_behavior": PollerBehaviorSimpleMaximum(maximum=2),
        "sticky_queue_schedule_to_start_timeout": timedelta(seconds=1),
        "graceful_shutdown_timeout": GRACEFUL,
    }
    if any(config.get(name) is not None for name in SLOTS):
        del options["tuner"]
    standard = inspect.signature(Worker.__init__).parameters
    return {
        name: value
        for name, value in options.items()
        if config.get(name, standard[name].default) == standard[name].default
    }


async def keep_delivering(client: Client, channels: Sequence[str], task_queue: str, lanes: int = 1) -> None:
    """Start the delivery workflows of these channels where they do not run yet."""
    for channel in channels:
        for lane in range(lanes):
            try:
                await client.start_workflow(
                    Deliver.run,
                    args=[channel, lane],
                    id=f"deliver:{task_queue}:{channel}:{lane}",
                    task_queue=task_queue,
                    id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                )
            except WorkflowAlreadyStartedError:
                log.debug("delivery_already_running", channel=channel, lane=lane)
