"""`serve`, `worker`, `dev`: the commands that run until they are stopped."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext, suppress
from pathlib import Path
from typing import Annotated, Any

import uvicorn
from cyclopts import Parameter
from cyclopts.validators import Number
from temporalio.client import Client
from temporalio.worker import Worker

from journeys.api.app import app
from journeys.api.services import Services
from journeys.canvas.loading import read
from journeys.canvas.problems import in_order
from journeys.canvas.times import span
from journeys.channels.base import channel_of, kinds
from journeys.channels.email import Email, SmtpSettings
from journeys.channels.mailbox import Mail, Mailbox
from journeys.channels.webhook import Webhook, WebhookSettings
from journeys.cli.addresses import CommandSettings, embedded, home, migrated
from journeys.cli.console import Stop, err, out, run, show_problems
from journeys.cli.logs import log_to
from journeys.cli.private_files import private_files
from journeys.cli.settings import warn
from journeys.cli.waiting import Away, until_there
from journeys.cli.workspace import put
from journeys.engine.clock import Clock
from journeys.engine.delivery.public_address import PublicSettings
from journeys.engine.store.database import Database
from journeys.engine.store.shared_clock import OtherScale, keep_clock
from journeys.engine.workspaces.api_keys import ALL, Taken, create_key
from journeys.engine.workspaces.naming import Unnamed, workspace_name
from journeys.engine.workspaces.publishing import workspace_of
from journeys.engine.workspaces.validate import ABSENT, problems_of
from journeys.plugin import JourneysPlugin
from journeys.worker import FASTEST, Engine, NoAnswer, Settings, connect, engine
from journeys.workflows.temporal_server import NoServer, TemporalServer, free_port, temporal_server


@asynccontextmanager
async def served(services: Services, host: str, port: int) -> AsyncIterator[int]:
    """The API on a port (0: any that is free), which it yields."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, ValueError) as error:  # a host name that is none is a ValueError
        said = getattr(error, "strerror", None) or error
        raise Stop(f"the API cannot listen on {host}:{port}: {said}") from error
    server = uvicorn.Server(
        uvicorn.Config(app(services), log_level="warning", lifespan="off", access_log=False)
    )
    server.capture_signals = nullcontext  # type: ignore[assignment]  # ours are enough
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield int(listening.getsockname()[1])
    finally:
        server.should_exit = True
        with suppress(TimeoutError):
            await asyncio.wait_for(task, 10)


def services_of(parts: Engine) -> Services:
    """What the API needs of an engine."""
    return Services(parts.db, parts.published, parts.clock, parts.alarm_sync, parts.notifier)


def up() -> None:
    """Call it when a process is up: the garbage collector need not look again at what is there by now.

    It would hold up the event loop for a tenth of a second each time that it looks at everything.
    """
    gc.collect()
    gc.freeze()


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
        async with (
            _going(settings, stop) as (client, clock),
            engine(
                settings.database_url,
                client,
                task_queue=settings.task_queue,
                clock=clock,
                keep_housekeeping=False,
            ) as parts,
            served(services_of(parts), host, port) as at,
        ):
            up()
            err.print(f"the API listens on http://{host}:{at}")
            await stop.wait()
        return 0

    return run(work)


def worker() -> int:
    """Run one worker process, with DATABASE_URL and TEMPORAL_ADDRESS, until Ctrl-C or SIGTERM.

    Where they do not answer yet, it waits.
    """

    async def work(stop: asyncio.Event) -> int:
        log_to()
        settings = Settings()
        warn()
        async with _going(settings, stop) as (client, clock):
            plugin = JourneysPlugin(
                settings.database_url,
                clock=clock,
                connections=settings.connections,
                drain_lanes=settings.drain_lanes,
            )
            async with _working(client, settings.task_queue, plugin):
                up()
                err.print(f"working on the task queue {settings.task_queue}")
                await stop.wait()
                err.print("finishing the work in progress")
        return 0

    return run(work)


@asynccontextmanager
async def _going(settings: Settings, stop: asyncio.Event) -> AsyncIterator[tuple[Client, Clock]]:
    """A client of Temporal, and the clock of the database, whose schema is brought up to date.

    Waits for both, however long they are away.
    """
    await until_there(lambda: migrated(settings.database_url), stop)
    client = await until_there(lambda: _connected(settings), stop)
    await until_there(
        lambda: migrated(settings.database_url), stop
    )  # while Temporal was away it may have left
    async with Database.at(settings.database_url, size=2) as db, _clock(db, settings.time_scale) as clock:
        yield client, clock


async def _connected(settings: Settings) -> Client:
    try:
        return await connect(settings)
    except NoAnswer as error:
        raise Away(str(error)) from error
    except RuntimeError as error:
        raise Stop(str(error)) from error


@asynccontextmanager
async def _clock(db: Database, scale: float | None) -> AsyncIterator[Clock]:
    try:
        async with keep_clock(db, scale) as clock:
            yield clock
    except OtherScale as error:
        raise Stop(str(error), 2) from error


@asynccontextmanager
async def _working(client: Client, task_queue: str, plugin: JourneysPlugin) -> AsyncIterator[Engine]:
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


def scale_of(text: str) -> float:
    """A time scale from `1d=2s`: so much of the canvas' time in so much real time."""
    virtual, equals, real = text.replace("1d", "1 day").partition("=")
    try:
        ratio = span(_spelled(virtual)) / span(_spelled(real)) if equals else 0.0
    except (ValueError, ZeroDivisionError, OverflowError) as error:
        raise Stop(f"“{text}” is not a time scale: write 1d=2s", 2) from error
    if ratio <= 0:
        raise Stop(f"“{text}” is not a time scale: write 1d=2s", 2)
    if ratio > FASTEST:
        raise Stop(f"“{text}” is too fast: at most {FASTEST / 86400:.0f} days pass in a second", 2)
    return ratio


def _spelled(text: str) -> str:
    units = {"s": " seconds", "m": " minutes", "h": " hours", "d": " days"}
    text = text.strip()
    return (
        text[:-1] + units[text[-1]]
        if text and text[-1] in units and text[:-1].replace(".", "").isdigit()
        else text
    )


@asynccontextmanager
async def everything(
    folder: Path,
    *,
    scale: float | None = None,
    port: int = 8000,
    database: str | None = None,
    temporal: str | None = None,
    public_url: str | None = None,
) -> AsyncIterator[tuple[Engine, Mailbox, int]]:
    """Database, Temporal, mailbox, API and worker, in this process and its children; all stopped at the end.

    `database` and `temporal`: running servers to use; otherwise servers are started here, with their data in the
    folder. A Temporal server of this process that hangs or stops is restarted. Links in mails lead to `public_url`, else to
    the API here.
    """
    async with AsyncExitStack() as stack:
        url = database or str(await stack.enter_async_context(embedded(folder)))
        await migrated(url)
        server = await _temporal(stack, folder, temporal)
        mailbox = await stack.enter_async_context(Mailbox(folder=folder / "mails"))
        client = await Client.connect(server.address)
        db = await stack.enter_async_context(Database.at(url, size=2))
        clock = await stack.enter_async_context(_clock(db, scale))
        port = port or free_port()
        channels: list[Any] = [
            Email(SmtpSettings(host="127.0.0.1", port=mailbox.port, username=None, password=None, tls=False)),
            Webhook(WebhookSettings(allowed_networks="127.0.0.0/8")),
        ]
        channels += [channel_of(name) for name in kinds() if name not in ("email", "webhook")]
        leads_to = public_url or f"http://127.0.0.1:{port}"
        plugin = JourneysPlugin(url, clock=clock, channels=channels, public_url=leads_to)
        parts = await stack.enter_async_context(_working(client, "journeys-dev", plugin))
        at = await stack.enter_async_context(served(services_of(parts), "127.0.0.1", port))
        yield parts, mailbox, at


async def _temporal(stack: AsyncExitStack, folder: Path, address: str | None) -> TemporalServer:
    """The server at this address, or one of our own that is kept running."""
    own = temporal_server(
        address, db=folder / "temporal.sqlite", log=folder / "temporal.log", say=lambda text: err.print(text)
    )
    try:
        server = await stack.enter_async_context(own)
    except NoServer as error:
        raise Stop(str(error)) from error
    if server.process is not None:
        keeping = asyncio.create_task(server.keep(lambda text: err.print(text)))
        stack.callback(keeping.cancel)
    return server


def dev(
    *paths: Path,
    port: Port = 8000,
    workspace: Annotated[str, Parameter(["--workspace", "-w"])] = "default",
    time_scale: str | None = None,
) -> int:
    """Start everything on this machine: database, Temporal, a mailbox, the API and a worker. Ctrl-C stops it.

    Parameters
    ----------
    paths
        Definitions to publish at the start.
    port
        Port of the API; 0 for a free one.
    workspace
        Workspace to publish them to.
    time_scale
        The speed of time: with 1d=2s a day passes in two seconds. Real time by default.
    """
    try:
        workspace_name(workspace)
    except Unnamed as error:
        raise Stop(str(error), 2) from error
    scale = None if time_scale is None else scale_of(time_scale)
    found = read(paths) if paths else None
    early = [] if found is None else [*found.problems, *problems_of(found, kinds())]
    if any(not problem.warning and problem.code not in ABSENT for problem in early):
        show_problems(in_order(early))
        raise Stop("nothing was started")

    async def work(stop: asyncio.Event) -> int:
        folder = home()
        with private_files(folder):
            return await until_stopped(folder, stop)

    async def until_stopped(folder: Path, stop: asyncio.Event) -> int:
        log_to(folder / "dev.log")
        given = {"database": CommandSettings().database_url, "temporal": os.environ.get("TEMPORAL_ADDRESS")}
        if os.environ.get("JOURNEYS_PUBLIC_URL"):
            given["public_url"] = PublicSettings().public_url
        async with everything(folder, scale=scale, port=port, **given) as (parts, mailbox, at):
            if found is not None:
                await put(parts.db, workspace, found, at=parts.clock.now())
            identity = await workspace_of(parts.db, workspace)
            key = await _key(parts.db, identity)
            mailbox.arrived = _arrived
            out.print(
                f"API      http://127.0.0.1:{at}   key: {key or 'as before (`journeys keys create` creates another)'}",
                soft_wrap=True,
            )
            out.print(f"mailbox  127.0.0.1:{mailbox.port}, mails are kept in {mailbox.folder}")
            if not parts.clock.real_time:
                out.print(f"clock    {_pace(parts.clock)}")
            up()
            out.print("Ctrl-C stops everything")
            await stop.wait()
            err.print("stopping")
        return 0

    return run(work)


def _pace(clock: Clock) -> str:
    now = f"it is {clock.now():%Y-%m-%d %H:%M} UTC"
    return now if clock.scale == 1.0 else f"{now}; a day passes in {86400 / clock.scale:.4g} s"


async def _key(db: Database, workspace: int) -> str | None:
    try:
        return await create_key(db, workspace, "dev", [ALL])
    except Taken:
        return None


def _arrived(mail: Mail) -> None:
    out.print(f"mail to {', '.join(mail.recipients)}: {mail.message['Subject']}", markup=False)
