"""The gates in front of a canvas, on a real database: one at a time, so many and no more, those kept out on purpose."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from journeys.engine.store import Database
from journeys.engine.workspaces.canvas_changes import change
from tests.stage import EMAIL, MONDAY, Stage, canvas, stage_on

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
WAIT = "  - {type: delay, id: wait, duration: 3 days}\n  - {type: message, id: m, channel: email, template: hello}"


async def refused(stage: Stage) -> list[tuple[str, int, Any]]:
    rows = await stage.db.pool.fetch("select gate, times, seen from refusals order by at, person")
    return [(row["gate"], row["times"], row["seen"]) for row in rows]


def turn(stage: Stage, span: timedelta) -> None:
    stage.clock.turn(span)  # type: ignore[attr-defined]


async def by_event(db: Database, more: str, steps: str = WAIT) -> Stage:
    stage = await stage_on(db, canvas(steps, schedule="{event: ping}", more=more) + EMAIL)
    await db.pool.execute("update canvases set published = $1", MONDAY - DAY)
    return stage


# Not while they are inside -----------------------------------------------------------------------------------------

ONE_AT_A_TIME = "reentry: {after: 0 days, overlap: false}\nexits: [{event: stop}]"


async def test_who_is_inside_does_not_enter_again_until_they_have_left(db: Database) -> None:
    """CTL-5: the window of re-entry is over, and still they have to leave first; by an exit, or at the end."""
    stage = await by_event(db, ONE_AT_A_TIME)
    mel = await stage.person()
    for span in (timedelta(0), HOUR, HOUR):
        turn(stage, span)
        await stage.happens(mel, "ping")
    since = MONDAY.isoformat().replace("+00:00", "Z")
    assert await refused(stage) == [("still_inside", 2, {"inside_since": since})]

    turn(stage, HOUR)
    await stage.happens(mel, "stop")
    await stage.happens(mel, "ping")
    rows = await db.pool.fetch("select entered, ended from entries order by entered")
    assert [(row["entered"] - MONDAY, row["ended"]) for row in rows] == [
        (timedelta(0), "exit_event"),
        (3 * HOUR, None),
    ]


async def test_an_entry_that_a_change_of_its_canvas_has_ended_keeps_nobody_out(db: Database) -> None:
    """CTL-5, STA-3: it was due while the canvas was stopped, and has not had its burst yet."""
    stage = await by_event(db, ONE_AT_A_TIME)
    mel = await stage.person()
    await stage.happens(mel, "ping")
    for word in ("stop", "resume"):
        turn(stage, 2 * DAY)
        await change(db, stage.workspace, "story", word, at=stage.clock.now())  # type: ignore[arg-type]
    await stage.happens(mel, "ping")

    assert await db.pool.fetchval("select count(*) from entries") == 2
    assert await refused(stage) == []
