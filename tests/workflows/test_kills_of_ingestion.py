"""The API, the worker and the database are killed while events come in: what was answered with success is there once.

`JOURNEYS_INGESTION_KILLS` makes it longer: `make kills` has sixty of them.
"""

from __future__ import annotations

import asyncio
import os
import random
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx2
import psutil
import pytest

from journeys.engine.store import Database, migrate
from journeys.engine.store.embedded_postgres import _start, create_database, embedded_postgres
from journeys.engine.workspaces.api_keys import ALL, create_key
from journeys.workflows.temporal_server import free_port
from tests import forked
from tests.stage import canvas, stage_on

KILLS = int(os.environ.get("JOURNEYS_INGESTION_KILLS", "3"))
SENDERS, EACH = 6, 5
"""Connections that send all the time, and the events of each of their calls."""

CALM = 12
"""Calls that are answered between two kills."""

STORY = canvas(
    """
  - {type: user_update, id: mark, attributes: {let_in: true}}
""",
    schedule="{event: joined}",
)


@dataclass
class Sent:
    """What was sent, by the name of a call's events."""

    accepted: list[str] = field(default_factory=list)
    """Answered with success, and sent once."""
    unknown: list[str] = field(default_factory=list)
    """Without an answer, or with one that says that nothing was written; never sent again."""
    repeated: list[str] = field(default_factory=list)
    """With ids, sent again and again until success was answered."""
    count: int = 0


def lives(process: psutil.Process) -> bool:
    """Whether it still runs: one whose end nobody has asked for does not."""
    with suppress(psutil.NoSuchProcess):
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    return False


class Installation:
    """A database, an API and a worker of their own, each of which can be killed and comes back."""

    def __init__(self, folder: Path, url: str, temporal: str) -> None:
        self._folder, self.url, self.port = folder, url, free_port()
        self._environment = {
            **os.environ,
            "DATABASE_URL": url,
            "TEMPORAL_ADDRESS": temporal,
            "JOURNEYS_TASK_QUEUE": f"ingestion-{uuid4().hex[:8]}",
        }
        self._running: dict[str, forked.Forked] = {}

    async def begin(self, what: str) -> None:
        """Start the API or the worker."""
        words = ("serve", "--port", str(self.port)) if what == "api" else ("worker",)
        self._running[what] = await forked.python("-m", "journeys", *words, env=self._environment)

    async def kill(self, what: str) -> None:
        """Kill it as nothing can be told of, and start it again."""
        if what != "database":
            self._running[what].kill()
            await self._running[what].wait()
            await self.begin(what)
            return
        pid = self._folder / "postmaster.pid"
        postmaster = psutil.Process(int(pid.read_text().split("\n")[0]))
        every = [postmaster, *postmaster.children(recursive=True)]
        postmaster.kill()
        while any(map(lives, every)):  # the others end as soon as they notice
            await asyncio.sleep(0.05)
        for lock in (pid, *self._folder.glob(".s.PGSQL.*.lock")):
            lock.unlink()  # its number may be that of one that has ended and is still in the list of processes
        await asyncio.to_thread(_start, self._folder)

    async def end(self) -> None:
        """Stop the processes."""
        for one in self._running.values():
            one.kill()
            await one.wait()


@asynccontextmanager
async def installation(temporal: str) -> AsyncIterator[Installation]:
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        folder = Path(name) / "data"
        async with embedded_postgres(folder) as server:  # its commits are on the disk
            url = await create_database(server, "ingestion")
            await migrate(url)
            one = Installation(folder, url, temporal)
            try:
                await asyncio.gather(one.begin("api"), one.begin("worker"))
                yield one
            finally:
                await one.end()


def call(name: str, first: int, *, ids: bool) -> dict[str, Any]:
    """A call of some people's events of that name, and of one that lets them in; with ids it may be repeated."""
    events: list[dict[str, Any]] = []
    for place in range(EACH):
        each = {"external_id": f"p{first + place}", "time": "2026-12-01T09:00:00Z"}
        events.append({**each, "name": name})
        if ids:
            events.append({**each, "name": "joined"})
    return {
        "events": [{**one, "event_id": f"{name} {place}"} if ids else one for place, one in enumerate(events)]
    }


async def send(http: httpx2.AsyncClient, sent: Sent, stop: asyncio.Event, seed: int) -> None:
    """One connection: one call after the other, half of them repeated until they are answered with success."""
    chance = random.Random(seed)
    while not stop.is_set():
        sent.count += 1
        name, first, ids = f"call {sent.count}", sent.count * EACH, chance.random() < 0.5
        body = call(name, first, ids=ids)
        while True:
            try:
                status = (await http.post("/users/track", json=body)).status_code
            except httpx2.HTTPError:
                status = None
            assert status in (201, 500, 503, None), status
            if status == 201:
                (sent.repeated if ids else sent.accepted).append(name)
                break
            if not ids:
                sent.unknown.append(name)
                break
            await asyncio.sleep(0.1)
        if status != 201:
            await asyncio.sleep(0.1)


async def until(done: Any, seconds: float = 240) -> None:
    async with asyncio.timeout(seconds):
        while not await done():
            await asyncio.sleep(0.1)


@pytest.mark.slow
@pytest.mark.timeout(600 + 60 * KILLS)
async def test_what_was_answered_with_success_is_there_once_whatever_is_killed_meanwhile(
    temporal: str,
) -> None:
    chance = random.Random(7)
    sent = Sent()
    async with installation(temporal) as one:
        async with Database.at(one.url) as db:
            stage = await stage_on(db, STORY)
            key = await create_key(db, stage.workspace, "test", [ALL])
            await db.pool.execute("update canvases set published = '2026-10-01'")
        headers = {"authorization": f"Bearer {key}"}
        stop = asyncio.Event()
        async with (
            httpx2.AsyncClient(base_url=f"http://127.0.0.1:{one.port}", headers=headers, timeout=60) as http,
            asyncio.TaskGroup() as senders,
        ):
            try:
                for seed in range(SENDERS):
                    senders.create_task(send(http, sent, stop, seed))
                for what in [
                    "database",
                    "api",
                    "worker",
                    *chance.choices(("database", "api", "worker"), k=KILLS),
                ][:KILLS]:
                    await calm(sent)
                    await asyncio.sleep(chance.random() / 20)
                    await one.kill(what)
                await calm(sent)
            finally:
                stop.set()
        await judged(one.url, sent)


async def calm(sent: Sent) -> None:
    """Wait until so many more calls were answered with success."""
    before = len(sent.accepted) + len(sent.repeated)

    async def answered() -> bool:
        return len(sent.accepted) + len(sent.repeated) >= before + CALM

    await until(answered)


async def judged(url: str, sent: Sent) -> None:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            "select name, count(*) from events where name like 'call %' group by name"
        )
        stored = {row["name"]: row["count"] for row in rows}
        assert {name: stored.get(name, 0) for name in sent.accepted} == dict.fromkeys(sent.accepted, EACH)
        assert {name: stored.get(name, 0) for name in sent.repeated} == dict.fromkeys(sent.repeated, EACH)
        assert {stored.get(name, 0) for name in sent.unknown} <= {0, EACH}, (
            "a call is stored whole or not at all"
        )
        counted = await connection.fetchval("select sum(count) from event_counts")
        assert counted == await connection.fetchval("select count(*) from events where kind = 'event'")

        async def let_in() -> bool:
            query = "select count(*) from people where attributes = '{\"let_in\": true}'"
            return bool(await connection.fetchval(query) == EACH * len(sent.repeated))

        await until(let_in)
        assert await connection.fetchval("select count(*) from entries") == EACH * len(sent.repeated)
    finally:
        await connection.close()
