"""Ways to servers that a test can cut, or join late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field

from journeys.workflows.temporal_server import free_port


@asynccontextmanager
async def relay(port: int, host: str, target: int | str) -> AsyncIterator[None]:
    """A server that comes late: connections to this port go to another port of the host, or to a socket's path."""
    under_way: set[asyncio.Task[None]] = set()

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError):
                while some := await reader.read(65536):
                    writer.write(some)
                    await writer.drain()
        finally:
            writer.close()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opening = (
            asyncio.open_unix_connection(target)
            if isinstance(target, str)
            else asyncio.open_connection(host, target)
        )
        theirs, ours = await opening
        for one in (copy(reader, ours), copy(theirs, writer)):
            task = asyncio.create_task(one)
            under_way.add(task)
            task.add_done_callback(under_way.discard)

    server = await asyncio.start_server(pass_on, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()
        cut = [*under_way]
        for task in cut:
            task.cancel()
        await asyncio.gather(*cut, return_exceptions=True)


@dataclass
class Line:
    """A way to a server that can be cut."""

    host: str
    target: int | str
    port: int = field(default_factory=free_port)
    _held: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def join(self) -> None:
        """Let connections through."""
        await self._held.enter_async_context(relay(self.port, self.host, self.target))

    async def cut(self) -> None:
        """End all of them, and accept none."""
        await self._held.aclose()
