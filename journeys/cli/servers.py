"""`serve`, `worker`, `dev`: what runs until it is told to stop."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import uvicorn
from temporalio.client import Client
from temporalio.worker import Worker

from journeys.api.app import app
from journeys.api.services import Services
from journeys.canvas.times import span
from journeys.channels.base import kinds
from journeys.channels.email import Email, SmtpSettings
from journeys.channels.mailbox import Mail, Mailbox
from journeys.channels.webhook import Webhook, WebhookSettings
from journeys.cli.console import Stop, err, out, run
from journeys.cli.places import home, migrated
from journeys.engine.clock import Clock
from journeys.engine.keys import ALL, Taken, create_key
from journeys.engine.publishing import publish, workspace_of
from journeys.engine.store.database import Database
from journeys.engine.store.embedded import create_database, embedded_postgres
from journeys.engine.validate import validate
from journeys.plugin import JourneysPlugin
from journeys.worker import Engine, Settings, connect, engine
from journeys.workflows.server import NoServer, temporal_server


@asynccontextmanager
async def served(services: Services, host: str, port: int) -> AsyncIterator[int]:
    """The API on a port (0: any that is free), which it yields."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise Stop(f"the API cannot listen on {host}:{port}: {error.strerror}") from error
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
    return Services(parts.db, parts.published, parts.clock, parts.teller, parts.bell)


def _settings() -> Settings:
    try:
        return Settings()
    except ValueError as error:
        raise Stop("set DATABASE_URL (and TEMPORAL_ADDRESS, where it is not localhost:7233)", 2) from error


def serve(*, host: str = "127.0.0.1", port: int = 8000) -> int:
    """Run the API alone, against DATABASE_URL and TEMPORAL_ADDRESS, until Ctrl-C.

    Parameters
    ----------
    host
        Address to listen on.
    port
        Port to listen on.
    """

    async def work(stop: asyncio.Event) -> int:
        settings = _settings()
        await migrated(settings.database_url)
        client = await _connected(settings)
        clock = Clock(scale=settings.time_scale)
        async with (
            engine(
                settings.database_url, client, task_queue=settings.task_queue, clock=clock, keep_house=False
            ) as parts,
            served(services_of(parts), host, port) as at,
        ):
            err.print(f"the API listens on http://{host}:{at}")
            await stop.wait()
        return 0

    return run(work)


def worker() -> int:
    """Run one worker process, against DATABASE_URL and TEMPORAL_ADDRESS, until Ctrl-C or SIGTERM."""

    async def work(stop: asyncio.Event) -> int:
        settings = _settings()
        await migrated(settings.database_url)
        client = await _connected(settings)
        plugin = JourneysPlugin(
            settings.database_url,
            clock=Clock(scale=settings.time_scale),
            connections=settings.connections,
            drain_lanes=settings.drain_lanes,
        )
        async with Worker(client, task_queue=settings.task_queue, plugins=[plugin]):
            err.print(f"working on {settings.task_queue}")
            await stop.wait()
            err.print("finishing what was begun")
        return 0

    return run(work)


async def _connected(settings: Settings) -> Client:
    try:
        return await connect(settings)
    except RuntimeError as error:
        raise Stop(str(error)) from error


def scale_of(text: str) -> float:
    """A time scale from `1d=2s`: so much of the canvas' time in so much real time."""
    virtual, equals, real = text.replace("1d", "1 day").partition("=")
    try:
        ratio = span(_spelled(virtual)) / span(_spelled(real)) if equals else 0.0
    except (ValueError, ZeroDivisionError) as error:
        raise Stop(f"“{text}” is not a time scale: write 1d=2s", 2) from error
    if ratio <= 0:
        raise Stop(f"“{text}” is not a time scale: write 1d=2s", 2)
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
    folder: Path, *, scale: float = 1.0, port: int = 8000, temporal: str | None = None
) -> AsyncIterator[tuple[Engine, Mailbox, int]]:
    """Database, Temporal, mailbox, API and worker, in this process and its children; all stopped at the end."""
    async with AsyncExitStack() as stack:
        url = os.environ.get("DATABASE_URL")
        if not url:
            server = await stack.enter_async_context(embedded_postgres(folder / "postgres"))
            url = await create_database(server, "journeys")
        await migrated(url)
        try:
            temporal_ = await stack.enter_async_context(
                temporal_server(
                    temporal or os.environ.get("TEMPORAL_ADDRESS"),
                    db=folder / "temporal.sqlite",
                    log=folder / "temporal.log",
                    say=lambda text: err.print(text),
                )
            )
        except NoServer as error:
            raise Stop(str(error)) from error
        mailbox = await stack.enter_async_context(Mailbox(folder=folder / "mails"))
        client = await Client.connect(temporal_.address)
        clock = Clock(scale=scale)
        channels: list[Any] = [
            Email(SmtpSettings(host="127.0.0.1", port=mailbox.port)),
            Webhook(WebhookSettings(allowed_networks="127.0.0.0/8")),
        ]
        channels += [kind() for name, kind in kinds().items() if name not in ("email", "webhook")]
        public_url = os.environ.get("JOURNEYS_PUBLIC_URL") or f"http://127.0.0.1:{port}"
        plugin = JourneysPlugin(url, clock=clock, channels=channels, public_url=public_url)
        await stack.enter_async_context(Worker(client, task_queue="journeys-dev", plugins=[plugin]))
        while plugin.engine is None:
            await asyncio.sleep(0.01)
        at = await stack.enter_async_context(served(services_of(plugin.engine), "127.0.0.1", port))
        yield plugin.engine, mailbox, at


def dev(
    *paths: Path,
    port: int = 8000,
    workspace: str = "default",
    time_scale: str = "1s=1s",
) -> int:
    """Start everything here: database, Temporal, a mailbox, the API and a worker. Ctrl-C stops it all.

    Parameters
    ----------
    paths
        Definitions to publish at the start.
    port
        Port of the API.
    workspace
        Workspace that they are published to.
    time_scale
        How fast time goes by: 1d=2s lets a day pass in two seconds.
    """
    scale = scale_of(time_scale)
    found = validate(list(paths), kinds()) if paths else None
    if found is not None and any(not problem.warning for problem in found.problems):
        from journeys.cli.console import show_problems

        show_problems(found.problems)
        raise Stop("nothing was started")

    async def work(stop: asyncio.Event) -> int:
        async with everything(home(), scale=scale, port=port) as (parts, mailbox, at):
            if found is not None:
                await publish(parts.db, workspace, found)
            identity = await workspace_of(parts.db, workspace)
            key = await _key(parts.db, identity)
            mailbox.arrived = _arrived
            out.print(
                f"API      http://127.0.0.1:{at}   key: {key or 'as before (`journeys keys create` makes another)'}"
            )
            out.print(f"mailbox  127.0.0.1:{mailbox.port}, mails are kept in {mailbox.folder}")
            out.print("Ctrl-C stops everything")
            await stop.wait()
            err.print("stopping")
        return 0

    return run(work)


async def _key(db: Database, workspace: int) -> str | None:
    try:
        return await create_key(db, workspace, "dev", [ALL])
    except Taken:
        return None


def _arrived(mail: Mail) -> None:
    out.print(f"mail to {', '.join(mail.recipients)}: {mail.message['Subject']}", markup=False)
