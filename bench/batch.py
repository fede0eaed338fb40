"""A scheduled canvas for many people, beside a workflow per person written plainly, and beside a loop of a good engineer.

All three hand over to the same mail server, which counts. A canvas is taken from the beginning of its run to the last mail
that was accepted; the time from its publication to that beginning is shown apart (`batch.start_seconds`), since it does not
grow with the people. The plain side is measured on fewer people (`batch.people.plain`), and taken per person. Beside the
time there is the processor time of all processes of a side per person (`batch.cpu_ms`), which other load touches less.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import aiosmtplib
import psutil
from uuid_utils.compat import uuid7

from bench import processor
from bench.receivers import receivers
from bench.stories import MAIL, definitions_of
from bench.tenants import process
from journeys.canvas.yaml_definitions import Definitions, read_text
from journeys.engine.content import Values, compile
from journeys.engine.people.profiles import shard_of
from journeys.engine.store import Database
from journeys.engine.store.embedded_postgres import embedded_postgres
from journeys.engine.workspaces.publishing import publish
from journeys.workflows.temporal_server import temporal_server

if TYPE_CHECKING:
    from bench.__main__ import Bench

SIZES = (1_000, 10_000, 100_000)
PLAIN = 2_000
WAKING = 10_000
PAGE = 500
"""People whom the loop reads, and whose facts it writes, at a time."""
CONNECTIONS = 4
"""Connections to the mail server, as many as both other sides have."""

HEAD = "kind: canvas\nformat: 1\nname: batch\nschedule: {at_launch: true}\nsteps:\n"
SEND = "  - {type: message, id: mail, channel: email, template: mail}\n"
MAILED = HEAD + SEND + MAIL
WAITED = (
    HEAD
    + SEND
    + "  - {type: delay, id: day, duration: 1 day}\n"
    + SEND.replace("id: mail", "id: second")
    + MAIL
)
WOKEN = HEAD + "  - {type: delay, id: wait, until: INSTANT}\n" + SEND + MAIL
ENDED = "select count(*) from runs where workspace = $1 and ended is not null"
SENT = "select count(*) from facts where workspace = $1 and fact = 'sent'"
FACTS = """
insert into facts (workspace, person, shard, fact, at, canvas, entry, step, data)
select $1, p.person, p.shard, f.fact, $5, 'batch', p.entry, f.step, '{}'::jsonb
from unnest($2::uuid[], $3::int[], $4::uuid[]) as p(person, shard, entry),
    (values ('entered', null), ('reached', 'mail'), ('sent', 'mail'), ('ended', null)) as f(fact, step)
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a side took: per person, milliseconds of time and of all its processes' processors."""

    person: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of a canvas."""

    cost: Cost
    start: float
    """Seconds from its publication until its run began."""
    mb: float
    """Megabytes of the worker that were resident when all mails had left."""
    half: datetime
    """When half of the mails had come."""
    whole: datetime


async def canvas(bench: Bench, count: int, text: str) -> Ran:
    """Our side, with a worker of its own, until the last mail and its fact."""
    async with bench.database() as db:
        workspace = (await publish(db, "bench", Definitions())).workspace
        await bench.people(db, workspace, count)
        await db.pool.execute("analyze people")
        environment = {
            "DATABASE_URL": db.url,
            "TEMPORAL_ADDRESS": bench.temporal,
            "JOURNEYS_TASK_QUEUE": f"batch-{uuid4().hex[:8]}",
            "JOURNEYS_SMTP_PORT": str(bench.smtp),
        }
        async with process("journeys", "worker", "--port", "0", environment=environment) as worker:
            assert worker.stdout is not None
            while line := await worker.stdout.readline():
                if b"metrics on" in line:
                    break
            reading = asyncio.create_task(_read(worker.stdout))
            before = await bench.count()
            used = processor.seconds(bench.data)
            published = datetime.now(UTC)
            await publish(db, "bench", definitions_of(text))
            half, whole = await _mails(bench, before, count)
            await _until(db, SENT, workspace, count)
            await _until(db, ENDED, workspace, 1)
            used = processor.seconds(bench.data) - used
            row = await db.pool.fetchrow("select began from runs where workspace = $1", workspace)
            resident = psutil.Process(worker.pid).memory_info().rss / 2**20
            reading.cancel()
    cost = Cost(1000 * (whole - row["began"]).total_seconds() / count, 1000 * used / count)
    return Ran(cost, (row["began"] - published).total_seconds(), resident, half, whole)


async def _mails(bench: Bench, before: int, count: int) -> tuple[datetime, datetime]:
    """When half of so many mails have come, and when all have."""

    async def at(many: int) -> datetime:
        await bench.count(before + many)
        return datetime.now(UTC)

    return tuple(await asyncio.gather(at(count // 2), at(count)))  # type: ignore[return-value]


async def _read(stream: asyncio.StreamReader) -> None:
    while await stream.read(65536):
        pass


async def _until(db: Database, query: str, workspace: int, many: int) -> None:
    while await db.pool.fetchval(query, workspace) < many:
        await asyncio.sleep(0.2)


async def loop(bench: Bench, count: int) -> Cost:
    """The loop: it reads a page, renders, hands over on a few connections, and writes the facts of the page at once."""
    template: Any = next(one.value for one in read_text(MAIL)[0])
    subject, html = compile(template.subject), compile(template.html)
    async with bench.database() as db:
        workspace = (await publish(db, "bench", Definitions())).workspace
        people = await bench.people(db, workspace, count)
        await db.pool.execute("analyze people")
        connections = [aiosmtplib.SMTP(hostname="127.0.0.1", port=bench.smtp) for _ in range(CONNECTIONS)]
        for each in connections:
            await each.connect()

        async def hand_over(connection: aiosmtplib.SMTP, rows: Sequence[Any]) -> None:
            for row in rows:
                values = Values(
                    profile={"first_name": row["first_name"], "user_id": row["external_id"]},
                    campaign={"name": "batch"},
                )
                mail = EmailMessage()
                mail["From"], mail["To"] = "desk@example.com", row["email"]
                mail["Subject"], mail["Message-ID"] = subject.render(values), f"<{row['id']}@example.com>"
                mail.set_content("Hello")
                mail.add_alternative(html.render(values), subtype="html")
                await connection.send_message(mail)

        async def page_of(page: Sequence[UUID]) -> None:
            rows = await db.pool.fetch(
                "select id, external_id, email, first_name from people where workspace = $1 and id = any($2::uuid[])",
                workspace,
                page,
            )
            await asyncio.gather(
                *(hand_over(each, rows[n::CONNECTIONS]) for n, each in enumerate(connections))
            )
            shards = [shard_of(one) for one in page]
            await db.pool.execute(FACTS, workspace, page, shards, [uuid7() for _ in page], datetime.now(UTC))

        used, begun = processor.seconds(bench.data), time.perf_counter()
        for first in range(0, count, PAGE):
            await page_of(people[first : first + PAGE])
        took, used = time.perf_counter() - begun, processor.seconds(bench.data) - used
        for each in connections:
            await each.quit()
    return Cost(1000 * took / count, 1000 * used / count)


async def plain(bench: Bench, story: str, count: int) -> Cost:
    """A workflow per person."""
    run = (await bench.plain(story, count))[0]
    return Cost(1000 / run.per_second, run.cpu_all)


async def waking(bench: Bench, count: int) -> dict[str, float]:
    """Seconds from the instant at which all wake until half of their mails have come, and all of them, by side."""
    ahead = 20 + count // 50
    instant = datetime.now(UTC) + timedelta(seconds=ahead)
    ours = await canvas(bench, count, WOKEN.replace("INSTANT", instant.isoformat()))
    before = await bench.count()
    wakes = datetime.now(UTC) + timedelta(seconds=ahead)
    _, (half, whole) = await asyncio.gather(
        bench.plain("wake", count, wakes.timestamp()), _mails(bench, before, count)
    )
    return {
        "median": (ours.half - instant).total_seconds(),
        "last": (ours.whole - instant).total_seconds(),
        "median.plain": (half - wakes).total_seconds(),
        "last.plain": (whole - wakes).total_seconds(),
    }


async def measure(sizes: Sequence[int] = SIZES, people: int = PLAIN, wake: int = WAKING) -> dict[str, Any]:
    """All figures, on the same servers. The loop, and what waits, at the largest size."""
    from bench.__main__ import Bench  # it measures this part

    results: dict[str, Any] = {}

    def note(name: str, value: float, digits: int = 2) -> None:
        results[f"batch.{name}"] = round(value, digits) if digits else round(value)
        print(f"  batch.{name:<34} {results[f'batch.{name}']}", flush=True)

    def compare(prefix: str, ours: Cost, theirs: Cost) -> None:
        note(f"{prefix}person_ms.plain", theirs.person)
        note(f"{prefix}cpu_ms.plain", theirs.cpu)
        note(f"{prefix}vs_workflow_per_person", theirs.person / ours.person, 1)
        note(f"{prefix}vs_workflow_per_person.cpu", theirs.cpu / ours.cpu, 1)

    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        data = Path(folder) / "data"
        async with (
            embedded_postgres(data, durable=False) as server,
            temporal_server(os.environ.get("TEMPORAL_ADDRESS")) as temporal,
            receivers() as (smtp, url, http),
        ):
            bench = Bench(server, temporal.address, smtp, url, http, data)
            note("people", max(sizes), 0)
            note("people.plain", people, 0)
            ours: dict[int, Cost] = {}
            for size in sizes:
                ran = await canvas(bench, size, MAILED)
                ours[size] = ran.cost
                note(f"start_seconds.{size}", ran.start)
                note(f"person_ms.{size}", ran.cost.person)
                note(f"cpu_ms.{size}", ran.cost.cpu)
            largest = ours[max(sizes)]
            note("growth", largest.person / ours[min(sizes)].person)
            note("growth.cpu", largest.cpu / ours[min(sizes)].cpu)
            beside = await loop(bench, max(sizes))
            note("person_ms.loop", beside.person)
            note("cpu_ms.loop", beside.cpu)
            note("vs_bare_loop", beside.person / largest.person)
            note("vs_bare_loop.cpu", beside.cpu / largest.cpu)
            compare("", largest, await plain(bench, "j1", people))
            for size in sizes[-2:]:
                ran = await canvas(bench, size, WAITED)
                note(f"wait.person_ms.{size}", ran.cost.person)
                note(f"wait.cpu_ms.{size}", ran.cost.cpu)
                note(f"wait.worker_mb.{size}", ran.mb, 0)
            compare("wait.", ran.cost, await plain(bench, "wait", people))
            note("wake.people", wake, 0)
            for name, late in (await waking(bench, wake)).items():
                note(f"wake.late_seconds.{name}", late)
    return results


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="people of the canvas, ascending")
    parser.add_argument("--plain", type=int, default=PLAIN, help="people of the plain side")
    parser.add_argument("--waking", type=int, default=WAKING, help="people who wake at one instant")
    given = parser.parse_args()
    print(json.dumps(asyncio.run(measure(given.sizes, given.plain, given.waking)), indent=1), flush=True)
