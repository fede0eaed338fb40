"""`make bench`: this engine against a plain implementation, on one server, one database, the same receivers."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx2
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkerTuner
from uuid_utils.compat import uuid7

from bench import batch, doors, imports, ingestion, ingestion_sizes, liquid, processor, report, tenants
from bench.core import measure
from bench.plain import Activities, Plain
from bench.receivers import receivers
from bench.stories import COUNTED_DAY, DAY, MESSAGES, definitions_of, story
from journeys.channels.email import Email, SmtpSettings
from journeys.channels.webhook import Webhook, WebhookSettings
from journeys.cli.stop import leave
from journeys.engine.clock import Clock
from journeys.engine.intake.track import track
from journeys.engine.intake.triggering import Trigger, Wanted
from journeys.engine.people.identity import Identifier
from journeys.engine.people.profiles import shard_of
from journeys.engine.store import Database, database, migrate
from journeys.engine.store.embedded_postgres import create_database, embedded_postgres
from journeys.engine.workspaces.publishing import publish
from journeys.plugin import JourneysPlugin
from journeys.worker import CACHED_WORKFLOWS, WORKFLOW_SLOTS
from journeys.workflows.temporal_server import temporal_server

RESULTS = Path(__file__).parent / "results.json"
STORIES = ("j1", "j2", "j3")


@dataclass
class Run:
    """What one side did: journeys per second, CPU of the worker's process per journey (ms), and of all its processes."""

    per_second: float
    cpu: float
    cpu_all: float


@dataclass
class Bench:
    """The servers of the run."""

    server: str
    temporal: str
    smtp: int
    url: str
    http: httpx2.AsyncClient
    data: Path
    """The folder of the database."""

    async def count(self, until: int = 0) -> int:
        """Messages that were accepted so far. `until`: as soon as there are so many, without asking again and again."""
        return int((await self.http.get(f"{self.url}/count", params={"until": until})).text)

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Database]:
        """A fresh database."""
        url = await create_database(self.server, f"bench_{uuid4().hex[:8]}")
        await migrate(url)
        async with Database.at(url) as db:
            await db.pool.execute("create table bench_sends (key text primary key, person uuid, step text)")
            yield db

    async def people(self, db: Database, workspace: int, count: int) -> list[UUID]:
        """So many people, every other one even."""
        identities = [uuid7() for _ in range(count)]
        rows = [
            (workspace, one, shard_of(one), 1, f"p{n}", f"p{n}@example.com", f"P{n}", {"even": n % 2 == 0})
            for n, one in enumerate(identities)
        ]
        await db.pool.executemany(
            "insert into people (workspace, id, shard, bucket, external_id, email, first_name, attributes) "
            "values ($1, $2, $3, $4, $5, $6, $7, $8)",
            rows,
        )
        return identities

    async def timed(self, name: str, count: int, work: Callable[[], Awaitable[None]]) -> Run:
        """Run the work, and stop the clock at the last accepted message."""
        before = await self.count()
        everything = processor.seconds(self.data)
        cpu, begun = time.process_time(), time.perf_counter()
        await work()
        await self.count(before + count * MESSAGES[name])
        seconds, used = time.perf_counter() - begun, time.process_time() - cpu
        everything = processor.seconds(self.data) - everything
        return Run(count / seconds, 1000 * used / count, 1000 * everything / count)

    async def ours(
        self, name: str, count: int, *, alone: bool = False, day: float = DAY
    ) -> tuple[Run, dict[str, float]]:
        """Our side: the plugin's worker in this process. People come in calls of fifty; `alone`: a workflow each all the same."""
        client = await Client.connect(self.temporal)
        definitions = definitions_of(story(name, self.url, alone=alone, day=day))
        async with self.database() as db:
            workspace = (await publish(db, "bench", definitions)).workspace
            people = await self.people(db, workspace, count)
            channels: Sequence[Any] = [
                Email(SmtpSettings(port=self.smtp)),
                Webhook(WebhookSettings(allowed_networks="127.0.0.0/8")),
            ]
            queue = f"ours-{uuid4().hex[:8]}"
            plugin = JourneysPlugin(db.url, channels=channels)
            async with Worker(client, task_queue=queue, plugins=[plugin]):
                while plugin.engine is None:
                    await asyncio.sleep(0.01)
                parts = plugin.engine
                await parts.published.of(workspace)
                trigger = Trigger(parts.db, parts.published, parts.clock, parts.alarm_sync, parts.notifier)

                async def work() -> None:
                    publication = await parts.published.of(workspace)
                    running = publication.running[name]
                    for begin in range(0, count, 50):
                        wanted = [
                            Wanted(Identifier("braze_id", str(one))) for one in people[begin : begin + 50]
                        ]
                        await trigger.named(publication, running, uuid4().hex, wanted, None)
                    if name == "j3":
                        await self._like(db, parts, workspace, count)

                result = await self.timed(name, count, work)
                while await db.pool.fetchval(
                    "select count(*) from entries where ended is null or told < turn"
                ):
                    await asyncio.sleep(0.05)
                counts = await _history(client, db, count, queue) if alone else {}
        return result, counts

    async def _like(self, db: Database, parts: Any, workspace: int, count: int) -> None:
        """The awaited event, for each person as soon as their entry waits for it."""
        done: set[UUID] = set()
        while len(done) < count:
            rows = await db.pool.fetch("select person from entries where step = 'watch' and begun <= now()")
            new = [row["person"] for row in rows if row["person"] not in done][:50]
            if not new:
                await asyncio.sleep(0.05)
                continue
            at = Clock().now().isoformat()
            events = [{"braze_id": str(one), "name": "liked", "time": at} for one in new]
            await track(
                parts.db,
                parts.published,
                parts.clock,
                parts.alarm_sync,
                parts.notifier,
                workspace,
                {"events": events},
            )
            done.update(new)

    async def plain(self, name: str, count: int, wakes: float | None = None) -> tuple[Run, dict[str, float]]:
        """The plain side: its worker in this process, with the same slots, cache and pools.

        `wakes`: the instant of the story `wake`, in seconds since 1970. Raises AssertionError where it comes too early.
        """
        client = await Client.connect(self.temporal)
        async with self.database() as db, httpx2.AsyncClient(trust_env=False) as http:
            people = await self.people(db, 1, count)
            acts = Activities(db.pool, self.smtp, self.url, http)
            queue = f"plain-{uuid4().hex[:8]}"
            worker = Worker(
                client,
                task_queue=queue,
                workflows=[Plain],
                activities=[acts.read_profile, acts.evaluate, acts.render, acts.send, acts.record],
                workflow_runner=UnsandboxedWorkflowRunner(),
                max_cached_workflows=CACHED_WORKFLOWS,
                tuner=WorkerTuner.create_fixed(
                    workflow_slots=WORKFLOW_SLOTS, activity_slots=50, local_activity_slots=100
                ),
            )
            async with worker:
                ids = [f"{queue}-{n}" for n in range(count)]

                async def work() -> None:
                    places = asyncio.Semaphore(64)

                    async def begin(identity: str, person: UUID) -> None:
                        async with places:
                            await client.start_workflow(
                                Plain.run, args=[name, str(person), wakes], id=identity, task_queue=queue
                            )

                    await asyncio.gather(*(begin(*each) for each in zip(ids, people, strict=True)))
                    assert wakes is None or time.time() < wakes, "it wakes before all have begun"
                    if name == "j3":

                        async def like(identity: str) -> None:
                            async with places:
                                await client.get_workflow_handle(identity).signal(Plain.like)

                        await asyncio.gather(*(like(identity) for identity in ids))

                result = await self.timed(name, count, work)
                lengths: list[int] = []
                for identity in ids[: 0 if name == "wait" else 20]:
                    handle = client.get_workflow_handle(identity)
                    await handle.result()
                    lengths.append((await handle.describe()).history_length)
        return result, {"events": statistics.mean(lengths)} if lengths else {}

    async def latency(self) -> float:
        """From ingest to burst on an idle machine: median milliseconds."""
        client = await Client.connect(self.temporal)
        definitions = definitions_of(
            "kind: canvas\nformat: 1\nname: l\nschedule: {api: true}\nsteps:\n"
            "  - {type: action_paths, id: watch, within: 1 hour, paths: [{name: p, triggers: [{event: liked}]}]}\n"
            "  - {type: delay, id: d, duration: 1 hour}\n  - {type: delay, id: e, duration: 1 hour}\n"
        )
        times = []
        async with self.database() as db:
            workspace = (await publish(db, "bench", definitions)).workspace
            people = await self.people(db, workspace, 30)
            plugin = JourneysPlugin(db.url, channels=[])
            async with Worker(client, task_queue=f"l-{uuid4().hex[:8]}", plugins=[plugin]):
                while plugin.engine is None:
                    await asyncio.sleep(0.01)
                parts = plugin.engine
                trigger = Trigger(parts.db, parts.published, parts.clock, parts.alarm_sync, parts.notifier)
                publication = await parts.published.of(workspace)
                for person in people:
                    wanted = [Wanted(Identifier("braze_id", str(person)))]
                    await trigger.named(publication, publication.running["l"], uuid4().hex, wanted, None)
                query = "select count(*) from entries where step = $1"
                while await db.pool.fetchval(query, "watch") < len(people):
                    await asyncio.sleep(0.05)
                await asyncio.sleep(2)
                for done, person in enumerate(people, 1):
                    event = {"braze_id": str(person), "name": "liked", "time": Clock().now().isoformat()}
                    begun = time.perf_counter()
                    await track(
                        parts.db,
                        parts.published,
                        parts.clock,
                        parts.alarm_sync,
                        parts.notifier,
                        workspace,
                        {"events": [event]},
                    )
                    while await db.pool.fetchval(query, "d") < done:
                        await asyncio.sleep(0.001)
                    times.append(1000 * (time.perf_counter() - begun))
                    await asyncio.sleep(0.1)
        return statistics.median(times)


class Tally:
    """Counts the statements and commits of all connections that are made while it is on; off, it costs nothing."""

    def __init__(self) -> None:
        self.statements = self.commits = 0

    def __enter__(self) -> Tally:
        self._before = database.prepare

        async def prepare(connection: asyncpg.Connection) -> None:
            await self._before(connection)
            connection.add_query_logger(self._counter())

        database.prepare = prepare
        return self

    def __exit__(self, *_: object) -> None:
        database.prepare = self._before

    def _counter(self) -> Callable[[Any], None]:
        inside = False

        def count(record: Any) -> None:
            nonlocal inside
            word = record.query.lstrip()[:8].upper()
            self.statements += 1
            if word.startswith("BEGIN"):
                inside = True
            elif word.startswith("COMMIT"):
                inside = False
                self.commits += 1
            elif word.startswith("ROLLBACK") and not record.query.upper().lstrip().startswith("ROLLBACK TO"):
                inside = False
            elif not inside:
                self.commits += 1

        return count


async def _history(client: Client, db: Database, count: int, queue: str) -> dict[str, float]:
    """History events and workflow tasks of the entries, and all events of the queue's workflows, per journey."""
    events = tasks = 0
    rows = await db.pool.fetch("select id, generation from entries limit 40")
    for row in rows:
        handle = client.get_workflow_handle(f"{row['id']}:{row['generation']}")
        history = await handle.fetch_history()
        events += len(history.events)
        tasks += sum(
            1 for event in history.events if event.HasField("workflow_task_completed_event_attributes")
        )
    total = 0
    async for workflow in client.list_workflows(f"TaskQueue = '{queue}'"):
        handle = client.get_workflow_handle(workflow.id, run_id=workflow.run_id)
        total += (await handle.describe()).history_length
    return {"events": events / len(rows), "tasks": tasks / len(rows), "events_all": total / count}


async def run(count: int, pairs: int, stories: Sequence[str]) -> dict[str, float | str]:
    """The journeys."""
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        async with (
            embedded_postgres(data := Path(folder) / "data", durable=False) as server,
            temporal_server(os.environ.get("TEMPORAL_ADDRESS")) as temporal,
            receivers() as (smtp, url, http),
        ):
            bench = Bench(server, temporal.address, smtp, url, http, data)
            results["latency_ms.event_to_burst"] = round(await bench.latency(), 1)
            _say(results)
            for name in stories:
                with Tally() as tally:
                    _, ours = await bench.ours(name, 300, alone=True, day=COUNTED_DAY)
                results[f"statements.ours.{name}"] = round(tally.statements / 300, 1)
                results[f"commits.ours.{name}"] = round(tally.commits / 300, 1)
                with Tally() as tally:
                    await bench.ours(name, 300, day=COUNTED_DAY)
                results[f"statements.together.{name}"] = round(tally.statements / 300, 1)
                results[f"commits.together.{name}"] = round(tally.commits / 300, 1)
                with Tally() as tally:
                    _, plain = await bench.plain(name, 100)
                results[f"statements.plain.{name}"] = round(tally.statements / 100, 1)
                results[f"commits.plain.{name}"] = round(tally.commits / 100, 1)
                results[f"events.{name}"] = round(ours["events"], 2)
                results[f"events_all.{name}"] = round(ours["events_all"], 2)
                results[f"workflow_tasks.{name}"] = round(ours["tasks"], 2)
                results[f"events_plain.{name}"] = round(plain["events"], 2)
                ratios, mine, theirs = [], [], []
                for _ in range(pairs):
                    one, other = (await bench.ours(name, count))[0], (await bench.plain(name, count))[0]
                    ratios.append(one.per_second / other.per_second)
                    mine.append(one)
                    theirs.append(other)
                results[f"throughput_ratio.{name}"] = round(statistics.median(ratios), 2)
                for side, runs in (("ours", mine), ("plain", theirs)):
                    results[f"journeys_per_second.{side}.{name}"] = round(
                        statistics.median(r.per_second for r in runs), 1
                    )
                    results[f"cpu_ms.{side}.{name}"] = round(statistics.median(r.cpu for r in runs), 1)
                    everything = statistics.median(r.cpu_all for r in runs)
                    results[f"cpu_all_ms.{side}.{name}"] = round(everything, 1)
                each = zip(mine, theirs, strict=True)
                results[f"cpu_ratio.{name}"] = round(
                    statistics.median(other.cpu_all / one.cpu_all for one, other in each), 2
                )
                _say({key: value for key, value in results.items() if key.endswith(name)})
    results["machine"] = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    return results


PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "batch": lambda: asyncio.run(batch.measure()),
    "imports": imports.measured,
    "liquid": liquid.measure,
    "api": lambda: asyncio.run(doors.measure()),
    "report": lambda: asyncio.run(report.measure()),
    "track": lambda: asyncio.run(ingestion.measure()),
    "tenants": lambda: asyncio.run(tenants.measure()),
}
"""The parts that have servers of their own, by the name that their results begin with."""

LONG: dict[str, Callable[[], dict[str, Any]]] = {"track": lambda: asyncio.run(ingestion_sizes.measure())}
"""What `--long` adds to a part: minutes more."""


def _say(results: dict[str, Any]) -> None:
    for name, value in results.items():
        print(f"{name:<34} {value}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=800)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument(
        "--stories", nargs="+", default=STORIES, choices=STORIES, help="only these; nothing is written then"
    )
    parser.add_argument(
        "--only", choices=tuple(PARTS), help="only this part; of the results only its own are written"
    )
    parser.add_argument("--long", action="store_true", help="with --only: what takes minutes too")
    given = parser.parse_args()
    if given.only:
        part = PARTS[given.only]()
        if given.long and given.only in LONG:
            part |= LONG[given.only]()
        kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        kept = {name: value for name, value in kept.items() if not name.startswith(f"{given.only}.")}
        RESULTS.write_text(json.dumps(kept | part, indent=1, sort_keys=True) + "\n")
        _say(part)
        leave()
    found = asyncio.run(run(given.count, given.pairs, given.stories))
    found |= measure()
    for part_of in PARTS.values():
        found |= part_of()
    if tuple(given.stories) == STORIES:
        RESULTS.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    _say(found)
    leave()
