"""A Temporal server for development and tests: an existing one, or one that is downloaded or built here once.

In this order: an address that was given; our own program, where it was built before (the tests build it, since no other
can skip time); `temporal` on PATH; the command that the SDK downloads, kept in the user's cache folder; and where that
cannot be had within `DOWNLOAD_TIMEOUT`, our program is built with Go. A server that was started here is asked every `PROBE`
seconds by `TemporalServer.keep`, which restarts it, with its data, if it has stopped or hangs.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
import sqlite3
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path
from uuid import uuid4

from temporalio.api.common.v1 import WorkflowType
from temporalio.api.enums.v1 import CommandType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    PollWorkflowTaskQueueRequest,
    RespondWorkflowTaskCompletedRequest,
    StartWorkflowExecutionRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

from journeys.workflows.temporal_build import NoServer as NoServer
from journeys.workflows.temporal_build import Say, build, cache_folder, downloaded, program

DOWNLOAD_TIMEOUT = 60.0
"""Seconds that the SDK's download may take."""

PROBE = 3.0
"""Seconds between two looks at a server that runs here."""

DEADLINE = 4.0
"""Seconds within which a server that is well answers."""

PROBING = "journeys-probe"
"""The name of the workflow by which a server shows that it delivers tasks."""

WEDGED = 3
"""A server that does not answer so many times in a row is restarted."""


async def download(say: Say = lambda _: None) -> Path | None:
    """Let the SDK download the `temporal` command, once; None if that fails or takes too long."""
    if (there := downloaded()) is not None:
        return there
    folder = cache_folder() / "temporal" / "cli"
    folder.mkdir(parents=True, exist_ok=True)
    say("downloading the Temporal server")
    try:
        async with asyncio.timeout(
            DOWNLOAD_TIMEOUT
        ):  # it starts what it has downloaded; we start it our own way
            started = await WorkflowEnvironment.start_local(
                download_dest_dir=str(folder), dev_server_log_level="error"
            )
        await started.shutdown()
    except (RuntimeError, RPCError, TimeoutError):
        return None
    return downloaded()


def free_port() -> int:
    """A port that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class TemporalServer:
    """A running server. `address` is what clients connect to; `process` is None if it was started elsewhere."""

    address: str
    command: Sequence[str] = ()
    log: Path | None = None
    process: asyncio.subprocess.Process | None = field(default=None)
    db: Path | None = None
    _client: Client | None = field(default=None, repr=False)

    async def start(self) -> None:
        """Start the process and wait until it delivers tasks. Raises NoServer with the end of its log."""
        await asyncio.to_thread(self._forget_members)
        output = self.log.open("ab") if self.log else None
        try:
            self.process = await asyncio.create_subprocess_exec(
                *self.command,
                stdin=asyncio.subprocess.PIPE,
                stdout=output or asyncio.subprocess.DEVNULL,
                stderr=output or asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
        finally:
            if output:
                output.close()
        for _ in range(600):
            if self.process.returncode is not None:
                said = self.log.read_text()[-800:] if self.log else ""
                raise NoServer(f"the Temporal server stopped at once: {said}")
            if await self.healthy() and await self.delivers():
                return
            await asyncio.sleep(0.1)
        raise NoServer("the Temporal server does not answer, or delivers no tasks")

    def _forget_members(self) -> None:
        """Take those who ran it last out of its database: after a kill it would wait a minute for their answer.

        It listens on new ports at each start, so nobody who is in there is alive.
        """
        if self.db is None or not self.db.exists():
            return
        with suppress(sqlite3.Error), closing(sqlite3.connect(self.db, timeout=5)) as connection, connection:
            connection.execute("delete from cluster_membership")

    async def delivers(self) -> bool:
        """Whether a task reaches whoever polls for it, within `DEADLINE`: a server may answer long before it does that."""
        if self._client is None:
            return False
        service, namespace = self._client.workflow_service, self._client.namespace
        queue, deadline = TaskQueue(name=f"{PROBING}:{uuid4().hex}"), timedelta(seconds=DEADLINE)
        begin = StartWorkflowExecutionRequest(
            namespace=namespace,
            workflow_id=queue.name,
            workflow_type=WorkflowType(name=PROBING),
            task_queue=queue,
            request_id=queue.name,
        )
        begin.workflow_execution_timeout.FromTimedelta(timedelta(minutes=1))
        poll = PollWorkflowTaskQueueRequest(namespace=namespace, task_queue=queue, identity=PROBING)
        try:
            async with asyncio.timeout(2 * DEADLINE):
                await service.start_workflow_execution(begin, timeout=deadline)
                task = await service.poll_workflow_task_queue(poll, timeout=deadline)
                if not task.task_token:
                    return False
                done = RespondWorkflowTaskCompletedRequest(namespace=namespace, task_token=task.task_token)
                end = done.commands.add()
                end.command_type = CommandType.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION
                end.complete_workflow_execution_command_attributes.SetInParent()
                await service.respond_workflow_task_completed(done, timeout=deadline)
        except (RuntimeError, RPCError, TimeoutError):
            return False
        return True

    async def healthy(self) -> bool:
        """Whether it answers within `DEADLINE`, with a look into its own database: SQLite is what may hang."""
        try:
            async with asyncio.timeout(DEADLINE):
                if self._client is None:
                    self._client = await Client.connect(self.address)
                await self._client.count_workflows(rpc_timeout=timedelta(seconds=DEADLINE))
        except (RuntimeError, ValueError, RPCError, TimeoutError):
            return False
        return True

    async def keep(self, say: Say) -> None:
        """For ever: restart it if it has stopped, or did not answer `WEDGED` times in a row.

        Every twentieth time it must deliver a task as well, and each time after it did not.
        """
        silent = 0
        for turn in count(1):
            await asyncio.sleep(PROBE)
            ended = self.process is not None and self.process.returncode is not None
            well = not ended and await self.healthy()
            if well and (silent or turn % 20 == 0):
                well = await self.delivers()
            silent = 0 if well else silent + 1
            if ended or silent >= WEDGED:
                said = "has stopped" if ended else "does not answer, or delivers no tasks"
                say(f"the Temporal server {said}: restarting it")
                try:
                    await self.restart()
                except NoServer as error:
                    say(str(error))
                silent = 0

    async def stop(self, *, kill: bool = False) -> None:
        """Stop it, by its process."""
        if self.process is None or self.process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        try:
            async with asyncio.timeout(8):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()

    async def restart(self) -> None:
        """Stop it, however it hangs, and start it on the same port with the same data."""
        await self.stop(kill=True)
        await self.start()


@asynccontextmanager
async def temporal_server(
    address: str | None = None,
    *,
    db: Path | None = None,
    log: Path | None = None,
    dynamic_config: Sequence[str] = (),
    say: Say = lambda text: print(text, file=sys.stderr),
) -> AsyncIterator[TemporalServer]:
    """A server that answers: the one at `address`, or one that is started and stopped here.

    `db` keeps its state in a file; `dynamic_config` are settings of the server as `KEY=JSON`. Raises NoServer.
    """
    if address:
        server = TemporalServer(address)
        if not await server.healthy():
            raise NoServer(f"no Temporal server answers at {address}")
        yield server
        return
    port = free_port()
    flags = [
        "server",
        "start-dev",
        "--ip",
        "127.0.0.1",
        "--port",
        str(port),
        "--headless",
        "--log-level",
        "error",
    ]
    if db is not None:
        db.parent.mkdir(parents=True, exist_ok=True)
        flags += ["--db-filename", str(db)]
    for setting in dynamic_config:
        flags += ["--dynamic-config-value", setting]
    command = await _command(say)
    if command == program():
        flags.append("--stop-with-stdin")
    server = TemporalServer(f"127.0.0.1:{port}", (str(command), *flags), log, db=db)
    try:
        await server.start()
        yield server
    finally:
        await server.stop()


async def _command(say: Say) -> Path:
    if program().exists():
        return program()
    found = shutil.which("temporal")
    return Path(found) if found else await download(say) or await build(say)
