"""Runs: who is in them, when they come, and what becomes of each of their people."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from journeys.engine.entries import run_pages
from journeys.engine.entries.run_pages import RunPages
from journeys.engine.ports import NullNotifier
from journeys.engine.store import Database
from journeys.engine.workspaces.canvas_changes import change
from journeys.engine.workspaces.publishing import publish
from tests.stage import EMAIL, MONDAY, FakeClock, Stage, canvas, definitions_of, stage_on

MAIL = "  - {type: message, id: hello, channel: email, template: hello}"
THEN_WAIT = MAIL + "\n  - {type: delay, id: wait, duration: 1 day}\n" + MAIL.replace("hello, ch", "again, ch")
DAILY = '{every: day, at: "10:00"}'
WITH_SLEEP = "audience: {attribute: likes, equals: running}"


async def launched(
    db: Database, steps: str, schedule: str, *, more: str = "", now: datetime = MONDAY
) -> Stage:
    """A stage whose canvas is published at this moment."""
    stage = await stage_on(db, "", clock=FakeClock(now))
    await publish(db, "default", definitions_of(canvas(steps, schedule=schedule, more=more) + EMAIL), at=now)
    return stage


async def runs(db: Database) -> list[Any]:
    return list(await db.pool.fetch("select * from runs order by at, stored"))


async def work(stage: Stage, run: UUID) -> float | None:
    """See to a run as an activity does."""
    pages = RunPages(stage.db, stage.published, stage.clock, NullNotifier(), NullNotifier())
    return await pages.work(stage.workspace, run, asyncio.Event())


def put(stage: Stage, at: datetime) -> None:
    object.__setattr__(stage.clock, "at", at)


async def test_the_next_occurrence_is_written_down_at_publication_and_when_one_begins(db: Database) -> None:
    """ENT-1: occurrences are ours, one ahead."""
    stage = await launched(db, MAIL, DAILY)
    [first] = await runs(db)
    assert (first["state"], first["at"]) == ("waiting", MONDAY.replace(hour=10))
    assert await work(stage, first["id"]) is not None
    assert (await runs(db))[0]["state"] == "waiting"

    put(stage, MONDAY.replace(hour=10))
    assert await work(stage, first["id"]) is None
    done, second = await runs(db)
    assert (done["state"], done["members"]) == ("done", 0)
    assert (second["state"], second["at"]) == ("waiting", MONDAY.replace(hour=10) + timedelta(days=1))
    alarms = await db.pool.fetch("select id, at, told, turn from alarms where kind = 'run'")
    assert [(row["id"], row["at"]) for row in alarms] == [(second["id"], second["at"])]


async def test_the_audience_is_who_matches_at_the_run_and_each_is_let_in_once(db: Database) -> None:
    """ENT-6, CTL-1: who enters is barred from the next run, and who qualifies later waits for it."""
    stage = await launched(db, MAIL, DAILY, more=WITH_SLEEP)
    runners = [await stage.person(attributes={"likes": "running"}) for _ in range(3)]
    other = await stage.person(attributes={"likes": "chess"})
    put(stage, MONDAY.replace(hour=10))
    [run] = await runs(db)
    assert await work(stage, run["id"]) is None
    [run, later] = await runs(db)
    assert (run["members"], run["entered"], run["refused"]) == (3, 3, 0)
    entered = await db.pool.fetch("select person, entered, ended from entries")
    assert {row["person"] for row in entered} == {one.id for one in runners}
    assert {(row["entered"], row["ended"]) for row in entered} == {(MONDAY.replace(hour=10), "completed")}
    assert len(await stage.dispatches()) == 3

    await db.pool.execute('update people set attributes = \'{"likes": "running"}\' where id = $1', other.id)
    put(stage, later["at"] + timedelta(seconds=30))
    assert await work(stage, later["id"]) is None
    [_, again, _] = await runs(db)
    assert (again["members"], again["entered"], again["refused"]) == (4, 1, 3)
    assert again["gates"] == {"already_entered": 3}
    refused = await db.pool.fetch("select gate, at from refusals")
    assert {(row["gate"], row["at"]) for row in refused} == {("already_entered", again["at"])}
    assert await db.pool.fetchval("select count(*) from run_members") == 0, "forgotten once it is over"


@pytest.mark.parametrize("rest", ["", "{attribute: word, matches: '^a+$'}, "], ids=["by SQL", "one by one"])
async def test_a_step_in_the_audience_of_a_run_is_one_of_its_canvas(db: Database, rest: str) -> None:
    """As where an event brings people in: a step of that name in another canvas is another one."""
    audience = f"audience: {{all: [{rest}{{message: sent, step: hello}}]}}\nreentry: {{after: 0 days}}"
    stage = await launched(db, MAIL, DAILY, more=audience)
    mine, other = [await stage.person(attributes={"word": "a"}) for _ in range(2)]
    for one, name in ((mine, "story"), (other, "another")):
        said = {"canvas": name, "step": "hello", "channel": "email", "dispatch": "d"}
        await stage.happens(one, "sent", said, kind="message")
    put(stage, MONDAY.replace(hour=10))
    await work(stage, (await runs(db))[0]["id"])
    assert [row["person"] for row in await db.pool.fetch("select person from entries")] == [mine.id]


async def test_gates_compare_the_instant_of_the_occurrence_and_not_of_the_page(db: Database) -> None:
    """CTL-3, cases 22 and 23: a window of one day, an entry at 10:00 whose page came at 10:12, lets in at 10:00 tomorrow."""
    stage = await launched(db, MAIL, DAILY, more="reentry: {after: 1 day}")
    await stage.person()
    [run] = await runs(db)
    put(stage, MONDAY.replace(hour=10, minute=12))
    await work(stage, run["id"])
    put(stage, MONDAY.replace(hour=10) + timedelta(days=1))
    await work(stage, (await runs(db))[1]["id"])
    assert [row["entered"] for row in (await runs(db))[:2]] == [1, 1]


async def test_who_wait_for_the_same_instant_share_one_alarm(db: Database) -> None:
    """One workflow for a page, which wakes them all."""
    stage = await launched(db, THEN_WAIT, DAILY)
    people = [await stage.person() for _ in range(5)]
    put(stage, MONDAY.replace(hour=10))
    [run] = await runs(db)
    await work(stage, run["id"])
    rows = await db.pool.fetch("select alarm, id, told, turn, wake_at from entries")
    assert len(rows) == len(people)
    [alarm] = {row["alarm"] for row in rows}
    assert all(row["told"] == row["turn"] for row in rows), "nobody is told of but the alarm they share"
    shared = await db.pool.fetchrow("select * from alarms where kind = 'entries'")
    assert (shared["id"], shared["at"]) == (alarm, MONDAY.replace(hour=10) + timedelta(days=1))

    put(stage, shared["at"])
    reply = await stage.burst(alarm)
    assert reply.alarm_at is None
    assert Counter(row["ended"] for row in await db.pool.fetch("select ended from entries")) == {
        "completed": 5
    }
    assert len(await stage.dispatches()) == 10


async def test_a_run_by_local_time_takes_each_zone_at_its_own_hour(db: Database) -> None:
    """ENT-2, ENT-8, cases 11 and 13: whoever moves is in once, whose hour has passed is out, no zone means the company's."""
    stage = await launched(db, MAIL, "{once: 2026-12-09T10:00, zone: local}")
    tokyo = await stage.person(zone="Asia/Tokyo")
    paris = await stage.person(zone="Europe/Paris")
    nowhere = await stage.person()
    mover = await stage.person(zone="America/New_York")
    [run] = await runs(db)
    assert run["at"] == datetime(2026, 12, 8, 20, tzinfo=UTC), "where it comes first, fourteen hours ahead"

    async def entered() -> dict[UUID, datetime]:
        return dict(await db.pool.fetch("select person, entered from entries"))

    put(stage, datetime(2026, 12, 9, 1, 0, tzinfo=UTC))
    left = await work(stage, run["id"])
    assert left is not None
    assert await entered() == {tokyo.id: datetime(2026, 12, 9, 1, tzinfo=UTC)}
    await db.pool.execute(
        "update people set zone = 'Asia/Tokyo' where id = $1", mover.id
    )  # their hour has passed
    await db.pool.execute(
        "update people set zone = 'America/New_York' where id = $1", tokyo.id
    )  # they were in
    put(stage, datetime(2026, 12, 9, 16, 0, tzinfo=UTC))
    await work(stage, run["id"])
    assert await entered() == {
        tokyo.id: datetime(2026, 12, 9, 1, tzinfo=UTC),
        paris.id: datetime(2026, 12, 9, 9, tzinfo=UTC),
        nowhere.id: datetime(2026, 12, 9, 10, tzinfo=UTC),
    }
    put(stage, datetime(2026, 12, 9, 22, 0, tzinfo=UTC))
    assert await work(stage, run["id"]) is None
    [run] = await runs(db)
    assert (run["state"], run["members"], run["entered"]) == ("done", 3, 3)


async def test_by_local_time_whose_hour_was_past_at_the_launch_does_not_enter(db: Database) -> None:
    """ENT-8: neither by one occurrence nor by the first of several."""
    for number, schedule in enumerate(
        ("{once: 2026-12-07T12:00, zone: local}", '{every: day, at: "12:00", zone: local}')
    ):
        stage = await stage_on(db, "", clock=FakeClock(MONDAY), workspace=f"w{number}")
        await stage.person(zone="Asia/Tokyo")
        lima = await stage.person(zone="America/Lima")
        text = canvas(MAIL, schedule=schedule) + EMAIL
        await publish(db, f"w{number}", definitions_of(text), at=MONDAY)
        run = await db.pool.fetchval("select id from runs where workspace = $1", stage.workspace)
        put(stage, MONDAY.replace(hour=18))
        await work(stage, run)
        entered = await db.pool.fetch(
            "select person, entered from entries where workspace = $1", stage.workspace
        )
        assert [tuple(row) for row in entered] == [(lima.id, MONDAY.replace(hour=17))]


async def test_a_run_that_comes_when_the_next_is_due_is_missed(db: Database) -> None:
    """A late occurrence runs until the next is due; older ones are noted as missed."""
    stage = await launched(db, MAIL, DAILY)
    await stage.person()
    put(stage, MONDAY.replace(hour=11) + timedelta(days=2))
    for _ in range(3):
        [waiting] = [row for row in await runs(db) if row["state"] == "waiting"]
        await work(stage, waiting["id"])
    assert [row["state"] for row in await runs(db)] == ["missed", "missed", "done", "waiting"]
    assert await db.pool.fetchval("select entered from entries") == MONDAY.replace(hour=10) + timedelta(
        days=2
    )


async def test_a_canvas_that_runs_at_launch_does_so_again_only_when_it_is_asked_to(db: Database) -> None:
    """ENT-4, ENT-11, case 10: on a grid of five minutes, and again after an explicit yes."""
    stage = await launched(db, MAIL, "{at_launch: true}", now=MONDAY.replace(hour=8, minute=31))
    [run] = await runs(db)
    assert run["at"] == MONDAY.replace(hour=8, minute=30)
    await work(stage, run["id"])
    again = definitions_of(
        canvas(MAIL + "\n", schedule="{at_launch: true}", more="description: changed") + EMAIL
    )
    await publish(db, "default", again, at=MONDAY)
    assert len(await runs(db)) == 1
    more = definitions_of(canvas(MAIL + "\n", schedule="{at_launch: true}", more="description: more") + EMAIL)
    await publish(db, "default", more, at=MONDAY, launch_again=["story"])
    assert [row["state"] for row in await runs(db)] == ["done", "waiting"]


async def test_a_schedule_that_changes_withdraws_what_was_planned_by_the_former(db: Database) -> None:
    stage = await launched(db, MAIL, DAILY)
    other = definitions_of(canvas(MAIL, schedule='{every: day, at: "12:00"}') + EMAIL)
    await publish(db, "default", other, at=MONDAY + timedelta(minutes=1))
    assert [(row["state"], row["at"].hour) for row in await runs(db)] == [("withdrawn", 10), ("waiting", 12)]
    assert await db.pool.fetchval("select count(*) from alarms") == 1
    by_event = definitions_of(canvas(MAIL, schedule="{event: signed_up}") + EMAIL)
    await publish(db, "default", by_event, at=MONDAY + timedelta(minutes=2))
    assert {row["state"] for row in await runs(db)} == {"withdrawn"}
    put(stage, MONDAY.replace(hour=12))
    for row in await runs(db):
        assert await work(stage, row["id"]) is None


async def test_the_company_that_moves_takes_its_planned_runs_along(db: Database) -> None:
    await launched(db, MAIL, DAILY)
    await publish(
        db,
        "default",
        definitions_of("kind: workspace\nformat: 1\nname: default\nzone: America/New_York\n"),
        at=MONDAY,
    )
    [run] = await runs(db)
    assert run["at"] == MONDAY.replace(hour=15)
    assert await db.pool.fetchval("select at from alarms") == run["at"]


async def test_a_canvas_that_is_stopped_runs_nothing_and_goes_on_with_the_next(db: Database) -> None:
    """STA-2: what comes meanwhile is missed, and what was at work ends."""
    stage = await launched(db, MAIL, DAILY)
    await stage.person()
    await change(db, stage.workspace, "story", "stop", at=MONDAY)
    put(stage, MONDAY.replace(hour=10))
    [run] = await runs(db)
    assert await work(stage, run["id"]) is None
    missed, following = await runs(db)
    assert (missed["state"], missed["reason"]) == ("missed", "the canvas is stopped")
    await change(db, stage.workspace, "story", "resume", at=MONDAY)
    put(stage, following["at"])
    await work(stage, following["id"])
    assert (await runs(db))[1]["entered"] == 1


async def test_one_person_who_cannot_be_let_in_stops_no_other(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are noted with the reason, and counted as failed."""
    stage = await launched(db, MAIL, DAILY)
    people = [await stage.person() for _ in range(4)]
    real, bad = run_pages.admit, people[1].id

    async def failing(
        connection: Any,
        publication: Any,
        published: Any,
        running: Any,
        clock: Any,
        entrants: Any,
        **more: Any,
    ) -> Any:
        if any(one.profile.id == bad for one in entrants):
            raise ArithmeticError("no such luck")
        return await real(connection, publication, published, running, clock, entrants, **more)

    monkeypatch.setattr(run_pages, "admit", failing)
    put(stage, MONDAY.replace(hour=10))
    [run] = await runs(db)
    assert await work(stage, run["id"]) is None
    [run, _] = await runs(db)
    assert (run["entered"], run["failed"], run["state"]) == (3, 1, "done")
    [refused] = await db.pool.fetch("select * from refusals")
    assert (refused["person"], refused["gate"]) == (bad, "failed")
    assert "no such luck" in refused["seen"]["error"]


async def test_a_run_that_is_held_lets_nobody_in_until_it_is_resumed(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was let in before the hold is counted; nobody is after it."""
    stage = await launched(db, MAIL, DAILY)
    for _ in range(6):
        await stage.person()
    monkeypatch.setattr(run_pages, "PAGE", 2)
    real = RunPages._page
    pages = 0

    async def holding(self: Any, look: Any, people: Any, error: Any = None) -> Any:
        nonlocal pages
        pages += 1
        if pages == 2:
            await db.pool.execute("update runs set held = true where state = 'running'")
        return await real(self, look, people, error)

    monkeypatch.setattr(RunPages, "_page", holding)
    put(stage, MONDAY.replace(hour=10))
    [run] = await runs(db)
    left = await work(stage, run["id"])
    assert left is not None and left > 3600
    held = (await runs(db))[0]
    assert (held["state"], held["entered"], held["members"]) == ("running", 2, 6)
    await db.pool.execute("update runs set held = false")
    assert await work(stage, run["id"]) is None
    assert (await runs(db))[0]["entered"] == 6
    assert await db.pool.fetchval("select count(*) from entries") == 6


async def test_people_who_went_meanwhile_are_counted_as_gone(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = await launched(db, MAIL, DAILY)
    people = [await stage.person() for _ in range(3)]
    real = RunPages._pages

    async def later(self: Any, look: Any, stop: Any) -> Any:
        await db.pool.execute("delete from people where id = $1", people[0].id)
        return await real(self, look, stop)

    monkeypatch.setattr(RunPages, "_pages", later)
    put(stage, MONDAY.replace(hour=10))
    [run] = await runs(db)
    await work(stage, run["id"])
    run = (await runs(db))[0]
    assert (run["members"], run["entered"], run["gone"]) == (3, 2, 1)


async def test_runs_that_find_no_place_come_again_one_after_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each coming again costs Temporal a dozen events: a workspace's hundred runs keep it from nobody else's entries."""
    monkeypatch.setattr(run_pages, "time", SimpleNamespace(monotonic=lambda: 10.0))
    nothing: Any = None
    pages = RunPages(nothing, nothing, FakeClock(MONDAY), NullNotifier(), NullNotifier())
    held = [pages._places.of(1), pages._places.of(2)]
    for place in held * run_pages.AT_ONCE:
        await place.acquire()

    pauses = [await pages.work(1, uuid4(), asyncio.Event()) for _ in range(100)]

    later, apart = run_pages.LATER.total_seconds(), run_pages.APART.total_seconds()
    assert pauses == [pytest.approx(later + apart * number) for number in range(100)]
    assert await pages.work(2, uuid4(), asyncio.Event()) == pytest.approx(later), "its own is the next"
