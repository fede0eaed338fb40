"""Many writers beside bursts over the same people: no deadlock, nobody doubled, nothing lost.

`JOURNEYS_ROUNDS` and `JOURNEYS_PEOPLE` make it longer and larger: `make kills` has minutes of it.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from journeys.engine.entries.burst_calls import Call
from journeys.engine.intake.track import track
from journeys.engine.intake.triggering import Trigger, Wanted
from journeys.engine.people.identity import Identifier
from journeys.engine.people.locking import Locked
from journeys.engine.store import Database
from tests.stage import MONDAY, FakeClock, Stage, canvas, stage_on

PEOPLE = int(os.environ.get("JOURNEYS_PEOPLE", "300"))
ROUNDS = int(os.environ.get("JOURNEYS_ROUNDS", "6"))
"""Requests of each writer."""

WRITERS = 8
BURSTERS = 8

STORY = canvas(
    """
  - {type: delay, id: first, duration: 1 hour}
  - type: action_paths
    id: watch
    within: 2 hours
    paths:
      - {name: liked, triggers: [{event: liked}], then: last}
  - {type: user_update, id: mark, attributes: {seen_by_canvas: true}}
  - {type: delay, id: last, duration: 1 hour}
""",
    schedule="{event: joined}",
    more="reentry: {after: 0 days}\nexits:\n  - {event: left}\nconversions:\n  - {name: bought, purchase: shoe, within: 3 days}",
)


@dataclass
class Load:
    """What the writers and the bursts do, and have done."""

    stage: Stage
    sent: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    bursts: int = 0

    @property
    def over(self) -> bool:
        return self.requests == WRITERS * ROUNDS and self.bursts > 0

    async def write(self, seed: int) -> None:
        """One writer: full requests in any order, new people among them, by every kind of name."""
        chance = random.Random(seed)
        stage = self.stage
        for _ in range(ROUNDS):
            numbers = chance.sample(range(PEOPLE), min(75, PEOPLE))
            body: dict[str, Any] = {
                "attributes": [{**_who(n), "n": n, "visits": {"inc": 1}} for n in numbers],
                "events": [self._event(chance, n) for n in chance.sample(numbers, len(numbers))],
                "purchases": [],
            }
            tracked = await track(
                stage.db,
                stage.published,
                stage.clock,
                stage.alarm_sync,
                stage.alarm_sync,
                stage.workspace,
                body,
            )
            assert tracked.errors == []
            assert tracked.warnings == []
            self.requests += 1
            for event in body["events"]:
                self.sent[event["event_id"]] += 1
            for n in numbers:
                self.sent[f"visits {n}"] += 1

    def _event(self, chance: random.Random, n: int) -> dict[str, Any]:
        name = chance.choice(["joined", "joined", "liked", "liked", "left"])
        at = self.stage.clock.now().isoformat()
        return {**_who(n), "name": name, "time": at, "event_id": uuid4().hex, "_update_existing_only": False}

    async def burst(self, seed: int) -> None:
        """One alarm after another, of entries that are open."""
        chance = random.Random(seed)
        while not self.over:
            rows = await self.stage.db.pool.fetch(
                "select id, turn from entries where ended is null and step is not null order by id limit 200"
            )
            for row in chance.sample(rows, min(20, len(rows))):
                with suppress(Locked):  # its workflow would come again
                    await self.stage.bursts(row["id"], Call(row["turn"], self.stage.clock.now()))
                self.bursts += 1
            await asyncio.sleep(0.001)

    async def trigger(self) -> None:
        """Calls of the API for the same people, with attributes of theirs."""
        stage = self.stage
        chance = random.Random(7)
        door = Trigger(stage.db, stage.published, stage.clock, stage.alarm_sync, stage.alarm_sync)
        while not self.over:
            publication = await stage.published.of(stage.workspace)
            numbers = chance.sample(range(0, PEOPLE, 5), min(40, PEOPLE // 5))
            wanted = [
                Wanted(Identifier("external_id", f"p{n}"), {"n": n}, {"triggered": True}, existing_only=False)
                for n in numbers
            ]
            await door.named(publication, publication.running["story"], uuid4().hex, wanted, None)
            await asyncio.sleep(0.05)

    async def turn_the_clock(self) -> None:
        assert isinstance(self.stage.clock, FakeClock)
        while not self.over:
            self.stage.clock.turn(timedelta(minutes=20))
            await asyncio.sleep(0.1)


def _who(n: int) -> dict[str, Any]:
    """People under five kinds of names; some of them are the same device, told of beside the id."""
    match n % 5:
        case 0:
            return {"external_id": f"p{n}"}
        case 1:
            name = {"alias_label": "crm", "alias_name": f"p{n}"}
            return {"user_alias": name, "_update_existing_only": False}
        case 2:
            return {"email": f"p{n}@example.com"}
        case 3:
            return {"anonymous_id": f"d{n}"}
    return {"external_id": f"p{n}", "anonymous_id": f"d{n - 1}"}


@pytest.mark.timeout(300)
async def test_eight_writers_beside_bursts_never_deadlock_and_lose_nothing(database_url: str) -> None:
    """IDN-2, IDN-3, TRK-3: `pg_stat_database.deadlocks` stays 0, and none is retried away: a deadlock would fail its writer."""
    async with Database.at(database_url, size=WRITERS + BURSTERS + 2) as db:
        stage = await stage_on(db, STORY, clock=FakeClock(MONDAY))
        load = Load(stage)
        async with asyncio.TaskGroup() as group:
            for n in range(WRITERS):
                group.create_task(load.write(n))
            for n in range(BURSTERS):
                group.create_task(load.burst(100 + n))
            group.create_task(load.trigger())
            group.create_task(load.turn_the_clock())
        await stage.bursts.drain()

        await db.pool.execute("select pg_stat_force_next_flush()")
        deadlocks = await db.pool.fetchval(
            "select deadlocks from pg_stat_database where datname = current_database()"
        )
        print(
            f"\n{load.requests} requests, {load.bursts} bursts, {sum(load.sent.values())} events and updates"
        )
        assert deadlocks == 0
        await _nobody_is_doubled(db)
        await _nothing_is_lost(db, load)


async def _nobody_is_doubled(db: Database) -> None:
    """No name has two people, and no person is without one."""
    for name in ("external_id", "anonymous_id", "email"):
        query = f"select {name} from people where {name} is not null group by {name} having count(*) > 1"
        assert await db.pool.fetch(query) == []
    orphans = "select count(*) from people p where coalesce(external_id, anonymous_id, email) is null and not exists "
    assert await db.pool.fetchval(orphans + "(select 1 from aliases a where a.person = p.id)") == 0
    both = await db.pool.fetch("select external_id, anonymous_id from people where external_id is not null")
    for row in both:
        if row["anonymous_id"] is not None:
            assert int(row["external_id"][1:]) == int(row["anonymous_id"][1:]) + 1


async def _nothing_is_lost(db: Database, load: Load) -> None:
    stored = await db.pool.fetchval("select count(*) from events where kind = 'event'")
    assert stored == sum(1 for name in load.sent if not name.startswith("visits"))
    visits = await db.pool.fetchval("select sum((attributes->>'visits')::int) from people")
    assert visits == sum(count for name, count in load.sent.items() if name.startswith("visits"))
