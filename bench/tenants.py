"""How much later the messages of a tenant leave beside another that does its worst, and what memory that takes.

Real processes: `journeys serve`, `journeys worker`, PostgreSQL, Temporal; a mail server and hostile web servers in one more,
and the hostile tenant's client in another, both of which the machine serves last: they would be elsewhere. The tenant that
lives normally sends an event at a time, and each leads to a mail: the time is taken from before the call until the mail has
arrived. It is alone, then beside `bench.hostile_tenant`, which does at once what an outsider may, and then alone again with
the other's canvases stopped. `tenants.ratio` is the median beside the other over the median alone, the better one of both.
Two is wanted; it is told and not enforced. It fails where a process has used more memory than docs/production.md says.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import statistics
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import httpx2
import psutil
from uuid_utils.compat import uuid7

from bench.hostile_tenant import CALM, CANVASES, NAMELESS, SLOW_NAME, published
from bench.stories import MAIL, definitions_of
from journeys.engine.store import Database, migrate
from journeys.engine.store.embedded_postgres import create_database, embedded_postgres
from journeys.engine.workspaces.api_keys import create_key
from journeys.engine.workspaces.canvas_changes import change
from journeys.engine.workspaces.publishing import publish
from journeys.workflows.temporal_server import temporal_server

APART = 0.25
"""Seconds between two events: a rate at which the machine is far from busy."""
WARMING, ALONE, BESIDE = 20, 60, 160
"""Events that are sent and not counted, alone (each time), and beside the other tenant."""
LATEST = 60.0
"""Seconds that the last mails of a phase are waited for; what has not arrived by then counts as that late."""
PEOPLE, LARGE = 20_000, 60
"""People of the hostile tenant; so many have as many custom attributes as they may, and are the first of a broadcast."""
POISONED = 80
MOST_MB: Mapping[str, int] = {"worker": 1024, "api": 1024}
"""Megabytes of memory that a process may use, as docs/production.md says."""

STORY = (
    """
kind: canvas
format: 1
name: hello
schedule: {event: signed_up}
reentry: {after: 0 days}
steps:
  - {type: message, id: mail, channel: email, template: mail}"""
    + MAIL
)

SLOW_NAMES = f"""
import socket, time
look = socket.getaddrinfo
def slow(host, *given, **more):
    if host == {NAMELESS!r}:
        time.sleep({SLOW_NAME})
        raise socket.gaierror(-2, "Name or service not known")
    return look(host, *given, **more)
socket.getaddrinfo = slow
"""
"""A `sitecustomize` for the processes: there is no slow name server here."""

MANY = """
insert into people (workspace, id, shard, bucket, external_id, email, attributes)
select $1, (lpad(to_hex(n), 12, '0') || '70008000000000000000')::uuid, n % 256, 1, 'p' || n, 'p' || n || '@example.com',
    jsonb_build_object('long', repeat('ab', 500), 'lists',
        case when n <= $3 then (select jsonb_agg('[]'::jsonb) from generate_series(1, 90000)) end)
from generate_series(1, $2) n
"""
POISON = """insert into broadcasts (workspace, id, canvas, audience, context) values ($1, $2, 'everybody', '{"nothing": 1}', '{}')"""


@asynccontextmanager
async def process(
    *words: str, environment: Mapping[str, str] | None = None, nice: int = 0
) -> AsyncIterator[Process]:
    """A process of this Python, whose output is read with what it says of errors."""
    one = await asyncio.create_subprocess_exec(
        "nice",
        f"-n{nice}",
        sys.executable,
        "-m",
        *words,
        stdin=PIPE,
        stdout=PIPE,
        stderr=STDOUT,
        env={**os.environ, **(environment or {})},
    )
    try:
        yield one
    finally:
        if one.returncode is None:
            with suppress(ProcessLookupError):
                one.kill()
            await one.wait()


async def _says(one: Process, pattern: str) -> re.Match[str]:
    assert one.stdout is not None
    lines = []
    while line := (await one.stdout.readline()).decode():
        lines.append(line)
        if found := re.search(pattern, line):
            return found
    raise AssertionError("".join(lines))


async def _listen(one: Process, log: Path) -> None:
    """Read what a process says, so that it does not wait for a reader."""
    assert one.stdout is not None
    with log.open("wb") as file:
        while some := await one.stdout.read(65536):
            file.write(some)
            file.flush()


class Spent:
    """What each process of the machine's side has computed since it was asked before, by its part."""

    def __init__(self, data: Path, parts: Mapping[str, int]) -> None:
        self._postmaster = int((data / "postmaster.pid").read_text().split("\n")[0])
        self._parts = dict(parts)
        self._before: dict[int, float] = {}
        self._began = time.monotonic()
        self.since()

    def since(self) -> str:
        """Processor seconds of each part in each second since the last call, in words."""
        now, used = time.monotonic(), dict[str, float]()
        for each in (psutil.Process(self._postmaster), *psutil.Process().children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                self._add(used, each, "postgresql" if each.pid == self._postmaster else None)
        for each in psutil.Process(self._postmaster).children():
            with suppress(psutil.NoSuchProcess):
                self._add(used, each, "postgresql")
        words = ", ".join(f"{part} {value / (now - self._began):.2f}" for part, value in sorted(used.items()))
        self._began = now
        return words

    def _add(self, used: dict[str, float], one: psutil.Process, part: str | None) -> None:
        name = part or {pid: name for name, pid in self._parts.items()}.get(one.pid) or one.name()
        times = one.cpu_times()
        computed = times.user + times.system
        used[name] = used.get(name, 0.0) + computed - self._before.get(one.pid, 0.0)
        self._before[one.pid] = computed


def memory(one: Process) -> float:
    """The most megabytes that were resident of a process so far (Linux)."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{one.pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


async def lives(http: httpx2.AsyncClient, sink: str, phase: str, count: int) -> list[float]:
    """Send events one by one; for each the seconds from the call until its mail has arrived."""
    begun: dict[str, float] = {}
    answered: list[float] = []
    sending = []

    async def send(name: str) -> None:
        person = {"external_id": name, "email": f"{name}@example.com", "first_name": "Mel"}
        event = {"external_id": name, "name": "signed_up", "time": datetime.now(UTC).isoformat()}
        begun[name] = time.monotonic()
        answer = await http.post("/users/track", json={"attributes": [person], "events": [event]})
        assert answer.status_code == 201, answer.text
        answered.append(time.monotonic() - begun[name])

    for number in range(count):
        sending.append(asyncio.create_task(send(f"{CALM}-{phase}-{number}")))
        await asyncio.sleep(APART)
    await asyncio.gather(*sending)
    print(f"  {phase:<12} answered after {1000 * statistics.median(answered):.0f} ms", flush=True)
    ends = time.monotonic() + LATEST
    while True:
        arrived = (await http.get(f"{sink}/arrivals")).json()["calm"]
        if begun.keys() <= arrived.keys() or time.monotonic() > ends:
            return [arrived.get(name, at + LATEST) - at for name, at in begun.items()]
        await asyncio.sleep(0.5)


async def measure() -> dict[str, float]:
    """The normal tenant alone, beside the hostile one, and alone. Raises AssertionError where a bound is not kept."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "sitecustomize.py").write_text(SLOW_NAMES)
        logs = Path(os.environ.get("JOURNEYS_BENCH_LOGS", folder))
        async with (
            embedded_postgres(folder / "data", durable=False) as server,
            temporal_server(os.environ.get("TEMPORAL_ADDRESS")) as temporal,
            process("bench.hostile_tenant", "servers", nice=10) as others,
        ):
            smtp, web, dribbling = (await _says(others, r"(\d+) (\d+) (\d+)")).groups()
            sink = f"http://127.0.0.1:{web}"
            database = await create_database(server, f"bench_{uuid4().hex[:8]}")
            await migrate(database)
            environment = {
                "DATABASE_URL": database,
                "TEMPORAL_ADDRESS": temporal.address,
                "JOURNEYS_TASK_QUEUE": f"t-{uuid4().hex[:8]}",
                "JOURNEYS_SMTP_PORT": smtp,
                "JOURNEYS_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
                "JOURNEYS_CONNECTED_ALLOWED_NETWORKS": "127.0.0.0/8",
                "PYTHONPATH": f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
                "COLUMNS": "160",
            }
            async with (
                Database.at(database) as db,
                process("journeys", "serve", "--port", "0", environment=environment) as api,
                process("journeys", "worker", "--port", "0", environment=environment) as worker,
            ):
                calm = (await publish(db, "calm", definitions_of(STORY))).workspace
                text = published(sink, f"http://127.0.0.1:{dribbling}/")
                hostile = (await publish(db, "hostile", definitions_of(text))).workspace
                keys = [await create_key(db, each, "bench", ["*"]) for each in (calm, hostile)]
                address = (await _says(api, r"listens on (http\S+)"))[1]
                await _says(worker, r"metrics on (http\S+)")
                listening = [
                    asyncio.create_task(_listen(each, logs / f"{name}.log"))
                    for name, each in (("api", api), ("worker", worker))
                ]
                async with httpx2.AsyncClient(
                    base_url=address,
                    headers={"Authorization": f"Bearer {keys[0]}"},
                    timeout=120,
                    trust_env=False,
                ) as http:
                    await db.pool.execute(MANY, hostile, PEOPLE, LARGE)
                    await db.pool.execute("analyze people")
                    await lives(http, sink, "warm", WARMING)
                    parts = {"api": api.pid, "worker": worker.pid, "other servers": others.pid}
                    spent = Spent(folder / "data", parts)
                    alone = await lives(http, sink, "alone", ALONE)
                    _say("alone", alone, spent, api, worker)
                    for _ in range(POISONED):
                        await db.pool.execute(POISON, hostile, uuid7())
                    async with process(
                        "bench.hostile_tenant", "calls", address, keys[1], sink, nice=10
                    ) as attacker:
                        await _says(attacker, "begun")
                        listening.append(asyncio.create_task(_listen(attacker, logs / "attacker.log")))
                        await asyncio.sleep(5)
                        beside = await lives(http, sink, "beside", BESIDE)
                    _say("beside", beside, spent, api, worker)
                    for canvas in CANVASES:
                        await change(db, hostile, canvas, "stop", at=datetime.now(UTC))
                    await asyncio.sleep(10)
                    again = await lives(http, sink, "again", ALONE)
                    _say("alone again", again, spent, api, worker)
                    alone = min(alone, again, key=statistics.median)
                used = {"api": memory(api), "worker": memory(worker)}
            for task in listening:
                task.cancel()
    found = {
        "alone_ms": 1000 * statistics.median(alone),
        "alone_ms_p95": 1000 * statistics.quantiles(alone, n=20)[-1],
        "beside_ms": 1000 * statistics.median(beside),
        "beside_ms_p95": 1000 * statistics.quantiles(beside, n=20)[-1],
        "worker_mb": used["worker"],
        "api_mb": used["api"],
    }
    rounded = {f"tenants.{name}": round(value, 1) for name, value in found.items()}
    rounded["tenants.ratio"] = round(found["beside_ms"] / found["alone_ms"], 2)
    print(json.dumps(rounded, indent=1), flush=True)
    for name, most in MOST_MB.items():
        assert used[name] <= most, f"{name} used {used[name]:.0f} MB, more than {most}"
    return rounded


def _say(phase: str, times: list[float], spent: Spent, *processes: Process) -> None:
    late = statistics.quantiles(times, n=20)[-1]
    used = ", ".join(f"{memory(each):.0f}" for each in processes)
    print(
        f"  {phase:<12} median {1000 * statistics.median(times):.0f} ms, 95 % {1000 * late:.0f} ms; most MB so far {used}",
        flush=True,
    )
    print(f"  {phase:<12} processors in use: {spent.since()}", flush=True)


if __name__ == "__main__":
    asyncio.run(measure())
