"""However much a person did, what is read of it is bounded by name and instant: an event costs what it costs a newcomer."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest

from journeys.channels.mailbox import Mailbox
from journeys.engine.clock import Clock
from journeys.engine.delivery.engagement import engaged
from journeys.engine.delivery.tracking_links import Mark
from journeys.engine.intake.track import track
from journeys.engine.intake.triggering import Trigger, Wanted
from journeys.engine.people.identity import Identifier
from journeys.engine.people.profiles import Profile
from journeys.engine.ports import NullNotifier
from journeys.engine.store import Database
from tests.engine.delivery.test_delivery import post
from tests.stage import EMAIL, MONDAY, Stage, canvas, stage_on

MANY = 200_000
HISTORY = ("events", "facts", "entries", "conversions")
LOOKED_AT = ("liked", "ordered", "session_start")
SPARE = 40
"""So many more rows or blocks do not count."""

LEARNT = 300
"""So many things the best time is learnt from at most."""

MORE = """
audience: {any: [{event: liked, times: {at_least: 3}}, {none: [{event: ordered, within_last: 2 hours}]}, {message: opened}]}
reentry: {after: 0 days}
exits: [{event: gone}, {audience: {event: gone}}]
conversions: [{name: bought, event: ordered, within: 7 days}, {name: read, message: sent, within: 7 days}]
"""
STEPS = """
  - {type: delay, id: before, duration: 1 hour}
  - type: decision_split
    id: split
    when: {all: [{event: liked, times: {more_than: 2}}, {message: opened}, {event: session_start, within_last: 1 hour}]}
  - {type: message, id: hello, channel: email, template: hello, only_when: {event: liked}}
  - type: action_paths
    id: watch
    within: 2 days
    paths: [{name: bought, triggers: [{event: ordered, where: [{property: n, equals: 7}]}, {message: clicked, step: hello}]}]
  - {type: message, id: best, channel: email, template: hello, at: best_time, fallback: "09:00"}
"""
STORY = canvas(STEPS, schedule="{event: liked}", more=MORE) + EMAIL
API = canvas(STEPS, name="called", more=MORE)

FILL = """
insert into events (workspace, person, shard, kind, name, at, properties)
select $1, $2, $3, k.kind, k.name, $4::timestamptz - interval '2 days' - (n || ' seconds')::interval,
    jsonb_build_object('n', n, 'dispatch', 'x')
from generate_series(1, $5::int / 7) n, (values ('event', 'liked'), ('event', 'ordered'), ('event', 'session_start'),
    ('message', 'opened'), ('message', 'clicked'), ('message', 'sent'), ('message', 'unsubscribed')) as k(kind, name)
"""
ENTERED = """
with gone as (
    insert into entries (workspace, person, id, shard, canvas, plan, key, alarm, entered, at, ended, ended_at, told)
    select $1, $2, gen_random_uuid(), $3, c.name, c.plan, 'old ' || n, gen_random_uuid(), s.at, s.at, 'completed', s.at, 1
    from canvases c, generate_series(1, $5::int / 40) n
    cross join lateral (select $4::timestamptz - interval '100 days' - (n || ' seconds')::interval as at) s
    where c.workspace = $1 returning *),
noted as (
    insert into facts (workspace, person, shard, fact, at, canvas, entry, step)
    select workspace, person, shard, f, at, canvas, id, 'watch' from gone, unnest(array['reached', 'sent', 'ended']) as f)
insert into conversions (workspace, person, entry, name, shard, canvas, plan, since, until)
select workspace, person, id, 'bought', shard, canvas, plan, at, at + interval '7 days' from gone
"""


@dataclass
class Read:
    """What the statements of one deed read of the history, each explained again: rows and blocks, and how they were found."""

    rows: int = 0
    blocks: int = 0
    conditions: set[str] = field(default_factory=set)
    unbounded: list[str] = field(default_factory=list)

    def take(self, query: str, plan: dict[str, Any]) -> None:
        self.blocks += plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
        for node in nodes(plan):
            table = re.match(r"(events|facts|entries|conversions)(_|$)", node.get("Relation Name", ""))
            if table is None or "Scan" not in node["Node Type"]:
                continue
            lost = sum(value for name, value in node.items() if name.startswith("Rows Removed"))
            rows = round((node["Actual Rows"] + lost) * node["Actual Loops"])
            self.rows += rows
            found = " ".join(each.get("Index Cond", "") for each in nodes(node))
            bounded = re.search(
                r"name = .*at [><=]+ |\(person = \S+\) AND \(no = ", found
            )  # a number is one row's
            if rows and not (bounded if table[1] == "events" else node["Node Type"] != "Seq Scan"):
                self.unbounded.append(f"{rows} rows of {table[1]} by {found or node['Node Type']} in {query}")


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for each in plan.get("Plans", ()):
        yield from nodes(each)


@asynccontextmanager
async def listened(db: Database) -> AsyncIterator[list[tuple[str, tuple[Any, ...]]]]:
    """The statements with their parameters that go through the pool meanwhile, as far as they look at history."""
    said: list[tuple[str, tuple[Any, ...]]] = []

    def hear(logged: Any) -> None:
        if any(re.search(rf"\b(from|join|update) {table}\b", logged.query) for table in HISTORY):
            said.append((logged.query, logged.args))

    connections = [await db.pool.acquire() for _ in range(db.pool.get_max_size())]
    for connection in connections:
        connection.add_query_logger(hear)
        await db.pool.release(connection)
    yield said
    connections = [await db.pool.acquire() for _ in range(db.pool.get_max_size())]
    for connection in connections:
        connection.remove_query_logger(hear)
        await db.pool.release(connection)


async def explained(db: Database, said: list[tuple[str, tuple[Any, ...]]]) -> Read:
    read = Read()
    for query, args in said:
        async with db.pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            with suppress(asyncpg.UniqueViolationError):
                answer = await connection.fetchval(f"explain (analyze, buffers, format json) {query}", *args)
                found = msgspec.json.decode(answer) if isinstance(answer, str) else answer
                read.take(query, found[0]["Plan"])
            await transaction.rollback()
    return read


@dataclass
class Life:
    """A person, and what happens to them: entries, bursts, calls, messages and what they make of them."""

    stage: Stage
    who: Profile
    mailbox: Mailbox
    entry: UUID | None = None

    async def track_call(self) -> None:
        """It lets them in, converts, and looks at what came late."""
        person = {
            "braze_id": str(self.who.id),
            "time": (self.stage.clock.now() - timedelta(seconds=30)).isoformat(),
        }
        events = [{**person, "name": name} for name in (*LOOKED_AT, "liked", "liked", "liked")]
        tracked = await track(*self._parts(), self.stage.workspace, {"events": events})
        assert tracked.taken == {"events": 6}
        self.entry = await self.stage.db.pool.fetchval(
            "select id from entries where person = $1 and ended is null order by entered, id limit 1",
            self.who.id,
        )

    async def call(self) -> None:
        publication = await self.stage.published.of(self.stage.workspace)
        done = await Trigger(*self._parts()).named(
            publication, publication.running["called"], "d", [Wanted(Identifier("braze_id", str(self.who.id)))],
            publication.running["called"].plan.canvas.audience,
        )  # fmt: skip
        assert done.entered == 1

    async def burst(self) -> None:
        assert self.entry is not None
        self.stage.clock.turn(timedelta(hours=1, seconds=2))  # type: ignore[attr-defined]
        await self.stage.burst(self.entry, 9)

    async def second_burst(self) -> None:
        """It looks for the best time."""
        await self.burst()

    async def delivery(self) -> None:
        await post(self.stage, self.mailbox)

    async def engagement(self) -> None:
        assert self.entry is not None
        for name in ("opened", "clicked", "unsubscribed"):
            mark = Mark(self.stage.workspace, self.who.id, self.entry, "story", "hello", "email")
            assert await engaged(*self._parts(), mark, name)

    def _parts(self) -> tuple[Database, Any, Clock, NullNotifier, NullNotifier]:
        return self.stage.db, self.stage.published, self.stage.clock, NullNotifier(), NullNotifier()


DEEDS = ("track_call", "burst", "delivery", "engagement", "second_burst", "call")


async def lived(db: Database, stage: Stage, mailbox: Mailbox, events: int) -> dict[str, Read]:
    """What each deed reads in the life of a person who has done so much before."""
    who = await stage.person(email=f"p{events}@example.com")
    for query in (FILL, ENTERED):
        await db.pool.execute(query, stage.workspace, who.id, who.shard, MONDAY, events)
    await db.pool.execute("analyze")
    life, found = Life(stage, who, mailbox), {}
    for deed in DEEDS:
        async with listened(db) as said:
            await getattr(life, deed)()
        assert said, deed
        found[deed] = await explained(db, said)
    await db.pool.execute("delete from dispatches")
    return found


@pytest.mark.timeout(600)
async def test_what_a_person_did_before_makes_nothing_dearer(db: Database, mailbox: Mailbox) -> None:
    """At 200,000 events a call, an entry, a burst, a message read at most three times what they read at none.

    Each read of events is found by name and instant in an index, as EXPLAIN tells of each statement that was run.
    """
    stage = await stage_on(db, STORY + "\n---\n" + API)
    await db.pool.execute("update canvases set published = $1", MONDAY - timedelta(days=1000))
    much = await lived(db, stage, mailbox, MANY)
    little = await lived(db, stage, mailbox, 0)

    for deed in DEEDS:
        few, many = little[deed], much[deed]
        spare = SPARE + (LEARNT if deed == "second_burst" else 0)
        assert many.unbounded == [], deed
        assert many.rows <= 3 * few.rows + spare, deed
        assert many.blocks <= 3 * few.blocks + spare, deed
