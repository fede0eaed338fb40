"""Bursts on a real database: what is unheard in, one transaction, the latest state out."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from journeys.engine.entries import burst
from journeys.engine.entries.setting_aside import MOST_FAILURES
from journeys.engine.people.locking import Locked
from journeys.engine.store import Database
from tests.stage import EMAIL, MONDAY, canvas, stage_on

TWO = (
    canvas("""
  - {type: message, id: first, channel: email, template: hello}
  - {type: delay, id: settle, duration: 1 day}
  - {type: message, id: second, channel: email, template: hello}
""")
    + EMAIL
)

WATCH = (
    canvas("""
  - type: action_paths
    id: watch
    within: 3 days
    paths:
      - name: bought
        triggers: [{event: order_completed, where: [{property: shoe, equals: {context: shoe}}]}]
        steps: [{type: user_update, id: mark, attributes: {buyer: true, orders: {increment: 1}}}]
    otherwise: [{type: user_update, id: none, attributes: {buyer: false}}]
  - {type: message, id: last, channel: email, template: hello}
""")
    + EMAIL
)


async def test_a_burst_takes_an_entry_through_every_step_up_to_the_next_wait(db: Database) -> None:
    """One transaction: the message is dispatched, the delay waited for."""
    stage = await stage_on(db, TWO)
    [entry] = await stage.enter(await stage.person(first_name="Mel"))

    reply = await stage.burst(entry)

    assert reply.alarm_at == MONDAY + timedelta(days=1)
    assert await stage.path(entry) == ["first", "settle"]
    assert [row["key"] for row in await stage.dispatches()] == [f"{entry}/first"]


async def test_a_burst_that_is_run_twice_does_nothing_twice(db: Database) -> None:
    """The store decides: the second run hears nothing and answers with the latest state."""
    stage = await stage_on(db, TWO)
    [entry] = await stage.enter(await stage.person())
    first = await stage.burst(entry)

    again = await stage.burst(entry)

    assert again == first
    assert len(await stage.dispatches()) == 1


async def test_after_its_last_step_the_entry_has_ended_and_its_alarm_is_told_so(db: Database) -> None:
    """A workflow that hears None comes to its end."""
    stage = await stage_on(db, TWO)
    [entry] = await stage.enter(await stage.person())
    first = await stage.burst(entry)
    stage.clock.turn(timedelta(days=1))  # type: ignore[attr-defined]

    reply = await stage.burst(entry, first.turn)

    assert reply.alarm_at is None
    row = await stage.row(entry)
    assert (row["ended"], row["told"]) == ("completed", row["turn"])
    assert (await stage.burst(entry, first.turn)).alarm_at is None


async def test_an_event_decides_an_action_path_at_once(db: Database) -> None:
    """ACT-1; the filter reads the entry's context (EXT-3, ACT-7)."""
    stage = await stage_on(db, WATCH)
    mel = await stage.person()
    [entry] = await stage.enter(mel, shoe="red")
    await stage.burst(entry)
    stage.clock.turn(timedelta(hours=1))  # type: ignore[attr-defined]

    await stage.happens(mel, "order_completed", {"shoe": "blue"})
    assert (await stage.row(entry))["told"] == (await stage.row(entry))["turn"]
    await stage.happens(mel, "order_completed", {"shoe": "red"})
    reply = await stage.burst(entry, 2)

    assert reply.alarm_at is None
    assert await stage.path(entry) == ["watch", "mark", "last"]
    attributes = await db.pool.fetchval("select attributes from people where id = $1", mel.id)
    assert attributes == {"buyer": True, "orders": 1}


async def test_a_property_is_compared_with_attributes_as_they_are_when_the_thing_happens(
    db: Database,
) -> None:
    """ACT-7"""
    stage = await stage_on(db, WATCH.replace("{context: shoe}", "{attribute: favourite}"))
    mel = await stage.person(attributes={"favourite": "red"})
    [entry] = await stage.enter(mel)
    await stage.burst(entry)
    stage.clock.turn(timedelta(hours=1))  # type: ignore[attr-defined]

    await stage.happens(mel, "order_completed", {"shoe": "blue"})
    assert await db.pool.fetchval("select count(*) from inbox") == 0
    await db.pool.execute("update people set attributes = $1", {"favourite": "blue"})
    await stage.happens(mel, "order_completed", {"shoe": "red"})
    assert await db.pool.fetchval("select count(*) from inbox") == 0
    await stage.happens(mel, "order_completed", {"shoe": "blue"}, at=stage.clock.now() + timedelta(seconds=1))
    await stage.burst(entry, 2)

    assert await stage.path(entry) == ["watch", "mark", "last"]


async def test_nothing_done_in_the_window_goes_the_other_way_at_its_end_and_no_earlier(db: Database) -> None:
    """ACT-2"""
    stage = await stage_on(db, WATCH)
    [entry] = await stage.enter(await stage.person())
    reply = await stage.burst(entry)

    stage.clock.turn(timedelta(days=2, hours=23))  # type: ignore[attr-defined]
    assert (await stage.burst(entry, reply.turn)).alarm_at == reply.alarm_at
    stage.clock.turn(timedelta(hours=2))  # type: ignore[attr-defined]
    await stage.burst(entry, reply.turn)

    assert await stage.path(entry) == ["watch", "none", "last"]


async def test_an_event_between_admission_and_the_first_burst_is_heard_by_looking_back(db: Database) -> None:
    """A step that begins to listen looks back to its own instant, so nothing falls between."""
    stage = await stage_on(db, WATCH)
    mel = await stage.person()
    [entry] = await stage.enter(mel, shoe="red")
    stage.clock.turn(timedelta(seconds=2))  # type: ignore[attr-defined]
    await stage.happens(mel, "order_completed", {"shoe": "red"})

    await stage.burst(entry)

    assert await stage.path(entry) == ["watch", "mark", "last"]


async def test_looking_back_goes_to_the_arrival_and_no_further(db: Database) -> None:
    """ACT-4: what happened while the entry was still in the step before is not for this one."""
    stage = await stage_on(
        db,
        WATCH.replace(
            "  - type: action_paths", "  - {type: delay, id: before, duration: 1 day}\n  - type: action_paths"
        ),
    )
    early, late = await stage.person(), await stage.person()
    entries = await stage.enter(early, late, shoe="red")
    turns = [(await stage.burst(entry)).turn for entry in entries]
    await stage.happens(early, "order_completed", {"shoe": "red"}, at=MONDAY + timedelta(hours=23))
    stage.clock.turn(timedelta(days=1, seconds=2))  # type: ignore[attr-defined]
    await stage.happens(late, "order_completed", {"shoe": "red"}, at=MONDAY + timedelta(days=1, seconds=1))
    for entry, turn in zip(entries, turns, strict=True):
        await stage.burst(entry, turn)

    assert await stage.path(entries[0]) == ["before", "watch"]
    assert await stage.path(entries[1]) == ["before", "watch", "mark", "last"]


async def test_an_event_before_the_deadline_beats_the_timer_if_it_is_committed_before_the_burst(
    db: Database,
) -> None:
    """Order is by the instants of what happened, not by when a late worker looks."""
    stage = await stage_on(db, WATCH)
    mel = await stage.person()
    [entry] = await stage.enter(mel, shoe="red")
    reply = await stage.burst(entry)
    stage.clock.turn(timedelta(days=3, seconds=5))  # type: ignore[attr-defined]
    await stage.happens(mel, "order_completed", {"shoe": "red"}, at=MONDAY + timedelta(days=2))

    await stage.burst(entry, reply.turn)

    assert await stage.path(entry) == ["watch", "mark", "last"]


async def test_one_entry_that_cannot_be_driven_stops_no_other(db: Database) -> None:
    """A shared commit that fails is repeated one by one."""
    stage = await stage_on(db, TWO)
    entries = [(await stage.enter(await stage.person()))[0] for _ in range(5)]
    await db.pool.execute("update entries set plan = 'gone@1' where id = $1", entries[2])

    replies = await asyncio.gather(*(stage.burst(entry) for entry in entries), return_exceptions=True)

    assert [isinstance(reply, Exception) for reply in replies] == [False, False, True, False, False]
    assert len(await stage.dispatches()) == 4


async def test_a_person_whom_somebody_has_locked_holds_up_nobody_elses_burst(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those who share a burst with them go on at once; they are tried again when the lock is gone, as often as it takes."""
    stage, other = await stage_on(db, TWO), await stage_on(db, TWO, workspace="other")
    people = [await stage.person() for _ in range(6)]
    held = [(await stage.enter(person))[0] for person in people]
    [free] = await other.enter(await other.person())
    monkeypatch.setattr(burst, "BRIEFLY", "set local lock_timeout = '20ms'")
    async with db.transaction() as connection:
        await connection.execute("select from people where workspace = $1 for update", stage.workspace)
        bursts = [asyncio.create_task(stage.burst(entry)) for entry in (*held, free)]
        async with asyncio.timeout(30):
            assert (await bursts[-1]).alarm_at is not None
        await asyncio.gather(*bursts, return_exceptions=True)
        for _ in range(MOST_FAILURES + 1):
            again = (stage.burst(entry) for entry in held)
            errors = await asyncio.gather(*again, return_exceptions=True)
            assert {type(each) for each in errors} == {Locked}, "as often as it takes"

    replies = await asyncio.gather(*(stage.burst(entry) for entry in held))
    assert all(reply.alarm_at is not None for reply in replies)
    await stage.bursts.drain()


async def test_an_entry_that_fails_for_the_same_reason_is_set_aside_though_its_person_was_locked_between(
    db: Database,
) -> None:
    """That it was left out of a burst is no success."""
    stage = await stage_on(db, TWO)
    mel = await stage.person()
    [entry] = await stage.enter(mel)
    await stage.burst(entry)
    await db.pool.execute("update entries set step = 'gone' where id = $1", entry)
    for _ in range(MOST_FAILURES):
        async with db.transaction() as connection:
            await connection.execute("select from people where id = $1 for update", mel.id)
            failing = asyncio.create_task(stage.burst(entry, 2))
            await asyncio.sleep(0.01)
        [error] = await asyncio.gather(failing, return_exceptions=True)

    assert error.alarm_at is None, "its workflow ends"
    assert (await stage.row(entry))["ended"] == "set_aside"


@pytest.mark.parametrize("entries_each", [1, 8])
async def test_people_with_much_to_read_are_not_read_all_at_once(
    db: Database, monkeypatch: pytest.MonkeyPatch, entries_each: int
) -> None:
    """A shared burst of many such people, or of many entries of one of them, is done in parts."""
    monkeypatch.setattr(burst, "MOST_BYTES", 100_000)
    step = "  - {type: message, id: first, channel: email, template: hello}"
    stage = await stage_on(db, "\n---\n".join(canvas(step, name=f"c{n}") for n in range(8)) + EMAIL)
    people = [await stage.person(attributes={"x": [[]] * 5_000}) for _ in range(8 // entries_each)]
    entries = [(await stage.enter(person, name=f"c{n}"))[0] for person in people for n in range(entries_each)]
    together: list[int] = []
    real = stage.bursts.run

    async def noting(calls: Any, **more: Any) -> Any:
        replies = await real(calls, **more)
        together.append(len(calls))
        return replies

    monkeypatch.setattr(stage.bursts, "run", noting)
    await asyncio.gather(*(stage.burst(entry) for entry in entries))

    assert sum(together) == 8
    assert max(together) < 8
    assert len(await stage.dispatches()) == 8


async def test_an_entry_whose_burst_fails_ten_times_for_one_reason_is_set_aside_and_a_fact_says_why(
    db: Database,
) -> None:
    """No stored value makes a burst fail for ever; others, and failures of several reasons, go on."""
    stage = await stage_on(db, TWO)
    [broken] = await stage.enter(await stage.person())
    [well] = await stage.enter(await stage.person())
    await stage.burst(broken)
    for no in range(MOST_FAILURES):
        await db.pool.execute("update entries set step = $2 where id = $1", broken, f"gone{no % 2}")
        with pytest.raises(KeyError):
            await stage.burst(broken, 2)
    for _ in range(MOST_FAILURES - 2):
        with pytest.raises(KeyError):
            await stage.burst(broken, 2)
    reply = await stage.burst(broken, 2)

    assert reply.alarm_at is None, "its workflow ends"
    row = await stage.row(broken)
    assert (row["ended"], row["told"]) == ("set_aside", row["turn"])
    said = await db.pool.fetchval("select data from facts where entry = $1 and fact = 'ended'", broken)
    assert said == {"reason": "set_aside", "error": "KeyError: 'gone1'"}
    assert (await stage.burst(well)).alarm_at is not None
