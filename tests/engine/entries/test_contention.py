"""Writers and bursts over the same people: no deadlock, both sides progress, no row is lost.

`JOURNEYS_ROUNDS` makes it longer: `make kills` has minutes of it.
"""

from __future__ import annotations

import asyncio
import os
import random
from datetime import timedelta

import pytest

from journeys.engine.entries.burst import Bursts
from journeys.engine.entries.burst_calls import Call
from journeys.engine.intake.track import track
from journeys.engine.people.locking import Locked
from journeys.engine.ports import NullNotifier
from journeys.engine.store import Database
from journeys.engine.workspaces.published import Published
from tests.stage import EMAIL, MONDAY, FakeClock, canvas, stage_on

PEOPLE = 500
ROUNDS = int(os.environ.get("JOURNEYS_ROUNDS", "25"))
"""Requests of each writer."""

TEXT = (
    canvas(
        """
  - type: action_paths
    id: a
    within: 2 days
    paths: [{name: p, triggers: [{event: ping}], steps: [{type: user_update, id: u, attributes: {heard: {increment: 1}}}]}]
  - {type: delay, id: d, duration: 1 day}
  - {type: message, id: m, channel: email, template: hello}
""",
        schedule="{event: begin}",
        more="reentry: {after: 0 days}\nconversions: [{name: c, event: ping, within: 7 days}]",
    )
    + EMAIL
)


@pytest.mark.slow
async def test_eight_writers_beside_bursts_never_deadlock(database_url: str) -> None:
    """`pg_stat_database.deadlocks` stays 0; every event that was answered with success is there."""
    async with Database.at(database_url, size=14) as db:
        clock = FakeClock(MONDAY)
        stage = await stage_on(db, TEXT, clock=clock)
        published = Published(db)
        silent = NullNotifier()
        written = [0] * 8
        burst = 0

        async def write(number: int) -> None:
            lots = random.Random(number)
            count = 0
            for _ in range(ROUNDS):
                people = lots.sample(range(PEOPLE), 40)
                events = []
                for person in people:
                    count += 1
                    at = clock.now() - timedelta(milliseconds=lots.randrange(1000))
                    events.append(
                        {
                            "external_id": f"p{person}",
                            "name": lots.choice(["begin", "ping", "other"]),
                            "time": at.isoformat(),
                            "properties": {"writer": number, "count": count},
                        }
                    )
                attributes = [{"external_id": f"p{person}", f"w{number}": count} for person in people[:20]]
                tracked = await track(
                    db,
                    published,
                    clock,
                    silent,
                    silent,
                    stage.workspace,
                    {"attributes": attributes, "events": events},
                )
                assert tracked.errors == []
                written[number] += len(events)

        async def move() -> None:
            nonlocal burst
            bursts = Bursts(db, published, clock, silent)
            while sum(written) < 8 * ROUNDS * 40 or not burst:
                clock.turn(timedelta(minutes=20))
                rows = await db.pool.fetch(
                    "select id, answered from entries where ended is null and (step is null or told < turn or alarm_at < $1) limit 100",
                    clock.now(),
                )
                ringing = (bursts(row["id"], Call(row["answered"], clock.now())) for row in rows)
                said = await asyncio.gather(*ringing, return_exceptions=True)
                failed = [one for one in said if isinstance(one, BaseException)]
                assert all(isinstance(one, Locked) for one in failed), (
                    failed
                )  # their workflows would come again
                burst += len(rows)
                await asyncio.sleep(0.01)

        await asyncio.gather(*(write(number) for number in range(8)), move())
        await db.pool.execute("select pg_stat_force_next_flush()")
        deadlocks = await db.pool.fetchval(
            "select deadlocks from pg_stat_database where datname = current_database()"
        )
        stored = await db.pool.fetch(
            "select (properties->>'writer')::int as writer, count(*) from events where kind = 'event' group by 1"
        )

    print(f"{sum(written):,} events by 8 writers, {burst:,} bursts, {deadlocks} deadlocks")
    assert deadlocks == 0
    assert {row["writer"]: row["count"] for row in stored} == dict(enumerate(written))
    assert written == [ROUNDS * 40] * 8
