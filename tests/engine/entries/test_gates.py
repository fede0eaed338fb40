"""The gates in front of a canvas, on a real database: one at a time, so many and no more, those kept out on purpose."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from journeys.canvas.problems import Refused
from journeys.engine.core.global_control import held_out
from journeys.engine.store import Database
from journeys.engine.workspaces.canvas_changes import change
from journeys.engine.workspaces.publishing import publish
from tests.stage import EMAIL, MONDAY, Stage, canvas, definitions_of, stage_on

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


# The global control group ------------------------------------------------------------------------------------------


def group(share: int | None, more: str = "") -> str:
    said = "" if share is None else f"global_control: {{share: {share}, except_tags: [transactional]}}"
    return f"---\nkind: workspace\nformat: 1\nname: default\n{said}\n{more}"


async def members(stage: Stage) -> frozenset[int]:
    stage.published.forget(stage.workspace)
    publication = await stage.published.of(stage.workspace)
    return publication.held_out(publication.running["story"].plan)


async def test_a_member_of_the_global_control_group_enters_neither_by_event_nor_by_api_nor_into_the_control(
    db: Database,
) -> None:
    """Case 18, AUD-2, GCG-2: nor are they in the control group of the canvas; the count says who would have come in."""
    vip = canvas(WAIT, schedule="{event: ping}", more="audience: {attribute: vip, equals: true}")
    arms = (
        "variants:\n  - {name: none, weight: 50, control: true}\n  - name: main\n    weight: 50\n    steps:\n"
    )
    text = (
        canvas(WAIT, name="by_api")
        + "---\n"
        + vip.replace("steps:\n", arms).replace("\n  - {type", "\n      - {type")
    )
    stage = await stage_on(db, text + EMAIL + group(5))
    await db.pool.execute("update canvases set published = $1", MONDAY - DAY)
    held = await members(stage)
    inside, outside = min(held), min(set(range(10_000)) - held)
    people = [await stage.person(attributes={"vip": vip}) for vip in (True, False, True)]
    for one, bucket in zip(people, (inside, inside, outside), strict=True):
        await db.pool.execute("update people set bucket = $2 where id = $1", one.id, bucket)
        await stage.happens(one, "ping")
        one.bucket = bucket
    assert await stage.enter(people[0], name="by_api") == []
    assert len(await stage.enter(people[2], name="by_api")) == 1

    found = await db.pool.fetch("select person, canvas, gate, seen from refusals order by canvas, gate")
    assert [tuple(row) for row in found] == [
        (people[0].id, "by_api", "global_control", {"bucket": inside}),
        (people[1].id, "story", "audience", {"filter": "vip = true", "saw": False}),
        (people[0].id, "story", "global_control", {"bucket": inside}),
    ]
    assert await db.pool.fetchval("select count(*) from entries where person <> $1", people[2].id) == 0


async def test_a_canvas_with_an_excepted_tag_lets_the_group_in(db: Database) -> None:
    """Case 19, GCG-3"""
    stage = await by_event(db, "tags: [transactional]")
    await publish(db, "default", definitions_of(group(5)))
    stage.published.forget(stage.workspace)
    mel = await stage.person()
    bucket = min(held_out((await stage.published.of(stage.workspace)).settings.global_control, 1, ()))  # type: ignore[union-attr]
    await db.pool.execute("update people set bucket = $1", bucket)
    await stage.happens(mel, "ping")

    assert await db.pool.fetchval("select count(*) from entries") == 1


async def test_the_share_changes_only_by_a_new_group_which_has_other_members(db: Database) -> None:
    """GCG-4: what is published beside it leaves the group as it is."""
    stage = await by_event(db, "")
    for text in (group(5), group(5, "zone: Europe/Paris")):
        await publish(db, "default", definitions_of(text), channels={})
    first = await members(stage)
    with pytest.raises(Refused, match=r"J408.*has 5 per cent of the people, not 6"):
        await publish(db, "default", definitions_of(group(6)), channels={})
    assert await members(stage) == first

    await publish(db, "default", definitions_of(group(None)), channels={})
    assert await members(stage) == frozenset()
    await publish(db, "default", definitions_of(group(6)), channels={})
    second = await members(stage)
    assert (len(first), len(second)) == (500, 600)
    assert len(first & second) < 100
