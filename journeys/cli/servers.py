"""`serve` and `worker`: the processes of production, which run until they are stopped."""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext, suppress
from typing import Annotated

import uvicorn
from cyclopts import Parameter
from cyclopts.validators import Number
from starlette.types import ASGIApp
from temporalio.client import Client, Interceptor
from temporalio.worker import Worker
from uvicorn.loops.auto import auto_loop_factory

from journeys.api.app import app, monitoring_app
from journeys.api.services import Services
from journeys.api.slow_heads import HeadsInTime
from journeys.api.upkeep import kept_up
from journeys.cli.addresses import migrated
from journeys.cli.console import run
from journeys.cli.logs import log_to, say
from journeys.cli.settings import warn
from journeys.cli.stop import Stop
from journeys.cli.tracing import traced
from journeys.cli.waiting import Away, until_there
from journeys.engine.clock import Clock
from journeys.engine.store.database import Database
from journeys.engine.store.shared_clock import OtherScale, keep_clock
from journeys.plugin import JourneysPlugin
from journeys.worker import Engine, Settings, engine
from journeys.workflows.sdk_runtime import SdkRuntime
from journeys.workflows.temporal_connection import NoAnswer, connect


@asynccontextmanager
async def served(application: ASGIApp, host: str, port: int, what: str = "the API") -> AsyncIterator[int]:
    """An application on a port (0: any that is free), which it yields. `what`: how messages call it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, ValueError) as error:  # a host name that is none is a ValueError
        said = getattr(error, "strerror", None) or error
        raise Stop(f"{what} cannot listen on {host}:{port}: {said}") from error
    server = uvicorn.Server(
        uvicorn.Config(
            application, http=HeadsInTime, ws="none", log_level="warning", lifespan="off", access_log=False
        )
    )
    server.capture_signals = nullcontext  # type: ignore[assignment]  # ours are enough
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield int(listening.getsockname()[1])
    finally:
        server.should_exit = True
        with suppress(TimeoutError):
            await asyncio.wait_for(task, 10)


@asynccontextmanager
async def serving(services: Services, host: str, port: int) -> AsyncIterator[int]:
    """The API over these services on a port (0: any that is free), which it yields."""
    async with kept_up(services), served(app(services), host, port) as at:
        yield at


def services_of(parts: Engine, sdk: SdkRuntime | None = None) -> Services:
    """What the API needs of an engine."""
    return Services(
        parts.db,
        parts.published,
        parts.clock,
        parts.alarm_sync,
        parts.notifier,
        temporal=parts.client.service_client.check_health,
        channels=parts.channels,
        sdk_metrics=sdk.metrics if sdk else None,
    )


def up() -> None:
    """Call it when a process is up: the garbage collector need not look again at what is there by now.

    It would hold up the event loop for a tenth of a second each time that it looks at everything. And threads that
    compute give way to the event loop ten times as soon as by default.
    """
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(SWITCH)


SWITCH = 0.0005
"""Seconds after which a thread that computes gives way to the event loop, which waits so long each time that it wakes."""

Port = Annotated[int, Parameter(validator=Number(gte=0, lte=65535))]


def serve(*, host: str = "127.0.0.1", port: Port = 8000) -> int:
    """Run the API only, with DATABASE_URL and TEMPORAL_ADDRESS, until Ctrl-C. Where they do not answer yet, it waits.

    Parameters
    ----------
    host
        Address to listen on.
    port
        Port to listen on; 0 for a free one.
    """

    async def work(stop: asyncio.Event) -> int:
        log_to()
        settings = Settings()
        warn()
        sdk = SdkRuntime()
        async with (
            traced() as interceptors,
            _going(settings, stop, sdk, interceptors) as (client, clock),
            engine(
                settings.database_url,
                client,
                task_queue=settings.task_queue,
                clock=clock,
                connections=settings.connections,
                keep_housekeeping=False,
                kind="api",
            ) as parts,
            serving(services_of(parts, sdk), host, port) as at,
        ):
            up()
            say(f"the API listens on http://{host}:{at}")
            await stop.wait()
        return 0

    return run(work, auto_loop_factory())


def worker(*, host: str = "127.0.0.1", port: Port | None = None) -> int:
    """Run one worker process, with DATABASE_URL and TEMPORAL_ADDRESS, until Ctrl-C or SIGTERM.

    Where they do not answer yet, it waits.

    Parameters
    ----------
    host
        Address at which it answers /health, /ready and /metrics.
    port
        Port of that address; 0 for a free one. Without it, it does not answer.
    """

    async def work(stop: asyncio.Event) -> int:
        log_to()
        settings = Settings()
        warn()
        sdk = SdkRuntime()
        async with traced() as interceptors, _going(settings, stop, sdk, interceptors) as (client, clock):
            plugin = JourneysPlugin(
                settings.database_url,
                clock=clock,
                connections=settings.connections,
                drain_lanes=settings.drain_lanes,
            )
            async with AsyncExitStack() as stack:
                parts = await stack.enter_async_context(working(client, settings.task_queue, plugin))
                up()
                say(f"working on the task queue {settings.task_queue}")
                if port is not None:
                    monitoring = served(monitoring_app(services_of(parts, sdk)), host, port, "the worker")
                    at = await stack.enter_async_context(monitoring)
                    say(f"it answers /health, /ready and /metrics on http://{host}:{at}")
                await stop.wait()
                say("finishing the work in progress")
        return 0

    return run(work)


@asynccontextmanager
async def _going(
    settings: Settings, stop: asyncio.Event, sdk: SdkRuntime, interceptors: Sequence[Interceptor]
) -> AsyncIterator[tuple[Client, Clock]]:
    """A client of Temporal, and the clock of the database, whose schema is brought up to date.

    Waits for both, however long they are away.
    """
    await until_there(lambda: migrated(settings.database_url), stop)
    client = await until_there(lambda: _connected(settings, sdk, interceptors), stop)
    await until_there(
        lambda: migrated(settings.database_url), stop
    )  # while Temporal was away it may have left
    async with Database.at(settings.database_url, size=2) as db, clock_of(db, settings.time_scale) as clock:
        yield client, clock


async def _connected(settings: Settings, sdk: SdkRuntime, interceptors: Sequence[Interceptor]) -> Client:
    try:
        return await connect(settings, sdk.runtime, interceptors)
    except NoAnswer as error:
        raise Away(str(error)) from error
    except RuntimeError as error:
        raise Stop(str(error)) from error


@asynccontextmanager
async def clock_of(db: Database, scale: float | None) -> AsyncIterator[Clock]:
    """The clock of this database, for as long as the block lasts; stops where another process keeps it otherwise."""
    try:
        async with keep_clock(db, scale) as clock:
            yield clock
    except OtherScale as error:
        raise Stop(str(error), 2) from error


@asynccontextmanager
async def working(client: Client, task_queue: str, plugin: JourneysPlugin) -> AsyncIterator[Engine]:
    """A worker that runs while the block lasts, and its engine. Whatever ends it is raised, at the beginning too.

    The worker's own `async with` waits for ever where its plugin cannot begin.
    """
    worker = Worker(client, task_queue=task_queue, plugins=[plugin])
    running, here = asyncio.create_task(worker.run()), asyncio.current_task()
    assert here is not None, "this runs in a task"
    ended = False

    def fallen(_: asyncio.Task[None]) -> None:
        if not ended:
            here.cancel()

    running.add_done_callback(fallen)
    try:
        while plugin.engine is None:
            await asyncio.sleep(0.01)
        yield plugin.engine
    except asyncio.CancelledError:
        if running.done() and (error := running.exception()) is not None:
            raise error from None
        raise
    finally:
        ended = True
        if not running.done():
            await worker.shutdown()
            await running
