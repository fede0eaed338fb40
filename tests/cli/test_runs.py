"""`journeys runs` and `journeys canvas show`: what is to come, how far it is, and that an operator can step in."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

from journeys.engine.store import Database
from journeys.engine.workspaces.publishing import publish
from tests.cli.test_commands import journeys
from tests.stage import EMAIL, MONDAY, FakeClock, canvas, definitions_of, see_to_runs, stage_on

MAIL = "  - {type: message, id: hello, channel: email, template: hello}"
LOOKED = """
select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
    and query like '%order by ended is not null%'
"""
DAILY = '{every: day, at: "10:00"}'


async def test_runs_are_listed_shown_held_resumed_and_stopped(db: Database) -> None:
    stage = await stage_on(db, "", clock=FakeClock(MONDAY))
    await publish(db, "default", definitions_of(canvas(MAIL, schedule=DAILY) + EMAIL), at=MONDAY)
    for _ in range(3):
        await stage.person()
    object.__setattr__(stage.clock, "at", MONDAY + timedelta(hours=1))
    await see_to_runs(db, stage.published, stage.clock)
    listed = json.loads((await journeys("runs", "--json", url=db.url)).out)
    assert [(one["state"], one["members"]) for one in listed] == [("waiting", 0), ("done", 3)]
    done, waiting = listed[1]["id"], listed[0]["id"]
    table = (await journeys("runs", "list", "story", url=db.url)).out
    assert "2026-12-07 10:00 UTC" in table and "2026-12-08 10:00 UTC" in table
    assert "its audience is not asked yet" in (await journeys("runs", "show", waiting, url=db.url)).out

    said = (await journeys("runs", "show", done, url=db.url)).out
    assert "3 of 3 people" in said and "3 entered" in said
    object.__setattr__(stage.clock, "at", MONDAY + timedelta(days=1, hours=1))
    held = await journeys("runs", "hold", waiting, url=db.url)
    assert ": held," in held.out
    await see_to_runs(db, stage.published, stage.clock)
    assert json.loads((await journeys("runs", "show", waiting, "--json", url=db.url)).out)["done"] == 0
    assert ": waiting," in (await journeys("runs", "resume", waiting, url=db.url)).out
    await see_to_runs(db, stage.published, stage.clock)
    said = (await journeys("runs", "show", waiting, "--follow", url=db.url)).out
    assert "3 refused" in said and "kept out by already_entered (3)" in said

    following = json.loads((await journeys("runs", "--json", url=db.url)).out)[0]["id"]
    stopped = await journeys("runs", "stop", following, url=db.url)
    assert (stopped.code, ": stopped," in stopped.out) == (0, True)
    assert "its audience was not asked" in stopped.out, "which is no count of nought"
    again = await journeys("runs", "stop", following, url=db.url)
    assert (again.code, "the run is over: it is stopped" in again.err) == (2, True)
    by_prefix = json.loads((await journeys("runs", "show", done[:13], "--json", url=db.url)).out)
    assert by_prefix["id"] == done
    planned = json.loads((await journeys("runs", "--json", url=db.url)).out)[0]
    assert (planned["state"], planned["at"][:13]) == ("waiting", "2026-12-10T10"), "the next comes as planned"
    misspelt = await journeys("runs", "list", "stori", url=db.url)
    assert (misspelt.code, "did you mean “story”" in misspelt.err) == (2, True)
    for wrong in ("nothing", "01a2201b-8201-7526-b4da-cae1f37e32cd"):
        lost = await journeys("runs", "show", wrong, url=db.url)
        assert (lost.code, "`journeys runs` lists them" in lost.err) == (2, True)


async def test_runs_are_followed_until_none_of_them_is_at_work(db: Database) -> None:
    stage = await stage_on(db, "", clock=FakeClock(MONDAY))
    await publish(db, "default", definitions_of(canvas(MAIL, schedule=DAILY) + EMAIL), at=MONDAY)
    await stage.person()
    object.__setattr__(stage.clock, "at", MONDAY + timedelta(hours=1))
    await see_to_runs(db, stage.published, stage.clock)
    await db.pool.execute("update runs set state = 'running', ended = null where ended is not null")
    command = asyncio.create_task(journeys("runs", "--follow", url=db.url))
    await stage.until(lambda: db.pool.fetchval(LOOKED), "a look at the runs")
    assert not command.done()
    await db.pool.execute("update runs set state = 'done', ended = now() where state = 'running'")

    said = await command

    assert said.code == 0
    assert "done" in said.out and "kept" in said.out


async def test_a_run_by_each_persons_own_clock_is_listed_with_the_time_of_that_clock(db: Database) -> None:
    """And not with the instant at which the first zone of the world comes to it, the day before."""
    await stage_on(db, "", clock=FakeClock(MONDAY))
    local = canvas(MAIL, schedule='{every: day, at: "10:00", zone: local}')
    await publish(db, "default", definitions_of(local + EMAIL), at=MONDAY)

    assert "10:00 local" in (await journeys("runs", url=db.url)).out


async def test_a_canvas_shows_its_next_ten_occurrences(db: Database) -> None:
    """ENT-1, ENT-2: in UTC, and over which hours where each person's own clock counts."""
    local = canvas(MAIL, name="local", schedule='{every: month, days: [last], at: "09:00", zone: local}')
    await publish(
        db,
        "default",
        definitions_of(f"{canvas(MAIL, schedule=DAILY)}---\n{local}{EMAIL}"),
        at=MONDAY - timedelta(days=900),
    )
    shown = json.loads((await journeys("canvas", "show", "story", "--json", url=db.url)).out)
    assert len(shown["upcoming"]) == 10
    assert all(one["wall"].endswith("T10:00:00") and one["first"] == one["last"] for one in shown["upcoming"])
    said = (await journeys("canvas", "show", "local", url=db.url)).out
    assert said.count("by each person's own clock, from") == 10
    assert "enter by: the clock: every month on last at 09:00, local time" in said
    stopped = await journeys("canvas", "stop", "story", url=db.url)
    assert stopped.code == 0
    shown = json.loads((await journeys("canvas", "show", "story", "--json", url=db.url)).out)
    assert shown["upcoming"] == []
