"""The servers that many test processes share: PostgreSQL with a database to copy, and Temporal."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def shared(*, postgres: bool, temporal: bool) -> Iterator[dict[str, str]]:
    """Run the servers that are wanted and that the environment does not give; yields what to add to the environment.

    They live in a process of their own: the caller forks, which goes ill with threads.
    """
    postgres = postgres and "DATABASE_URL" not in os.environ
    temporal = temporal and "TEMPORAL_ADDRESS" not in os.environ
    if not postgres and not temporal:
        yield {}
        return
    told, tell = os.pipe()
    ending, end = os.pipe()
    child = os.fork()
    if not child:
        os.close(told)
        os.close(end)
        try:
            os.setsid()
            asyncio.run(_serve(tell, ending, postgres=postgres, temporal=temporal))
        except BaseException as error:
            print(f"the servers of the tests: {error!r}", file=sys.stderr, flush=True)
        finally:
            os._exit(0)
    os.close(tell)
    os.close(ending)
    try:
        with os.fdopen(told, "rb") as pipe:
            line = pipe.readline()
        if not line:
            raise RuntimeError("the servers of the tests did not start")
        yield json.loads(line)
    finally:
        os.close(end)
        os.waitpid(child, 0)


async def _serve(tell: int, ending: int, *, postgres: bool, temporal: bool) -> None:
    from journeys.engine.store import migrate
    from journeys.engine.store.embedded_postgres import create_database, embedded_postgres
    from journeys.workflows.temporal_server import temporal_server

    given: dict[str, str] = {}
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        folder.chmod(0o755)
        if postgres:
            url = await stack.enter_async_context(embedded_postgres(folder / "data", durable=False))
            await migrate(await create_database(url, "journeys_template"))
            given |= {"DATABASE_URL": url, "JOURNEYS_TEMPLATE_DATABASE": "journeys_template"}
        if temporal:
            settings = ['history.timerProcessorMaxTimeShift="10ms"']
            server = await stack.enter_async_context(
                temporal_server(None, log=folder / "log", dynamic_config=settings)
            )
            given["TEMPORAL_ADDRESS"] = server.address
        os.write(tell, json.dumps(given).encode() + b"\n")
        os.close(tell)
        pipe: BinaryIO = os.fdopen(ending, "rb")
        await asyncio.to_thread(pipe.read)


async def drop_database(server: str, name: str) -> None:
    """Drop what a test has made: the databases of a whole run would fill the memory in which they lie."""
    await _drop(server, "select $1::text", name)


async def drop_databases(url: str) -> None:
    """Drop what tests have made and nobody uses any more."""
    await _drop(
        url,
        "select datname from pg_database where datname like 'journeys\\_%' and datname <> 'journeys_template'",
    )


async def _drop(server: str, which: str, *given: str) -> None:
    import asyncpg

    connection = await asyncpg.connect(server)
    try:
        for row in await connection.fetch(which, *given):
            await connection.execute(f'drop database if exists "{row[0]}" with (force)')
    finally:
        await connection.close()
