"""The report of a canvas of a million facts, beside the one count that answers the same."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from bench.stories import definitions_of
from journeys.engine.store import Database, migrate
from journeys.engine.store.embedded_postgres import create_database, embedded_postgres
from journeys.engine.workspaces.canvas_report import report_of
from journeys.engine.workspaces.published import Published
from journeys.engine.workspaces.publishing import publish

FACTS = 1_000_000
ROUNDS = 5
CANVAS = """
kind: canvas
format: 1
name: report
schedule: {api: true}
conversions: [{name: bought, event: bought, within: 7 days, revenue: total}]
variants:
  - {name: control, weight: 20, control: true}
  - name: some
    weight: 80
    steps:
      - {type: delay, id: s0, duration: 1 day}
      - {type: delay, id: s1, duration: 1 day}
      - {type: delay, id: s2, duration: 1 day}
"""
KINDS = "array['entered', 'reached', 'reached', 'took', 'waits', 'sent', 'aborted', 'ended']"
FILL = f"""
insert into facts (workspace, person, shard, fact, at, canvas, entry, step, data)
select $1, md5((n / 16)::text)::uuid, n % 1024, ({KINDS})[1 + n % 8], now(), 'report', md5((n / 8)::text)::uuid, 's' || n / 8 % 3,
    jsonb_build_object('path', 'p' || n % 5, 'reason', 'r' || n % 3, 'variant', case when n % 5 = 0 then 'control' else 'some' end)
from generate_series(0, $2 - 1) as n
"""
OPENED = """
insert into events (workspace, person, shard, kind, name, at, properties)
select $1, md5(n::text)::uuid, n % 1024, 'message', 'opened', now(),
    jsonb_build_object('canvas', 'report', 'step', 's' || n % 3, 'dispatch', n) from generate_series(1, $2) as n
"""
WINDOWS = """
insert into conversions (workspace, person, entry, name, shard, canvas, plan, variant, since, until, at, revenue)
select $1, md5(n::text)::uuid, md5(n::text)::uuid, 'bought', n % 1024, 'report', 'report@1',
    case when n % 5 = 0 then 'control' else 'some' end, now(), now(), case when n % 7 = 0 then now() end, '9.5'
from generate_series(1, $2) as n
"""
SAME = """
select fact, step, data ->> 'path', data ->> 'reason', data ->> 'variant', count(*) from facts
where workspace = $1 and canvas = 'report' group by 1, 2, 3, 4, 5
"""


async def measure() -> dict[str, Any]:
    """Seconds of the report and of the one count, the median of five each, one after the other."""
    definitions = definitions_of(CANVAS)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        async with embedded_postgres(Path(folder) / "postgres") as server:
            url = await create_database(server, "report")
            await migrate(url)
            async with Database.at(url) as db:
                workspace = (await publish(db, "bench", definitions)).workspace
                await db.pool.execute(FILL, workspace, FACTS)
                await db.pool.execute(OPENED, workspace, FACTS // 20)
                await db.pool.execute(WINDOWS, workspace, FACTS // 8)
                await db.pool.execute("analyze facts, events, conversions")
                plan = (await Published(db).of(workspace)).running["report"].plan

                async def report() -> None:
                    found = await report_of(db, workspace, "report", plan)
                    assert sum(found.entered.values()) == FACTS // 8

                async def count() -> None:
                    assert await db.pool.fetch(SAME, workspace)

                ours, theirs = [], []
                for _ in range(ROUNDS):
                    ours.append(await _seconds(report))
                    theirs.append(await _seconds(count))
    took, beside = statistics.median(ours), statistics.median(theirs)
    return {
        "report.facts": FACTS,
        "report.seconds": round(took, 3),
        "report.count_seconds": round(beside, 3),
        "report.times_of_count": round(took / beside, 2),
    }


async def _seconds(work: Callable[[], Awaitable[None]]) -> float:
    begun = time.perf_counter()
    await work()
    return time.perf_counter() - begun
