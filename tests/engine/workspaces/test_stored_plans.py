"""A plan is what it is stored as, whatever this version would call it."""

from __future__ import annotations

from journeys.engine.store import Database
from tests.stage import canvas, stage_on


async def test_who_enters_by_a_plan_of_another_version_has_the_id_that_it_is_stored_with(
    db: Database,
) -> None:
    """A version whose language has other keys compiles the same canvas to another id."""
    stage = await stage_on(db, canvas("  - {type: delay, id: w, duration: 1 day}"))
    await db.pool.execute("update plans set id = 'story@of-before', body = body #- '{schedule,every}'")
    await db.pool.execute("update canvases set plan = 'story@of-before'")
    stage = await stage_on(db, "")

    [entry] = await stage.enter(await stage.person())

    assert (await stage.row(entry))["plan"] == "story@of-before"
    assert (await stage.published.plan(stage.workspace, "story@of-before")).id == "story@of-before"
