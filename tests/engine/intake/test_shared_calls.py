"""Calls of `/users/track` share transactions where several come at once, and none of them fails for another."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from journeys.engine.intake.shared_calls import AT_ONCE, MOST_TOGETHER, SharedCalls, may_share
from journeys.engine.intake.track import store
from journeys.engine.intake.track_objects import Objects, read
from journeys.engine.people.identity import Identifier, lock_known
from journeys.engine.ports import NullNotifier
from journeys.engine.store import Database
from tests.stage import MONDAY, Stage, canvas, stage_on

HELLO = canvas(
    "\n  - {type: delay, id: settle, duration: 1 day}",
    schedule="{event: joined}",
)


def events(*who: str, name: str = "liked") -> Objects:
    """A call that says of each of these people that they did it, and who called."""
    objects = [{"external_id": one, "name": name, "time": MONDAY.isoformat()} for one in who]
    return read({"events": objects})


def shared_on(stage: Stage) -> SharedCalls:
    return SharedCalls(stage.db, stage.published, stage.clock, NullNotifier(), NullNotifier())


async def transactions(db: Database) -> int:
    """How many transactions stored the events that there are."""
    return int(await db.pool.fetchval("select count(distinct xmin::text) from events"))


async def test_calls_that_come_at_once_are_stored_in_few_transactions_and_each_knows_what_was_taken(
    db: Database,
) -> None:
    stage = await stage_on(db, HELLO)
    shared = shared_on(stage)
    calls = [events(f"p{n}", f"q{n}", name=f"call {n}") for n in range(40)]
    answers = await asyncio.gather(*(shared(stage.workspace, call) for call in calls))
    assert [answer.said() for answer in answers] == [{"message": "success", "events_processed": 2}] * 40
    assert await db.pool.fetchval("select count(*) from events") == 80
    assert await transactions(db) <= 2 * AT_ONCE


async def test_what_a_call_was_answered_is_committed(db: Database) -> None:
    stage = await stage_on(db, HELLO)
    shared = shared_on(stage)

    async def one(n: int) -> None:
        await shared(stage.workspace, events("mel", name=f"call {n}"))
        assert await db.pool.fetchval("select count(*) from events where name = $1", f"call {n}") == 1

    await asyncio.gather(*map(one, range(12)))


async def test_a_call_that_comes_as_the_others_end_waits_for_none_of_them(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transactions end in one step of the event loop; who is answered first calls again before the loop goes on."""
    stage = await stage_on(db, HELLO)
    shared = shared_on(stage)
    all_done = asyncio.Event()
    begun = asyncio.Queue[None]()
    stored = again = 0

    async def together(*given: Any) -> Any:
        nonlocal stored
        begun.put_nowait(None)
        done = await store(*given)
        stored += 1
        if stored == AT_ONCE:
            all_done.set()
        await all_done.wait()
        return done

    async def caller(name: str) -> None:
        nonlocal again
        await shared(stage.workspace, events(name))
        if not again:
            again += 1
            await shared(stage.workspace, events(name, name="again"))

    monkeypatch.setattr("journeys.engine.intake.shared_calls.store", together)
    async with asyncio.timeout(60), asyncio.TaskGroup() as callers:
        for n in range(AT_ONCE):
            callers.create_task(caller(f"p{n}"))
            await begun.get()
    assert await db.pool.fetchval("select count(*) from events") == AT_ONCE + 1


async def test_a_transaction_never_holds_more_than_so_many_objects_of_several_calls(db: Database) -> None:
    stage = await stage_on(db, HELLO)
    shared = shared_on(stage)
    many = [
        events(*(f"p{n}" for n in range(MOST_TOGETHER // 2 + 1)), name=f"call {call}") for call in range(6)
    ]
    await asyncio.gather(*(shared(stage.workspace, call) for call in many))
    assert await transactions(db) == 6


async def test_events_of_one_person_are_stored_in_the_order_of_the_calls_and_let_in_each_once(
    db: Database,
) -> None:
    stage = await stage_on(db, HELLO)
    shared = shared_on(stage)
    await shared(stage.workspace, events("mel", name="first"))
    names = [f"call {n}" for n in range(10)]
    calls = [events("mel", "zoe", name=name) for name in [*names, "joined"]]
    await asyncio.gather(*(shared(stage.workspace, call) for call in calls))
    rows = await db.pool.fetch(
        "select e.name from events e join people p on p.id = e.person where p.external_id = 'zoe' order by e.no"
    )
    assert [row["name"] for row in rows] == [*names, "joined"]
    assert await db.pool.fetchval("select count(*) from entries") == 2


async def test_a_call_that_cannot_be_stored_fails_alone(db: Database) -> None:
    stage = await stage_on(db, HELLO)
    shared = shared_on(stage)
    calls = [events(f"p{n}") for n in range(10)]
    calls[7].items[0].name = "\0"
    answers: list[Any] = await asyncio.gather(
        *(shared(stage.workspace, call) for call in calls), return_exceptions=True
    )
    failed = [place for place, answer in enumerate(answers) if isinstance(answer, BaseException)]
    assert failed == [7]
    assert isinstance(answers[7], asyncpg.CharacterNotInRepertoireError)
    assert await db.pool.fetchval("select count(*) from events") == 9


async def test_who_goes_while_their_call_waits_does_not_hold_up_the_others(db: Database) -> None:
    stage = await stage_on(db, HELLO)
    shared = shared_on(stage)
    calls = [asyncio.create_task(shared(stage.workspace, events(f"p{n}"))) for n in range(8)]
    await asyncio.sleep(0)
    calls[5].cancel()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [place for place, answer in enumerate(answers) if isinstance(answer, BaseException)] == [5]
    assert await shared(stage.workspace, events("mel")) is not None


@pytest.mark.parametrize(
    "objects",
    [
        {"attributes": [{"external_id": "mel", "plan": "pro"}]},
        {"events": [{"external_id": "mel", "anonymous_id": "a", "name": "x", "time": MONDAY.isoformat()}]},
        {"events": [{"braze_id": "b", "name": "x", "time": MONDAY.isoformat()}]},
        {"events": []},
    ],
    ids=["attributes", "an anonymous person", "an id of ours", "nothing"],
)
def test_calls_that_say_more_than_events_go_alone(objects: dict[str, Any]) -> None:
    assert not may_share(read(objects))


async def test_known_people_are_locked_and_read_in_one_statement_and_nobody_is_where_one_is_unknown(
    db: Database,
) -> None:
    stage = await stage_on(db, HELLO)
    mel, zoe = await stage.person(), await stage.person()
    await db.pool.execute("update people set external_id = 'mel' where id = $1", mel.id)
    await db.pool.execute("update people set external_id = 'zoe' where id = $1", zoe.id)
    names = [Identifier("external_id", "mel"), Identifier("external_id", "zoe")]
    free = "select id from people for no key update skip locked"
    async with db.transaction() as connection:
        for others in (Identifier("external_id", "nobody"), Identifier("email", "mel@example.com")):
            assert await lock_known(connection, stage.workspace, [*names, others]) is None
            assert len(await db.pool.fetch(free)) == 2
        found = await lock_known(connection, stage.workspace, names)
        assert found is not None
        assert {one.value: profile.id for one, profile in found.items()} == {"mel": mel.id, "zoe": zoe.id}
        assert await db.pool.fetch(free) == []


async def test_a_person_who_is_renamed_while_their_lock_is_waited_for_is_looked_for_anew(
    db: Database,
) -> None:
    stage = await stage_on(db, HELLO)
    mel = await stage.person()
    await db.pool.execute("update people set external_id = 'mel' where id = $1", mel.id)
    waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    async with db.transaction() as other:
        await other.execute("update people set external_id = 'melanie' where id = $1", mel.id)
        call = asyncio.create_task(shared_on(stage)(stage.workspace, events("mel")))
        while not await db.pool.fetchval(waiting):
            assert not call.done()
            await asyncio.sleep(0.01)
    await call
    owner = await db.pool.fetchval(
        "select p.external_id from events e join people p on p.id = e.person where e.name = 'liked'"
    )
    assert owner == "mel", "a new person has the name that is free now"
