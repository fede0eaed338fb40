"""Whether `/users/track` costs more for an event where there are very many people, or much is known of one of them.

In the processor's seconds of this process and of PostgreSQL, per event, in turns with what it is compared with, so that what
else the machine does meanwhile falls on both: `track.million_vs_ten_thousand` (at most 1.5 is wanted) and
`track.long_past_vs_none` (a person with 200 entries that wait and 100,000 events beside one with one event: at most 3).
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

from bench import processor
from bench.stories import definitions_of
from journeys.engine.clock import Clock
from journeys.engine.intake.track import track
from journeys.engine.ports import NullNotifier
from journeys.engine.store import Database, migrate
from journeys.engine.store.embedded_postgres import create_database, embedded_postgres
from journeys.engine.workspaces.published import Published
from journeys.engine.workspaces.publishing import publish

FEW, MANY = 10_000, 1_000_000
EACH = 75
ENTRIES, EVENTS = 200, 100_000
CALLS, TURNS = 40, 9
"""Calls of a turn, and turns of each side."""
CANVAS = """
kind: canvas
format: 1
name: one
schedule: {event: signed_up}
steps: [{type: delay, id: d, duration: 30 days}, {type: user_update, id: u, attributes: {seen: true}}]
"""
PEOPLE = """
insert into people (workspace, id, shard, bucket, external_id)
select $1, gen_random_uuid(), n % 1024, n % 10000, 'p' || n from generate_series(0, $2 - 1) n
"""
PAST = """
insert into events (workspace, person, shard, kind, name, at, properties)
select p.workspace, p.id, p.shard, 'event', 'read_' || n % 20, clock_timestamp() - interval '1 second' * n, '{"n": 1}'
from people p, generate_series(1, $2::int) n where p.workspace = $1 and p.external_id = 'p0'
"""
MORE = """
insert into entries select (jsonb_populate_record(e, jsonb_build_object('id', s.id, 'alarm', s.id, 'key', s.id))).*
from entries e, (select gen_random_uuid() as id from generate_series(2, $1)) s
"""


class Side:
    """A workspace of a database, whose people do things."""

    def __init__(self, db: Database, workspace: int) -> None:
        self._db, self._workspace, self._published = db, workspace, Published(db)

    @classmethod
    async def of(cls, db: Database, people: int) -> Side:
        """A workspace of so many people."""
        workspace = (await publish(db, "bench", definitions_of(CANVAS))).workspace
        await db.pool.execute(PEOPLE, workspace, people, timeout=3600)
        await db.pool.execute("vacuum analyze people", timeout=3600)
        return cls(db, workspace)

    async def does(self, who: list[int], name: str = "article_liked") -> None:
        """One call: each of these people does it."""
        at = datetime.now(UTC).isoformat()
        said = {"name": name, "time": at, "properties": {"category": "running"}}
        events: list[Any] = [{"external_id": f"p{one}", **said} for one in who]
        silent = NullNotifier()
        tracked = await track(
            self._db, self._published, Clock(), silent, silent, self._workspace, {"events": events}
        )
        assert tracked.errors == []

    async def has_a_past(self) -> None:
        """The first person has entries that wait, and did very much."""
        await self._db.pool.execute(PAST, self._workspace, EVENTS, timeout=3600)
        await self.does([0], "signed_up")
        await self._db.pool.execute(MORE, ENTRIES)
        await self._db.pool.execute("vacuum analyze", timeout=3600)
        held = "select count(*) from entries where ended is null"
        assert await self._db.pool.fetchval(held) == ENTRIES


async def _ratio(
    data: Path, one: Callable[[], Awaitable[None]], other: Callable[[], Awaitable[None]]
) -> float:
    """What a call costs of one side over what it costs of the other: the medians of turns, the first of which is not counted."""
    used: dict[int, list[float]] = {0: [], 1: []}
    for _ in range(TURNS + 1):
        for place, call in enumerate((one, other)):
            before = processor.seconds(data)
            for _ in range(CALLS):
                await call()
            used[place].append(processor.seconds(data) - before)
    return round(statistics.median(used[0][1:]) / statistics.median(used[1][1:]), 2)


async def measure() -> dict[str, float]:
    """Both ratios."""
    chance = Random(1)
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        data = Path(name) / "data"
        async with embedded_postgres(data, durable=True) as server:
            urls = [await create_database(server, f"bench_{uuid4().hex[:8]}") for _ in range(2)]
            for url in urls:
                await migrate(url)
            async with Database.at(urls[0], size=2) as large, Database.at(urls[1], size=2) as small:
                many, few = await Side.of(large, MANY), await Side.of(small, FEW)
                found = await _ratio(
                    data,
                    lambda: many.does(chance.sample(range(MANY), EACH)),
                    lambda: few.does(chance.sample(range(FEW), EACH)),
                )
                await few.has_a_past()
                past = await _ratio(data, lambda: few.does([0]), lambda: few.does([1]))
    return {"track.million_vs_ten_thousand": found, "track.long_past_vs_none": past}
