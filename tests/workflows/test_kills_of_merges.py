"""People are merged at random while their journeys run on three workers that are killed: nothing is lost, nothing is doubled.

`JOURNEYS_MERGES` makes it longer: `make kills` has a thousand merges among five hundred journeys.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from typing import Any
from uuid import UUID

import httpx2
import pytest
from temporalio.client import Client

from journeys.api.app import app
from journeys.engine.clock import Clock
from journeys.engine.delivery.engagement import engaged
from journeys.engine.delivery.tracking_links import Mark
from journeys.engine.intake.merging import CARRIED
from journeys.engine.people.identity import Identifier, find
from journeys.engine.ports import NullNotifier
from journeys.engine.store import Database
from journeys.engine.workspaces.api_keys import create_key
from journeys.workflows.alarm_sync import TemporalAlarmSync
from journeys.workflows.search_attributes import register_search_attributes
from tests.api.parts import services_of
from tests.receiver import Receiver
from tests.stage import Stage, canvas, stage_on, webhook
from tests.workflows.test_kills import Pack

MERGES = int(os.environ.get("JOURNEYS_MERGES", "16"))
JOURNEYS = MERGES // 2
PEOPLE = MERGES + JOURNEYS
AT_ONCE = 4
PAUSE = 0.3
"""Seconds from some merges to the next, on average, so that they meet whatever journeys do."""
EACH_KILL = min(25, MERGES // 2)
"""So many merges come between two kills."""

STORY = canvas(
    """
  - {type: message, id: first, channel: webhook, template: hook}
  - {type: delay, id: one, duration: 2 seconds}
  - type: action_paths
    id: watch
    within: 2 seconds
    paths: [{name: p, triggers: [{event: ping}], steps: [{type: user_update, id: note, events: [{name: noted}]}]}]
  - {type: message, id: last, channel: webhook, template: hook}
""",
    more="conversions: [{name: c, event: ping, within: 7 days}]",
)


class Load:
    """People who enter, events and links of people who may be others by now, and merges: all by the API."""

    def __init__(self, stage: Stage, people: list[Any], key: str) -> None:
        self.stage, self.people = stage, people
        self.lots = random.Random(11)
        self.entries: dict[UUID, Any] = {}
        self.events = self.links = 0
        self.client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=app(services_of(stage))),
            base_url="http://api",
            headers={"Authorization": f"Bearer {key}"},
        )

    async def come(self) -> None:
        """Somebody enters, whoever they are at that moment."""
        while len(self.entries) < JOURNEYS:
            person = self.lots.choice(self.people)
            answer = await self.client.post(
                "/canvas/trigger/send",
                json={"canvas_id": "story", "recipients": [{"braze_id": str(person.id)}]},
            )
            assert answer.status_code == 201, answer.text
            rows = await self.stage.db.pool.fetch("select id, person from entries")
            self.entries.update({row["id"]: row["person"] for row in rows})
            await asyncio.sleep(self.lots.uniform(0, 2 * PAUSE * MERGES / AT_ONCE / JOURNEYS))

    async def talk(self, until: asyncio.Event) -> None:
        """Events and opened mails."""
        while not until.is_set():
            some = self.lots.sample(self.people, min(10, PEOPLE))
            at = Clock().now().isoformat()
            events = [{"braze_id": str(one.id), "name": "ping", "time": at} for one in some]
            answer = await self.client.post("/users/track", json={"events": events})
            assert answer.status_code == 201 and "errors" not in answer.json(), answer.text
            self.events += len(events)
            if self.entries:
                entry, person = self.lots.choice(list(self.entries.items()))
                mark = Mark(self.stage.workspace, person, entry, "story", "first", "webhook")
                parts = self.stage.db, self.stage.published, self.stage.clock, self.stage.alarm_sync
                assert await engaged(*parts, NullNotifier(), mark, "clicked")
                self.links += 1
            await asyncio.sleep(0.1)

    async def merge(self, pack: Pack) -> None:
        """Two at random, several pairs at once; now and then a worker is killed meanwhile."""
        db, workspace = self.stage.db, self.stage.workspace
        done, kill = 0, EACH_KILL
        while (left := MERGES - done) > 0:
            alive = [
                row[0] for row in await db.pool.fetch("select external_id from people order by random()")
            ]
            pairs = [alive[2 * number : 2 * number + 2] for number in range(min(AT_ONCE, left))]
            if self.lots.random() < 0.5 and len(pairs) > 1:  # one of them is in two of the merges
                pairs[1][0] = pairs[0][self.lots.randrange(2)]
            calls = [
                self.client.post(
                    "/users/merge",
                    json={
                        "merge_updates": [
                            {
                                "identifier_to_merge": {"external_id": gone},
                                "identifier_to_keep": {"external_id": kept},
                            }
                        ]
                    },
                )
                for gone, kept in pairs
            ]
            if done >= kill:
                kill += EACH_KILL
                name = self.lots.choice(list(pack.workers))
                *answers, _ = await asyncio.gather(*calls, pack.kill(name))
            else:
                answers = await asyncio.gather(*calls)
            assert [answer.status_code for answer in answers] == [202] * len(pairs)
            await asyncio.sleep(self.lots.uniform(0, 2 * PAUSE))
            done = await db.pool.fetchval("select count(*) from merged where workspace = $1", workspace)


@pytest.mark.slow
@pytest.mark.timeout(3600)
async def test_merges_at_random_beside_kills_lose_and_double_nothing(
    db: Database, temporal: str, receiver: Receiver
) -> None:
    """GEN-8, GEN-9, IDN-14: every journey comes to its end once, whoever it belongs to by then; no deadlock, and sums are equal."""
    pack = Pack(db, temporal)
    stage = await stage_on(db, STORY + webhook(receiver.url), clock=Clock())
    client = await Client.connect(temporal)
    await register_search_attributes(client)
    alarm_sync = TemporalAlarmSync(db, client, stage.clock, pack.queue)
    stage.alarm_sync = alarm_sync
    people = [await stage.person() for _ in range(PEOPLE)]
    load = Load(stage, people, await create_key(db, stage.workspace, "test", ["*"]))
    await pack.grow()
    await stage.until(lambda: _up(db), "the workers to be there")
    over = asyncio.Event()

    talking = asyncio.create_task(load.talk(over))
    try:
        await asyncio.gather(load.come(), load.merge(pack))
        await stage.all_ended()
    finally:
        over.set()
    await talking
    await stage.until(stage.none_left, "all messages to be settled")
    no_more = "select count(*) from echoes"
    await stage.until(lambda: _none(db, no_more), "what canvases made to be heard")
    await pack.stop()
    await alarm_sync.drain()
    await load.client.aclose()

    assert pack.kills >= 1 and len(load.entries) >= JOURNEYS
    assert await db.pool.fetchval("select count(*) from people") == PEOPLE - MERGES
    assert await db.pool.fetchval("select count(*) from facts where fact = 'merged'") == MERGES
    expected: Counter[str] = Counter()
    for entry in load.entries:
        path = await stage.path(entry)
        assert [step for step in path if step != "note"] == ["first", "one", "watch", "last"], path
        assert len(path) == len(set(path))
        expected.update(f"{entry}/{step}" for step in ("first", "last"))
    assert Counter(call["headers"]["idempotency-key"] for call in receiver.calls) == expected
    settled = await db.pool.fetch("select dispatch, count(*) from facts where fact = 'sent' group by 1")
    assert {row["dispatch"]: row["count"] for row in settled} == dict(expected)
    heard = await db.pool.fetchval("select count(*) from facts where fact = 'reached' and step = 'note'")
    counts = dict(await db.pool.fetch("select name, count(*) from events group by 1"))
    assert counts["ping"] == load.events and counts.get("noted", 0) == heard
    assert counts["clicked"] <= load.links and counts["sent"] == sum(expected.values())
    assert await db.pool.fetchval("select count(*) from entries") == len(load.entries)
    for table in CARRIED:
        orphans = f"select count(*) from {table} t where person is not null and not exists (select from people p where p.id = t.person)"
        assert await db.pool.fetchval(orphans) == 0, table
    named = [Identifier("braze_id", str(person.id)) for person in people]
    found = await find(db.pool, stage.workspace, named)
    living = {row["id"] for row in await db.pool.fetch("select id from people")}
    assert set(found) == set(named) and set(found.values()) == living
    await db.pool.execute("select pg_stat_force_next_flush()")
    deadlocks = await db.pool.fetchval(
        "select deadlocks from pg_stat_database where datname = current_database()"
    )
    print(
        f"{MERGES} merges, {len(load.entries)} journeys, {pack.kills} kills, {load.events} events, {deadlocks} deadlocks"
    )
    assert deadlocks == 0


async def _up(db: Database) -> bool:
    return bool(await db.pool.fetchval("select count(*) >= 3 from processes"))


async def _none(db: Database, count: str) -> bool:
    return not await db.pool.fetchval(count)
