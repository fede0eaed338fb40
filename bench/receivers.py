"""A process that takes mails and webhook calls and counts them: the same for both implementations."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from journeys.channels.mailbox import Mailbox


async def serve() -> None:
    """Print both ports, and go on until standard input ends."""
    accepted = Accepted()

    async def hook(request: Request) -> Response:
        await request.body()
        accepted.add()
        return PlainTextResponse("ok")

    async def count(request: Request) -> Response:
        """How many were accepted; with `until`, as soon as there are so many."""
        await accepted.reach(int(request.query_params.get("until", 0)))
        return PlainTextResponse(str(accepted.count))

    mailbox = Counting()
    mailbox.accepted = accepted
    async with mailbox:
        app = Starlette(routes=[Route("/hook", hook, methods=["POST"]), Route("/count", count)])
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                host="127.0.0.1",
                port=0,
                log_level="error",
                lifespan="off",
                timeout_graceful_shutdown=1,  # whoever asked for a count may be gone, and the count never comes
            )
        )
        task = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        print(mailbox.port, server.servers[0].sockets[0].getsockname()[1], flush=True)
        await asyncio.to_thread(sys.stdin.buffer.read)
        server.should_exit = True
        await task


class Accepted:
    """The number of what was accepted. Whoever waits for it costs nothing meanwhile: the processor's time is measured."""

    def __init__(self) -> None:
        self.count = 0
        self._waiting: dict[asyncio.Event, int] = {}

    def add(self) -> None:
        """One more."""
        self.count += 1
        for event, until in self._waiting.items():
            if self.count >= until:
                event.set()

    async def reach(self, until: int) -> None:
        """Wait until there are so many."""
        event = asyncio.Event()
        if self.count >= until:
            return
        self._waiting[event] = until
        try:
            await event.wait()
        finally:
            del self._waiting[event]


class Counting(Mailbox):
    """A mailbox that keeps no mails."""

    accepted: Accepted

    async def handle_DATA(self, server: object, session: object, envelope: object) -> str:  # noqa: N802
        """Count it."""
        del server, session, envelope
        self.accepted.add()
        return "250 OK"


@asynccontextmanager
async def receivers() -> AsyncIterator[tuple[int, str, httpx2.AsyncClient]]:
    """The port for mail, the address for calls, and a client that asks for the count."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.receivers", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    mail, http = (await process.stdout.readline()).split()
    async with httpx2.AsyncClient(trust_env=False, timeout=None) as client:
        try:
            yield int(mail), f"http://127.0.0.1:{int(http)}", client
        finally:
            if process.stdin is not None:
                process.stdin.close()
            with contextlib.suppress(ProcessLookupError):
                await process.wait()


if __name__ == "__main__":
    asyncio.run(serve())
