"""The limits of a workspace, counted over all API processes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from journeys.api.rate_limits import Limit, Limits
from journeys.api.upkeep import kept_up
from journeys.engine.store import Database
from journeys.engine.workspaces.api_keys import create_key
from journeys.engine.workspaces.shared_limits import Shared
from tests.api.parts import INSTANT, STORY, Door
from tests.stage import stage_on

FEW = Limit("users.track", 100, 60)
BODY = {"attributes": [{"external_id": "mel", "a": 1}]}


class Clock:
    """Epoch seconds that a test moves on."""

    def __init__(self) -> None:
        self.now = INSTANT

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def doors(db: Database) -> AsyncIterator[list[Door]]:
    """Two API processes on one database: each has its own pool, its own cache, its own counters."""
    stage = await stage_on(db, STORY)
    key = await create_key(db, stage.workspace, "test", ["*"])
    async with Database.at(db.url) as other:
        second = await stage_on(other, "")
        made = [Door(stage, key), Door(second, key)]
        yield made
        for one in made:
            await one.client.aclose()


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is said to the database of limits."""
    said: list[str] = []
    for name in ("fetchrow", "execute"):
        real = getattr(asyncpg.Connection, name)

        def counting(self: Any, query: str, *args: Any, real: Any = real, **more: Any) -> Any:
            if "rate_limits" in query:
                said.append(query)
            return real(self, query, *args, **more)

        monkeypatch.setattr(asyncpg.Connection, name, counting)
    return said


async def test_two_processes_together_let_exactly_the_limit_through(doors: list[Door]) -> None:
    """LIM-1, LIM-2: at once and mixed; each answer says what is left, and the refused ones when to come again."""
    for door in doors:
        door.services.limits.changed = {"users.track": 60}

    answers = await asyncio.gather(*(doors[n % 2].post("/users/track", BODY) for n in range(100)))

    passed = [answer for answer in answers if answer.status_code == 201]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert (len(passed), len(refused)) == (60, 40)
    assert min(int(answer.headers["x-ratelimit-remaining"]) for answer in passed) == 0
    assert {answer.headers["x-ratelimit-limit"] for answer in answers} == {"60"}
    assert all("retry-after" not in answer.headers for answer in passed)
    for answer in refused:
        assert answer.json() == {"message": "Rate Limited"}
        assert answer.headers["x-ratelimit-remaining"] == "0"
        assert int(answer.headers["retry-after"]) == int(answer.headers["x-ratelimit-reset"]) - int(INSTANT)


async def test_a_caller_of_one_process_sees_what_is_left_go_down_by_one(doors: list[Door]) -> None:
    """LIM-1"""
    left = [
        int((await doors[0].post("/users/track", BODY)).headers["x-ratelimit-remaining"]) for _ in range(40)
    ]
    assert left == list(range(2999, 2959, -1))


async def test_most_calls_need_no_statement_for_the_limit(doors: list[Door], statements: list[str]) -> None:
    """A block is twice the one before: of a hundred calls, eight ask the database."""
    limits, workspace = doors[0].services.limits, doors[0].stage.workspace
    wide = Limit("users.track", 3_000, 60)

    assert all([(await limits.count(wide, workspace)).passed for _ in range(100)])
    assert len(statements) <= 8
    statements.clear()
    assert [(await limits.count(wide, workspace)).passed for _ in range(2_950)].count(True) == 2_900
    assert len(statements) < 80


async def test_callers_who_are_refused_ask_nothing_of_the_database(
    doors: list[Door], statements: list[str]
) -> None:
    """LIM-2: whoever is refused costs a statement a second at most, however many they are."""
    limits, workspace = doors[0].services.limits, doors[0].stage.workspace
    few = Limit("users.track", 3, 60)
    passed = [(await limits.count(few, workspace)).passed for _ in range(500)]

    assert passed.count(True) == 3
    assert len(statements) < 20


async def test_what_a_process_does_not_use_another_one_may(doors: list[Door]) -> None:
    """Given back once it is unused, and when the process ends."""
    (one, other), workspace = (door.services.limits for door in doors), doors[0].stage.workspace
    for _ in range(20):
        assert (await one.count(FEW, workspace)).passed
    async with kept_up(doors[0].services):
        pass

    assert [(await other.count(FEW, workspace)).passed for _ in range(90)].count(True) == 80
    assert not (await one.count(FEW, workspace)).passed


async def test_a_process_that_is_killed_lets_nobody_through_twice(doors: list[Door]) -> None:
    """Its block is lost until the window ends: fewer pass, and never more."""
    (one, other), workspace = (door.services.limits for door in doors), doors[0].stage.workspace
    mine = [(await one.count(FEW, workspace)).passed for _ in range(20)].count(True)
    passed = [(await other.count(FEW, workspace)).passed for _ in range(200)].count(True)

    assert mine == 20
    assert 60 < passed < 80


async def test_each_window_begins_anew_on_the_clock(db: Database) -> None:
    """LIM-1: for a process whose clock is late, too: it counts in the window of the others."""
    early, late = Clock(), Clock()
    one, other = Limits(db, clock=early), Limits(db, clock=late)
    few = Limit("users.track", 3, 60)
    for limits, clock in ((one, early), (other, late), (one, early)):
        assert (await limits.count(few, 1)).passed
        assert clock.now == INSTANT
    assert not (await other.count(few, 1)).passed
    early.now += 60

    assert [(await one.count(few, 1)).passed for _ in range(3)] == [True, True, True]
    assert not (await other.count(Limit("users.track", 2, 60), 1)).passed
    late.now += 60
    assert not (await other.count(few, 1)).passed
    early.now = late.now = early.now + 60
    assert (await other.count(few, 1)).headers["x-ratelimit-remaining"] == "2"


async def test_workspaces_and_parts_are_counted_by_themselves(db: Database) -> None:
    """LIM-1"""
    limits, one = Limits(db, clock=Clock()), Limit("broadcast.audience", 1, 60)
    calls = [(one, 1), (one, 2), (one.of("a"), 1), (one.of("b"), 1)]
    assert [(await limits.count(*call)).passed for call in calls * 2] == [True] * 4 + [False] * 4


async def test_the_same_audience_is_sent_to_ten_times_a_minute_and_another_one_beside_it(
    doors: list[Door],
) -> None:
    """LIM-1: a broadcast of one canvas to one audience."""
    send = {"canvas_id": "story", "broadcast": True}
    answers = [await doors[n % 2].post("/canvas/trigger/send", send) for n in range(11)]
    other = await doors[0].post("/canvas/trigger/send", {**send, "audience": {"segment": "runners"}})

    assert [answer.status_code for answer in answers] == [201] * 10 + [429]
    assert answers[-1].headers["x-ratelimit-limit"] == "10"
    assert other.status_code == 201


async def test_a_block_is_never_more_than_what_is_left(db: Database) -> None:
    """LIM-1: whatever a process asks for; and what is given back once cannot be had twice."""
    shared = Shared(db)
    place = (1, "general", "")
    blocks = [await shared.take(*place, 3600, 40, 1_000) for _ in range(60)]
    assert sum(block.granted for block in blocks) == 40
    assert (blocks[0].granted, blocks[-1].granted, blocks[-1].rest) == (5, 0, 0)

    await shared.give_back(*place, 3600, 7)
    await shared.give_back(*place, 0, 7)
    assert sum([(await shared.take(*place, 3600, 40, 1_000)).granted for _ in range(60)]) == 7
    assert (await shared.take(*place, 3600, 10, 1)).granted == 0


async def test_windows_that_are_over_are_forgotten(db: Database) -> None:
    shared = Shared(db)
    await shared.take(1, "general", "", 3600, 40, 1)
    await shared.take(1, "users.track", "", int(time.time()), 40, 1)
    await Limits(db).clear()
    assert [row["bucket"] for row in await db.pool.fetch("select bucket from rate_limits")] == ["users.track"]
