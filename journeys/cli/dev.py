"""`dev`: everything on one machine, until it is stopped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from temporalio.client import Client

from journeys.canvas.loading import read
from journeys.canvas.problems import in_order
from journeys.canvas.times import span
from journeys.channels.base import channel_of, kinds
from journeys.channels.email import Email, SmtpSettings
from journeys.channels.mailbox import Mail, Mailbox
from journeys.channels.mailbox_page import mailbox_page
from journeys.channels.webhook import Webhook, WebhookSettings
from journeys.cli.addresses import CommandSettings, embedded, home, migrated
from journeys.cli.console import err, out, run, show_problems
from journeys.cli.logs import log_to
from journeys.cli.options import Workspace
from journeys.cli.private_files import private_files
from journeys.cli.servers import Port, clock_of, served, services_of, serving, up, working
from journeys.cli.stop import Stop
from journeys.cli.workspace import put
from journeys.engine.clock import Clock
from journeys.engine.delivery.public_address import PublicSettings
from journeys.engine.store.database import Database
from journeys.engine.workspaces.api_keys import ALL, Taken, create_key
from journeys.engine.workspaces.naming import Unnamed, workspace_name
from journeys.engine.workspaces.publishing import workspace_of
from journeys.engine.workspaces.validate import ABSENT, problems_of
from journeys.plugin import JourneysPlugin
from journeys.worker import FASTEST, Engine
from journeys.workflows.temporal_connection import TemporalSettings
from journeys.workflows.temporal_server import NoServer, TemporalServer, free_port, temporal_server

MAILBOX_PORT = 8025
"""Where `journeys dev` shows the mails, if it is free."""


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
        clock = await stack.enter_async_context(clock_of(db, scale))
        port = port or free_port()
        channels: list[Any] = [
            Email(SmtpSettings(host="127.0.0.1", port=mailbox.port, username=None, password=None, tls=False)),
            Webhook(WebhookSettings(allowed_networks="127.0.0.0/8")),
        ]
        channels += [channel_of(name) for name in kinds() if name not in ("email", "webhook")]
        leads_to = public_url or f"http://127.0.0.1:{port}"
        plugin = JourneysPlugin(url, clock=clock, channels=channels, public_url=leads_to)
        parts = await stack.enter_async_context(working(client, "journeys-dev", plugin))
        at = await stack.enter_async_context(serving(services_of(parts), "127.0.0.1", port))
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
    workspace: Workspace = "default",
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
        async with (
            everything(
                folder,
                scale=scale,
                port=port,
                database=CommandSettings().database_url,
                temporal=TemporalSettings().said("temporal_address"),
                public_url=PublicSettings().said("public_url"),
            ) as (parts, mailbox, at),
            AsyncExitStack() as stack,
        ):
            if found is not None:
                await put(parts.db, workspace, found, at=_launch(parts.clock))
            identity = await workspace_of(parts.db, workspace)
            key = await _key(parts.db, identity)
            mailbox.arrived = _arrived
            out.print(
                f"API      http://127.0.0.1:{at}   key: {key or 'as before (`journeys keys create` creates another)'}",
                soft_wrap=True,
            )
            pages = await stack.enter_async_context(_mailbox_pages(folder, port))
            out.print(
                f"mailbox  127.0.0.1:{mailbox.port}, mails are kept in {mailbox.folder}", soft_wrap=True
            )
            out.print(f"mails    {pages}")
            if not parts.clock.real_time:
                out.print(f"clock    {_pace(parts.clock)}")
            up()
            out.print("Ctrl-C stops everything")
            await stop.wait()
            err.print("stopping")
        return 0

    return run(work)


def _launch(clock: Clock) -> datetime:
    """When the canvases that are published at the start are launched: at a scale, when the clock began to go by it.

    What happens at the real present would else lie before the launch, as soon as the clock is minutes ahead.
    """
    return clock.now() if clock.scale == 1.0 else clock.virtual(clock.start)


def _pace(clock: Clock) -> str:
    now = f"it is {clock.now():%Y-%m-%d %H:%M} UTC"
    return now if clock.scale == 1.0 else f"{now}; a day passes in {86400 / clock.scale:.4g} s"


@asynccontextmanager
async def _mailbox_pages(folder: Path, port: int) -> AsyncIterator[str]:
    """The address of the pages of the mailbox: on its usual port, or on a free one where that is taken or `port` is 0."""
    pages = mailbox_page(folder / "mails")
    async with AsyncExitStack() as stack:
        try:
            at = await stack.enter_async_context(served(pages, "127.0.0.1", MAILBOX_PORT if port else 0))
        except Stop:
            at = await stack.enter_async_context(served(pages, "127.0.0.1", 0))
        yield f"http://127.0.0.1:{at}"


async def _key(db: Database, workspace: int) -> str | None:
    try:
        return await create_key(db, workspace, "dev", [ALL])
    except Taken:
        return None


def _arrived(mail: Mail) -> None:
    out.print(f"mail to {', '.join(mail.recipients)}: {mail.message['Subject']}", markup=False)
