"""What it costs to read a profile, and to ask whether a person is in a segment."""

from __future__ import annotations

import asyncio

import pytest

from journeys.engine.entries.audience_reading import matching
from journeys.engine.people.profiles import load
from journeys.engine.store import Database
from tests.stage import stage_on

SEGMENTS = """
kind: segment
format: 1
name: french
when: {attribute: country, equals: FR}
---
kind: segment
format: 1
name: runners
when:
  all:
    - {attribute: sport, equals: running}
    - {segment: french}
    - {event: article_liked, where: [{property: category, equals: running}], times: {at_least: 2}, within_last: 90 days}
    - {event: session_start, within_last: 7 days}
"""


@pytest.mark.parametrize("count", [1, 20])
async def test_a_profile_is_read_by_one_statement_and_a_segment_asks_for_one_more(
    db: Database, count: int
) -> None:
    """A72: however many attributes, events and conditions there are, and for twenty people as for one."""
    stage = await stage_on(db, SEGMENTS)
    people = [
        await stage.person(external_id=f"p{n}", country="FR", attributes={"sport": "running", "n": n})
        for n in range(count)
    ]
    for person in people[: (count + 1) // 2]:
        for name in ("article_liked", "article_liked", "session_start"):
            await stage.happens(person, name, {"category": "running"})
    publication = await stage.published.of(stage.workspace)
    audience = publication.segments["runners"]
    said: list[str] = []
    ids, counts = [person.id for person in people], []

    async with db.pool.acquire() as connection:
        for _ in range(2):  # the first time the driver asks about types, too
            for work in ("profile", "segment"):
                said.clear()
                connection.add_query_logger(hear := lambda logged: said.append(logged.query))
                if work == "profile":
                    found = await load(connection, stage.workspace, ids)
                else:
                    several = list(found.values())
                    inside = await matching(connection, publication, audience, several, stage.clock.now())
                await asyncio.sleep(0)  # loggers hear on the next turn of the loop
                connection.remove_query_logger(hear)
                counts.append(len(said))

    assert counts[2:] == [1, 1], said
    assert {profile.id for profile in inside} == {person.id for person in people[: (count + 1) // 2]}
