"""People are merged and erased at random while their journeys run on three workers that are killed: nothing is lost or doubled.

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
from tests.engine.intake.test_erasing import places
from tests.receiver import Receiver
from tests.stage import Stage, canvas, stage_on, webhook
from tests.workflows.test_kills import Pack

MERGES = int(os.environ.get("JOURNEYS_MERGES", "16"))
JOURNEYS = MERGES // 2
ERASURES = MERGES // 4
PEOPLE = MERGES + JOURNEYS + ERASURES
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
    """People who enter, events and links of people who may be others by now or gone, merges and erasures: all by the API."""

    def __init__(self, stage: Stage, people: list[Any], key: str) -> None:
        self.stage, self.people = stage, people
        self.lots = random.Random(11)
        self.entries: dict[UUID, Any] = {}
        self.events = self.links = self.erased = 0
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
            assert answer.status_code in (201, 400), answer.text
            assert answer.status_code == 201 or self.erased, answer.text
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
            unknown = answer.json().get("errors", [])
            assert answer.status_code == 201 and (not unknown or self.erased), answer.text
            self.events += len(events) - len(unknown)
            if self.entries:
                entry, person = self.lots.choice(list(self.entries.items()))
                mark = Mark(self.stage.workspace, person, entry, "story", "first", "webhook")
                parts = self.stage.db, self.stage.published, self.stage.clock, self.stage.alarm_sync
                heard = await engaged(*parts, NullNotifier(), mark, "clicked")
                assert heard or self.erased
                self.links += heard
            await asyncio.sleep(0.1)

    async def erase(self, name: str) -> None:
        """Somebody, who may be merged at that moment."""
        answer = await self.client.post("/users/delete", json={"external_ids": [name]})
        assert answer.status_code == 201, answer.text
        self.erased += answer.json()["deleted"]

    async def merge(self, pack: Pack) -> None:
        """Two at random, several pairs at once, and now and then one is erased; now and then a worker is killed meanwhile."""
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
            going: list[str] = []
            if self.erased < min(ERASURES, done * ERASURES // MERGES + 1):
                going = [self.lots.choice([alive[-1], pairs[0][1]])]
            erasing = asyncio.gather(*map(self.erase, going))
            if done >= kill:
                kill += EACH_KILL
                name = self.lots.choice(list(pack.workers))
                *answers, _ = await asyncio.gather(*calls, pack.kill(name))
            else:
                answers = await asyncio.gather(*calls)
            await erasing
            assert [answer.status_code for answer in answers] == [202] * len(pairs)
            await asyncio.sleep(self.lots.uniform(0, 2 * PAUSE))
            done = await db.pool.fetchval(
                "select count(*) from facts where workspace = $1 and fact = 'merged'", workspace
            )


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
    assert load.erased >= min(1, ERASURES)
    assert await db.pool.fetchval("select count(*) from people") == PEOPLE - MERGES - load.erased
    assert await db.pool.fetchval("select count(*) from facts where fact = 'merged'") == MERGES
    await _each_journey_once(stage, load, receiver)
    for table in CARRIED:
        orphans = f"select count(*) from {table} where person is not null and person not in (select id from people union all select person from facts where fact = 'erased')"
        assert await db.pool.fetchval(orphans) == 0, table
    named = [Identifier("braze_id", str(person.id)) for person in people]
    found = await find(db.pool, stage.workspace, named)
    living = {row["id"] for row in await db.pool.fetch("select id from people")}
    assert set(found.values()) == living
    gone = [one.value for one in named if one not in found]
    assert len(gone) >= load.erased and await places(db, *gone) == []
    await db.pool.execute("select pg_stat_force_next_flush()")
    deadlocks = await db.pool.fetchval(
        "select deadlocks from pg_stat_database where datname = current_database()"
    )
    print(
        f"{MERGES} merges, {load.erased} erasures, {len(load.entries)} journeys, {pack.kills} kills, {load.events} events, {deadlocks} deadlocks"
    )
    assert deadlocks == 0


async def _each_journey_once(stage: Stage, load: Load, receiver: Receiver) -> None:
    """Every journey comes to its end once; of who is erased each step is done once at most, and what left is settled once."""
    db = stage.db
    erased = {row["id"] for row in await db.pool.fetch("select id from entries where ended = 'erased'")}
    expected: Counter[str] = Counter()
    partly: set[str] = set()
    for entry in load.entries:
        path = await stage.path(entry)
        way = [step for step in path if step != "note"]
        assert way == ["first", "one", "watch", "last"][: len(way) if entry in erased else 4], path
        assert len(path) == len(set(path))
        keys = [f"{entry}/{step}" for step in ("first", "last")]
        if entry in erased:
            partly.update(keys)
        else:
            expected.update(keys)
    calls = Counter(call["headers"]["idempotency-key"] for call in receiver.calls)
    assert Counter({key: count for key, count in calls.items() if key not in partly}) == expected
    facts = "select dispatch, count(*) from facts where fact = 'sent' group by 1"
    settled = {row["dispatch"]: row["count"] for row in await db.pool.fetch(facts)}
    assert {key: count for key, count in settled.items() if key not in partly} == dict(expected)
    assert set(settled.values()) == {1} and set(settled) <= set(calls), "what is settled as sent has left"
    twice = "select count(*) from facts where fact in ('sent', 'withdrawn', 'failed') and dispatch = $1"
    for key in partly & set(calls):
        assert (calls[key], await db.pool.fetchval(twice, key)) == (1, 1)
    noted = (
        "select count(*) from facts where fact = 'reached' and step = 'note' and not entry = any($1::uuid[])"
    )
    heard = [await db.pool.fetchval(noted, some) for some in ([], list(erased))]
    counts = dict(await db.pool.fetch("select name, count(*) from events group by 1"))
    assert counts["ping"] == load.events and heard[1] <= counts.get("noted", 0) <= heard[0]
    assert counts["clicked"] <= load.links and counts["sent"] == len(settled)
    assert await db.pool.fetchval("select count(*) from entries") == len(load.entries)


async def _up(db: Database) -> bool:
    return bool(await db.pool.fetchval("select count(*) >= 3 from processes"))


async def _none(db: Database, count: str) -> bool:
    return not await db.pool.fetchval(count)
