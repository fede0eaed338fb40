"""What a step missed is heard as if it had been heard at once: by the attributes of then, and by one entry of several."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from journeys.engine.entries.burst_calls import Call
from journeys.engine.people.profiles import Profile
from journeys.engine.store import Database
from tests.stage import Stage, canvas, stage_on

HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)


def watching(where: str, kind: str = "event: ordered") -> str:
    """An hour's delay, and a step that watches for an order."""
    return canvas(
        f"""
  - {{type: delay, id: before, duration: 1 hour}}
  - type: action_paths
    id: watch
    within: 2 days
    paths:
      - {{name: bought, triggers: [{{{kind}, where: [{where}]}}], steps: [{{type: delay, id: mark, duration: 1 minute}}]}}
    otherwise: [{{type: delay, id: none, duration: 1 day}}]
  - {{type: action_paths, id: later, within: 2 days, paths: [{{name: pinged, triggers: [{{event: ping}}]}}]}}
""",
        more="reentry: {after: 0 days}",
    )


def turn(stage: Stage, span: timedelta) -> None:
    stage.clock.turn(span)  # type: ignore[attr-defined]


async def late(stage: Stage, *entries: UUID) -> None:
    """These come to their delay; their alarm is then two seconds late."""
    for entry in entries:
        await stage.burst(entry)
    turn(stage, HOUR + 2 * SECOND)


SAME = "{property: shoe, equals: {attribute: favourite}}"


@pytest.mark.parametrize(("where", "then", "properties"), [
    (SAME, {"attributes": {"favourite": "red"}}, {"shoe": "red"}),
    ("{property: shoe, equals: {attribute: a.b}}", {"attributes": {"a": {"b": "red"}}}, {"shoe": "red"}),
    ("{property: shoe, one_of: [blue, {attribute: favourite}]}", {"attributes": {"favourite": "red"}}, {"shoe": "red"}),
    ("{property: size, between: [{attribute: low}, {attribute: high}]}", {"attributes": {"low": 36, "high": 38}}, {"size": 37}),
    ("{property: to, equals: {attribute: first_name}}", {"first_name": "Mel"}, {"to": "Mel"}),
])  # fmt: skip
@pytest.mark.parametrize("kind", ["event", "purchase"])
async def test_what_was_missed_is_compared_with_the_attributes_of_when_it_happened(
    db: Database, where: str, then: dict[str, Any], properties: dict[str, Any], kind: str
) -> None:
    """ACT-7: custom and standard ones, nested ones, in every operand; what they became since does not count."""
    stage = await stage_on(db, watching(where, f"{kind}: ordered"))
    mel = await stage.person(**then)
    [entry] = await stage.enter(mel)
    await late(stage, entry)

    await stage.happens(mel, "ordered", properties, kind=kind, at=stage.clock.now() - SECOND)
    await db.pool.execute("""update people set first_name = 'Zoe', attributes = '{"favourite": "blue"}'""")
    await stage.burst(entry)

    assert await stage.path(entry) == ["before", "watch", "mark"]


async def test_an_attribute_that_was_not_set_when_it_happened_does_not_match(db: Database) -> None:
    """ACT-7: though it was set when the step looked back."""
    stage = await stage_on(db, watching(SAME))
    mel = await stage.person()
    [entry] = await stage.enter(mel)
    await late(stage, entry)

    await stage.happens(mel, "ordered", {"shoe": "red"}, at=stage.clock.now() - SECOND)
    await db.pool.execute("""update people set attributes = '{"favourite": "red"}'""")
    await stage.burst(entry)

    assert await stage.path(entry) == ["before", "watch"]


async def test_events_keep_the_attributes_that_some_step_compares_them_with_and_no_others(
    db: Database,
) -> None:
    """ACT-7: also those that only an earlier plan compares with, by which people may be on their way."""
    stage = await stage_on(db, watching(SAME))
    stage = await stage_on(db, watching("{property: shoe, not_equals: {attribute: disliked}}"))
    mel = await stage.person(attributes={"favourite": "red", "visits": 3})
    await stage.happens(mel, "ordered")
    await stage.happens(mel, "ping")

    kept = await db.pool.fetch("select compared from events order by no")
    assert [row["compared"] for row in kept] == [{"favourite": "red", "disliked": None}, None]


async def test_an_event_that_kept_none_is_compared_with_those_of_now(db: Database) -> None:
    """It was stored by a release that kept none, or before the canvas was published."""
    stage = await stage_on(db, watching(SAME))
    mel = await stage.person()
    [entry] = await stage.enter(mel)
    await late(stage, entry)
    await stage.happens(mel, "ordered", {"shoe": "red"}, at=stage.clock.now() - SECOND)
    await db.pool.execute("update events set compared = null")
    await db.pool.execute("""update people set attributes = '{"favourite": "red"}'""")
    await stage.burst(entry)

    assert await stage.path(entry) == ["before", "watch", "mark"]


# One of several -----------------------------------------------------------------------------------------------


async def three(db: Database) -> tuple[Stage, Profile, list[UUID]]:
    """A person who is in the canvas three times; the order of the second shoe fits the first two."""
    stage = await stage_on(db, watching("{property: shoe, equals: {context: shoe}}"))
    mel = await stage.person()
    found = []
    for shoe in ("red", "red", "blue"):
        found += await stage.enter(mel, shoe=shoe)
        turn(stage, 5 * SECOND)
    return stage, mel, found


async def ends(db: Database, stage: Stage, entries: list[UUID]) -> list[tuple[str, str | None]]:
    return [((row := await stage.row(entry))["step"], row["ended"]) for entry in entries]


@pytest.mark.parametrize("how", ["together", "apart", "one_at_once", "one_gone_on"])
async def test_of_several_entries_that_missed_one_thing_the_earliest_that_it_fits_goes_on(
    db: Database, how: str
) -> None:
    """ACT-9, ACT-10: in one transaction or in several, where one heard it at once, and where that one has heard more since."""
    stage, mel, entries = await three(db)
    await late(stage, *entries)
    if how.startswith("one"):
        await stage.burst(entries[0])
    await stage.happens(mel, "ordered", {"shoe": "red"}, at=stage.clock.now())
    if how == "together":
        await stage.bursts.run({entry: Call(1, stage.clock.now()) for entry in entries})
    if how == "one_gone_on":
        await stage.burst(entries[0])
        turn(stage, 62 * SECOND)
        await stage.burst(entries[0])
        await stage.happens(mel, "ping", at=stage.clock.now())
    for entry in entries:
        await stage.burst(entry, 9)

    gone_on = ("later", "completed") if how == "one_gone_on" else ("mark", None)
    assert await ends(db, stage, entries) == [gone_on, ("watch", "deduplicated"), ("watch", None)]


async def test_what_nobody_else_heard_moves_each_entry(db: Database) -> None:
    """ACT-9: another order is another thing; and a burst that is repeated changes nothing."""
    stage, mel, entries = await three(db)
    await late(stage, *entries)
    await stage.happens(mel, "ordered", {"shoe": "red"}, at=stage.clock.now())
    await stage.happens(mel, "ordered", {"shoe": "blue"}, at=stage.clock.now())
    for entry in [*entries, *entries]:
        await stage.burst(entry, 9)

    assert await ends(db, stage, entries) == [("mark", None), ("watch", "deduplicated"), ("mark", None)]
    assert await db.pool.fetchval("select count(*) from hearings") == 2


async def test_a_step_whose_entry_heard_more_than_one_thing_has_claimed_the_first(db: Database) -> None:
    """ACT-9: an entry goes by the first thing that fits, so that the second is another's."""
    stage, mel, [first, second, _] = await three(db)
    await late(stage, first)
    await stage.burst(first)
    for _ in range(2):
        await stage.happens(mel, "ordered", {"shoe": "red"}, at=stage.clock.now())
    await stage.burst(first, 9)

    claimed = await db.pool.fetch("select entry, no from hearings")
    assert [tuple(row) for row in claimed] == [(first, await db.pool.fetchval("select min(no) from events"))]
    assert (await stage.row(second))["ended"] is None


async def test_where_nobody_comes_twice_nothing_is_kept_of_who_heard(db: Database) -> None:
    stage = await stage_on(db, watching(SAME).replace("reentry: {after: 0 days}", ""))
    mel = await stage.person(attributes={"favourite": "red"})
    [entry] = await stage.enter(mel)
    await late(stage, entry)
    await stage.happens(mel, "ordered", {"shoe": "red"}, at=stage.clock.now())
    await stage.burst(entry)

    assert await stage.path(entry) == ["before", "watch", "mark"]
    assert await db.pool.fetchval("select count(*) from hearings") == 0
