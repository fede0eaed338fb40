"""How many events `/users/track` takes in a second, beside a bare COPY of the same rows in the same database.

One API process over HTTP on this machine, 75 events a call, eight connections, commits that are on the disk before the
answer. A canvas listens to another event, so that each event is looked up as in production and nobody enters.
`track.vs_copy` is the rate over that of a COPY of the same rows into a bare table, 75 a commit, over as many
connections; `track.vs_one_copy` over that of one COPY of all of them in one commit.
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import msgspec
from uvicorn.loops.auto import auto_loop_factory

from bench.stories import definitions_of
from bench.tenants import _says, process
from journeys.api.app import app
from journeys.api.rate_limits import Limits
from journeys.api.services import Services
from journeys.cli.servers import served, up
from journeys.engine.clock import Clock
from journeys.engine.ports import NullNotifier
from journeys.engine.store import Database, migrate
from journeys.engine.store.embedded_postgres import create_database, embedded_postgres
from journeys.engine.workspaces.api_keys import create_key
from journeys.engine.workspaces.published import Published
from journeys.engine.workspaces.publishing import publish

EACH, CONNECTIONS = 75, 8
PEOPLE = 10_000
CALLS = 400
ROUNDS = 3
CANVAS = "kind: canvas\nformat: 1\nname: one\nschedule: {event: signed_up}\nsteps: [{type: delay, id: d, duration: 1 day}]"
COLUMNS = ("workspace", "person", "shard", "kind", "name", "at", "properties")
BARE = """
create table copied (workspace integer, person uuid, shard smallint, kind text, name text, at timestamptz, properties jsonb)
"""


async def serve(url: str) -> None:
    """The API of one process, until it is stopped. Says its port."""
    up()
    async with Database.at(url) as db:
        services = Services(db, Published(db), Clock(), NullNotifier(), NullNotifier())
        services.limits = Limits(db, {"users.track": 10_000_000}, clock=lambda: 1e6)
        async with served(app(services), "127.0.0.1", 0) as port:
            print(f"port {port}", flush=True)
            await asyncio.Event().wait()


def _calls(round_: int) -> list[list[dict[str, Any]]]:
    """The events of each call: of 75 people each, all of them in turn."""
    at = datetime.now(UTC).isoformat()
    return [
        [
            {
                "external_id": f"p{(call * EACH + place) % PEOPLE}",
                "name": "article_liked",
                "time": at,
                "properties": {"category": "running", "article": f"{round_}-{call}-{place}", "length": place},
            }
            for place in range(EACH)
        ]
        for call in range(CALLS)
    ]


def _bodies(array: str, calls: Sequence[Any]) -> list[bytes]:
    return [msgspec.json.encode({array: objects}) for objects in calls]


class Caller:
    """A connection to the API that sends bodies made before, as COPY's rows are: it shares the machine with the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str) -> None:
        self._reader, self._writer, self._head = reader, writer, head

    @classmethod
    async def to(cls, port: int, key: str) -> Caller:
        """Connect."""
        head = f"POST /users/track HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {key}\r\n"
        return cls(*await asyncio.open_connection("127.0.0.1", port), head)

    async def post(self, body: bytes) -> None:
        """Make one call, and wait for its answer."""
        head = f"{self._head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        self._writer.write(head.encode() + body)
        said = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
        found = re.search(r"content-length: (\d+)", said)
        assert found is not None, said
        answer = await self._reader.readexactly(int(found[1]))
        assert said.startswith("http/1.1 201"), (said, answer)

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


async def _rate(
    calls: Sequence[Any], workers: Sequence[Callable[[Any], Awaitable[None]]], events: int
) -> float:
    """Events a second: each worker does one call after the other."""
    waiting = list(reversed(calls))

    async def work(does: Callable[[Any], Awaitable[None]]) -> None:
        while waiting:
            await does(waiting.pop())

    begun = time.perf_counter()
    await asyncio.gather(*(work(does) for does in workers))
    return events / (time.perf_counter() - begun)


async def measure() -> dict[str, float]:
    """The rates, each the best of a few rounds, and their ratios."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        async with embedded_postgres(Path(name) / "data", durable=True) as server:
            url = await create_database(server, f"bench_{uuid4().hex[:8]}")
            await migrate(url)
            async with Database.at(url) as db:
                workspace = (await publish(db, "bench", definitions_of(CANVAS))).workspace
                key = await create_key(db, workspace, "bench", ["*"])
                await db.pool.execute(BARE)
                async with process("bench.ingestion", url) as api:
                    port = int((await _says(api, r"port (\d+)"))[1])
                    return await _measured(db, port, key)


async def _measured(db: Database, port: int, key: str) -> dict[str, float]:
    callers = [await Caller.to(port, key) for _ in range(CONNECTIONS)]
    connections = [await asyncpg.connect(db.url) for _ in range(CONNECTIONS)]

    def copies(connection: Any) -> Callable[[Any], Awaitable[None]]:
        async def copy(rows: Any) -> None:
            await connection.copy_records_to_table("copied", records=rows, columns=COLUMNS)

        return copy

    try:
        people = [{"external_id": f"p{n}"} for n in range(PEOPLE)]
        some = [people[begin : begin + EACH] for begin in range(0, PEOPLE, EACH)]
        await _rate(_bodies("attributes", some), [caller.post for caller in callers], PEOPLE)
        rates: dict[str, list[float]] = {"events": [], "copy": [], "one_copy": []}
        for round_ in range(ROUNDS):
            await db.pool.execute("truncate copied")
            bodies = _bodies("events", _calls(round_))
            rates["events"].append(await _rate(bodies, [caller.post for caller in callers], EACH * CALLS))
            query = f"select {', '.join(COLUMNS).replace('properties', 'properties::text as properties')} from events order by no desc limit $1"
            rows = [tuple(row) for row in await connections[0].fetch(query, EACH * CALLS)]
            chunks = [rows[begin : begin + EACH] for begin in range(0, len(rows), EACH)]
            rates["copy"].append(await _rate(chunks, [copies(one) for one in connections], len(rows)))
            rates["one_copy"].append(await _rate([rows], [copies(connections[0])], len(rows)))
        assert await db.pool.fetchval("select count(*) from events") == ROUNDS * EACH * CALLS
    finally:
        for caller in callers:
            caller.close()
        for connection in connections:
            await connection.close()
    best = {name: max(several) for name, several in rates.items()}
    found = {f"track.{name}_per_second": round(rate) for name, rate in best.items()}
    ratios = {f"track.vs_{name}": round(best["events"] / best[name], 3) for name in ("copy", "one_copy")}
    return {**found, **ratios}


if __name__ == "__main__":
    if len(sys.argv) > 1:
        with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:  # as `journeys serve` does
            runner.run(serve(sys.argv[1]))
    else:
        print(asyncio.run(measure()))
