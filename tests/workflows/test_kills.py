"""Workers are killed and frozen at random moments: entries end as in the simulator, no message is lost or sent twice.

`JOURNEYS_KILLS` makes it longer: `make kills` has forty of them, among two thousand entries.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from temporalio.client import Client

from journeys.canvas.assignment import hash_fraction, pick
from journeys.channels.mailbox import Mailbox
from journeys.engine.clock import Clock
from journeys.engine.store import Database
from journeys.engine.workspaces.publishing import publish
from journeys.engine.workspaces.run_control import NotPossible, control
from journeys.workflows.alarm_sync import TemporalAlarmSync
from journeys.workflows.search_attributes import register_search_attributes
from tests import forked
from tests.receiver import Receiver
from tests.stage import EMAIL, Stage, canvas, definitions_of, stage_on, webhook

KILLS = int(os.environ.get("JOURNEYS_KILLS", "10"))
ENTRIES = 50 * KILLS
WORKERS = 3

HOOKS = canvas(
    """
  - {type: message, id: first, channel: webhook, template: hook}
  - {type: delay, id: one, duration: 4 seconds}
  - type: experiment_paths
    id: offer
    paths:
      - {name: a, weight: 50, steps: [{type: message, id: a_hook, channel: webhook, template: hook}]}
      - {name: b, weight: 50, steps: [{type: delay, id: b_wait, duration: 5 seconds}]}
  - {type: delay, id: two, duration: 4 seconds}
  - {type: user_update, id: count, attributes: {rounds: {increment: 1}}}
  - {type: message, id: last, channel: webhook, template: hook}
""",
    more="conversions: [{name: c, event: bought, within: 7 days}]",
)


class Pack:
    """Three worker processes; whoever dies is replaced."""

    def __init__(self, db: Database, temporal: str, **environment: str) -> None:
        self.queue = f"kills-{uuid4().hex[:8]}"
        self.url = db.url
        self.environment = {
            **os.environ,
            "TEMPORAL_ADDRESS": temporal,
            "JOURNEYS_TASK_QUEUE": self.queue,
            "JOURNEYS_CONNECTIONS": "6",
            "JOURNEYS_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
            **environment,
        }
        self.workers: dict[str, forked.Forked] = {}
        self.kills = 0
        self.count = 0

    async def grow(self) -> None:
        """Until there are enough."""
        while len(self.workers) < WORKERS:
            name = f"worker-{self.count}"
            self.count += 1
            separator = "&" if "?" in self.url else "?"
            environment = {
                **self.environment,
                "DATABASE_URL": f"{self.url}{separator}application_name={name}",
            }
            self.workers[name] = await forked.python("-m", "journeys", "worker", env=environment)

    async def kill(self, name: str) -> None:
        process = self.workers.pop(name)
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        self.kills += 1
        await self.grow()

    async def stop(self) -> None:
        for process in self.workers.values():
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
                process.terminate()
        for process in self.workers.values():
            try:
                await asyncio.wait_for(process.wait(), 25)
            except TimeoutError:
                process.kill()
                await process.wait()


WRITING = """
select application_name from pg_stat_activity where datname = current_database() and application_name like 'worker-%'
    and xact_start is not null and wait_event_type = 'Lock' and query like 'with moved as%'
"""
"""Whose burst has begun its one write: no other transaction has a statement that begins so."""


async def kill_in_a_transaction(db: Database, pack: Pack) -> bool:
    """Hold up the writes of bursts, and kill a worker whose burst's transaction is open."""
    async with db.pool.acquire() as connection:
        held = connection.transaction()
        await held.start()
        await connection.execute("lock table facts in share mode")
        try:
            for _ in range(600):
                names = [row["application_name"] for row in await db.pool.fetch(WRITING)]
                caught = next((name for name in names if name in pack.workers), None)
                if caught is not None:
                    await pack.kill(caught)
                    return True
                await asyncio.sleep(0.02)
            return False
        finally:
            await held.rollback()


async def prepared(
    db: Database, temporal: str, text: str, queue: str
) -> tuple[Stage, TemporalAlarmSync, list[Any]]:
    stage = await stage_on(db, text, clock=Clock())
    client = await Client.connect(temporal)
    await register_search_attributes(client)
    alarm_sync = TemporalAlarmSync(db, client, stage.clock, queue)
    stage.alarm_sync = alarm_sync
    people = [await stage.person(email=f"p{n}@example.com", first_name=f"P{n}") for n in range(ENTRIES)]
    return stage, alarm_sync, people


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_ten_kills_and_a_freeze_lose_and_double_nothing(
    db: Database, temporal: str, receiver: Receiver
) -> None:
    """500 entries on three workers; three of the kills while a burst's transaction is open."""
    pack = Pack(db, temporal)
    stage, alarm_sync, people = await prepared(db, temporal, HOOKS + webhook(receiver.url), pack.queue)
    await pack.grow()
    lots = random.Random(5)
    entries: dict[Any, Any] = {}
    waiting = list(people)

    async def come(many: int) -> None:
        some = [waiting.pop() for _ in range(min(many, len(waiting)))]
        if some:
            entries.update(zip(await stage.enter(*some), some, strict=True))

    plan = ["any", "write", "any", "any", "write", "freeze", "any", "write", "any", "any"] * (KILLS // 10)
    caught = 0
    while plan:
        how = plan.pop(0)
        await come(20)
        await asyncio.sleep(lots.uniform(0.3, 1.5))
        await come(25)
        if how == "write":
            if await kill_in_a_transaction(db, pack):
                caught += 1
            else:
                plan.append("write")
            continue
        if how == "freeze":
            name = lots.choice(list(pack.workers))
            pack.workers[name].send_signal(signal.SIGSTOP)
            await asyncio.sleep(7)  # longer than task and sticky time-outs, and than the heartbeat's
            pack.workers[name].send_signal(signal.SIGCONT)
        await pack.kill(lots.choice(list(pack.workers)))
    await come(ENTRIES)
    await stage.all_ended()
    await stage.until(stage.none_left, "all messages to be settled")
    await pack.stop()
    await alarm_sync.drain()

    assert pack.kills >= KILLS >= 10
    assert caught >= 3, "kills within an open transaction"
    expected: Counter[str] = Counter()
    for entry, person in entries.items():
        way = pick(hash_fraction(str(person.id), "story", "offer"), {"a": 50, "b": 50})
        wanted = [
            "first",
            "one",
            "offer",
            *(["a_hook"] if way == "a" else ["b_wait"]),
            "two",
            "count",
            "last",
        ]
        assert await stage.path(entry) == wanted
        expected.update(f"{entry}/{step}" for step in ("first", "last", *(["a_hook"] if way == "a" else [])))
    assert Counter(call["headers"]["idempotency-key"] for call in receiver.calls) == expected
    settled = await db.pool.fetch("select dispatch, count(*) from facts where fact = 'sent' group by 1")
    assert {row["dispatch"]: row["count"] for row in settled} == dict(expected)
    rounds = await db.pool.fetch("select attributes->>'rounds' as rounds, count(*) from people group by 1")
    assert [(row["rounds"], row["count"]) for row in rounds] == [("1", ENTRIES)]
    assert await db.pool.fetchval("select count(*) from facts where fact = 'overdue'") == 0
    print(
        f"{pack.kills} kills, {caught} of them within an open transaction; {len(receiver.calls)} calls, each once"
    )


RUN = """
  - {type: message, id: first, channel: webhook, template: hook}
  - {type: delay, id: one, duration: 20 seconds}
  - {type: message, id: last, channel: webhook, template: hook}
"""
PEOPLE = 50 * KILLS
MADE = """
insert into people (workspace, id, shard, bucket, external_id)
select $1, gen_random_uuid(), n % 1024, n % 10000, 'p' || n from generate_series(1, $2) n
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_kills_during_a_run_lose_and_double_nobody(
    db: Database, temporal: str, receiver: Receiver
) -> None:
    """Two occurrences that follow each other, a hold and a stop of the canvas between kills: the outcomes add up."""
    pack = Pack(db, temporal)
    stage = await stage_on(db, "", clock=Clock())
    client = await Client.connect(temporal)
    await register_search_attributes(client)
    await db.pool.execute(MADE, stage.workspace, PEOPLE)
    await pack.grow()
    once = (Clock().now() + timedelta(seconds=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
    text = canvas(RUN, schedule=f"{{once: {once}}}") + webhook(receiver.url)
    other = canvas(RUN, name="other", schedule="{at_launch: true}")
    await publish(db, "default", definitions_of(f"{text}---\n{other}"))
    lots = random.Random(7)
    runs = await db.pool.fetch("select id, canvas from runs order by canvas")
    for number in range(KILLS // 2):
        await asyncio.sleep(lots.uniform(0.2, 1.2))
        await pack.kill(lots.choice(list(pack.workers)))
        if number == KILLS // 6:
            with suppress(NotPossible):
                await control(db, stage.workspace, str(runs[0]["id"]), "hold")
                await asyncio.sleep(1)
                await control(db, stage.workspace, str(runs[0]["id"]), "resume")

    async def over() -> bool:
        return not await db.pool.fetchval("select count(*) from runs where ended is null")

    await stage.until(over, "the runs to end", 400)
    await stage.all_ended(400)
    await stage.until(stage.none_left, "all messages to be settled", 400)
    await pack.stop()

    for row in await db.pool.fetch("select * from runs"):
        outcomes = [row[name] for name in ("entered", "refused", "failed", "gone", "merged")]
        assert (row["state"], row["members"], outcomes) == ("done", PEOPLE, [PEOPLE, 0, 0, 0, 0])
    once_each = await db.pool.fetch("select canvas, count(*), count(distinct person) from entries group by 1")
    assert {tuple(row)[1:] for row in once_each} == {(PEOPLE, PEOPLE)}
    keys = Counter(call["headers"]["idempotency-key"] for call in receiver.calls)
    assert len(keys) == 4 * PEOPLE
    assert set(keys.values()) == {1}
    sent = await db.pool.fetchval("select count(*) from facts where fact = 'sent'")
    assert sent == 4 * PEOPLE
    print(f"{pack.kills} kills during two runs of {PEOPLE} people each")


CALLING = "select exists (select from dispatches where state = 'calling')"
UNDER_WAY = "select exists (select from dispatches) or exists (select from entries where ended is null)"


class Slow(Mailbox):
    """It takes a moment before it has a mail, and another before it says so."""

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """See base class."""
        await asyncio.sleep(0.01)
        answer = await super().handle_DATA(server, session, envelope)
        await asyncio.sleep(0.01)
        return answer


@pytest.fixture
async def slow() -> AsyncIterator[Slow]:
    async with Slow() as box:
        yield box


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_kills_during_a_mails_hand_over_leave_at_most_one_in_doubt_per_connection(
    db: Database, temporal: str, slow: Slow
) -> None:
    """A row is `calling` when its worker dies: the mail follows `on_doubt` (send), and a fact remembers it."""
    text = canvas("  - {type: message, id: m, channel: email, template: hello}") + EMAIL
    lanes = 2
    pack = Pack(db, temporal, JOURNEYS_SMTP_PORT=str(slow.port), JOURNEYS_SMTP_LANES=str(lanes))
    stage, alarm_sync, people = await prepared(db, temporal, text, pack.queue)
    await pack.grow()
    caught = 0
    entered = 0
    while caught < 4 and entered < ENTRIES:
        await stage.enter(*people[entered : entered + 50])
        entered += 50
        while await db.pool.fetchval(UNDER_WAY):
            if await db.pool.fetchval(CALLING):
                for process in pack.workers.values():
                    process.send_signal(signal.SIGSTOP)
                if await db.pool.fetchval(CALLING):
                    caught += 1
                    for name in list(pack.workers):
                        await pack.kill(name)
                    break
                for process in pack.workers.values():
                    process.send_signal(signal.SIGCONT)
            await asyncio.sleep(0.003)
    await stage.all_ended()
    await stage.until(stage.none_left, "all messages to be settled")
    await pack.stop()
    await alarm_sync.drain()

    times = Counter(str(mail.message["Message-ID"]) for mail in slow.mails)
    doubled = sum(often - 1 for often in times.values())
    doubts = await db.pool.fetchval("select count(*) from facts where fact = 'in_doubt'")
    assert caught >= 3, "kills with a row `calling`"
    assert len(times) == entered
    assert doubled <= doubts <= caught * lanes
    assert await db.pool.fetchval("select count(*) from facts where fact = 'sent'") == entered
    print(f"{caught} kills with a mail under way: {doubts} in doubt, {doubled} handed over twice")
