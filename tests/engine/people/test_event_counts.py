"""What people did is counted as it arrives (PRF-2): how often, when first and last, and what they spent."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from journeys.canvas.filters import Filter
from journeys.engine.audience.match import matches, needs
from journeys.engine.audience.tallies import Tally
from journeys.engine.entries.audience_reading import matching
from journeys.engine.intake.track import track
from journeys.engine.people.audience_sql import to_sql
from journeys.engine.people.event_counts import counts_of, spent_by
from journeys.engine.people.profiles import Profile, history, load
from journeys.engine.ports import NullNotifier
from journeys.engine.store import Database
from tests.stage import MONDAY, Stage, canvas, stage_on
from tests.strategies import examples

NONE = NullNotifier()
DAY = timedelta(days=1)
DEFINITIONS = canvas("  - {type: delay, id: w, duration: 1 day}", schedule="{event: liked}",
                     more="audience: {event: liked, times: {at_least: 2}}\nreentry: {after: PT0S}")  # fmt: skip
ADAPTER: TypeAdapter[Any] = TypeAdapter(Filter)


async def tracks(stage: Stage, **arrays: Any) -> None:
    parts = (stage.db, stage.published, stage.clock, NONE, NONE, stage.workspace)
    assert (await track(*parts, arrays)).errors == []


def liked(days: float, name: str = "liked") -> dict[str, Any]:
    return {"external_id": "mel", "name": name, "time": (MONDAY - days * DAY).isoformat()}


def bought(
    days: float, product: str, price: float, quantity: int = 1, currency: str = "EUR"
) -> dict[str, Any]:
    said = {"product_id": product, "price": price, "quantity": quantity, "currency": currency}
    return {"external_id": "mel", "time": (MONDAY - days * DAY).isoformat(), **said}


async def mel(stage: Stage) -> Profile:
    return await stage.person(external_id="mel")


async def test_a10_each_event_and_product_has_its_count_its_first_and_its_last_instant(db: Database) -> None:
    """EVT-3, PUR-2, PUR-3, PRF-2: in whatever order they come; what is told late counts in the totals, and not in the last days."""
    stage = await stage_on(db, DEFINITIONS)
    person = await mel(stage)

    await tracks(stage, events=[liked(2), liked(5), liked(1, "seen")], purchases=[bought(1, "shoe", 9.5, 2)])
    await tracks(
        stage, events=[liked(3)], purchases=[bought(365, "shoe", 0.1), bought(4, "sock", 3, 2, "USD")]
    )

    assert await counts_of(db.pool, stage.workspace, [person.id]) == {
        person.id: [
            {"kind": kind, "name": name, "count": count, "first": MONDAY - first * DAY, "last": MONDAY - last * DAY}
            for kind, name, count, first, last in [
                ("event", "liked", 3, 5, 2), ("event", "seen", 1, 1, 1),
                ("purchase", "shoe", 3, 365, 1), ("purchase", "sock", 2, 4, 4),
            ]
        ]
    }  # fmt: skip
    assert await spent_by(db.pool, stage.workspace, [person.id]) == {
        person.id: {"shoe": {"EUR": Decimal("19.1")}, "sock": {"USD": Decimal(6)}}
    }
    late = ADAPTER.validate_python({"purchase": "shoe", "within_last": "7 days", "times": {"equals": 2}})
    assert await found(stage, late) == {person.id}
    assert await found(stage, ADAPTER.validate_python({"purchase": "shoe", "times": {"equals": 3}})) == {
        person.id
    }


async def found(stage: Stage, what: Any) -> set[Any]:
    """Who matches: SQL and the judgement of each agree."""
    said = to_sql(what, now=stage.clock.now(), first=2)
    query = f"select p.* from people p where p.workspace = $1 and {said.text}"
    ids = {row["id"] for row in await stage.db.pool.fetch(query, stage.workspace, *said.parameters)}
    everybody = [row["id"] for row in await stage.db.pool.fetch("select id from people")]
    pasts = await history(
        stage.db.pool, stage.workspace, {one: (needs([what]), stage.clock.now()) for one in everybody}
    )
    profiles = await load(stage.db.pool, stage.workspace, everybody)
    judged = {
        one for one, profile in profiles.items()
        if matches(what, profile.as_person("UTC", pasts.get(one)), now=stage.clock.now())
    }  # fmt: skip
    assert said.exact
    assert ids == judged
    return ids


async def test_a3_more_than_five_times_reads_a_count_and_no_event(db: Database) -> None:
    """EVT-3: of a thousand events of one name none is read, whoever asks."""
    stage = await stage_on(db, DEFINITIONS)
    person = await mel(stage)
    for _ in range(20):
        await tracks(stage, events=[liked(1, "seen")] * 50)
    what = ADAPTER.validate_python({"event": "seen", "times": {"more_than": 5}})
    await db.pool.execute("truncate events")  # as if they were kept no longer

    assert await found(stage, what) == {person.id}
    [one] = (await counts_of(db.pool, stage.workspace, [person.id]))[person.id]
    assert (one["count"], one["first"], one["last"]) == (1000, MONDAY - DAY, MONDAY - DAY)
    pasts = await history(db.pool, stage.workspace, {person.id: (needs([what]), stage.clock.now())})
    assert (dict(pasts[person.id]), pasts[person.id].tallies) == (
        {},
        {("event", "seen"): Tally(1000, MONDAY - DAY)},
    )


async def test_what_is_later_than_the_question_is_taken_off_the_count(db: Database) -> None:
    """An entry that is late sees what a punctual one would have seen."""
    stage = await stage_on(db, DEFINITIONS)
    person = await mel(stage)
    await tracks(stage, events=[liked(2, "seen"), liked(1, "seen"), liked(0, "seen")])
    what = ADAPTER.validate_python({"event": "seen", "times": {"equals": 2}})

    pasts = await history(db.pool, stage.workspace, {person.id: (needs([what]), MONDAY - DAY)})

    assert pasts[person.id].tallies == {("event", "seen"): Tally(2)}
    stage.clock.turn(-DAY)  # type: ignore[attr-defined]
    assert await found(stage, what) == {person.id}


async def test_the_event_that_brings_a_person_is_not_among_those_that_are_counted(db: Database) -> None:
    """ENT-16: the audience asks for two, and the third brings them in."""
    stage = await stage_on(db, DEFINITIONS)
    await mel(stage)

    inside = []
    for days in (3, 2, 1):
        await tracks(stage, events=[liked(days)])
        inside.append(await db.pool.fetchval("select count(*) from entries"))

    assert inside == [0, 0, 1]


@given(st.lists(st.tuples(st.sampled_from(["event", "purchase"]), st.sampled_from("ab"), st.integers(-3, 3),
                          st.integers(1, 4)), max_size=12), st.data())  # fmt: skip
@settings(
    max_examples=examples(15), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
async def test_counts_are_those_of_the_events_whatever_happened_and_in_whatever_order(
    db: Database, done: list[Any], data: Any
) -> None:
    """EVT-3, PUR-2: a filter that only counts is judged as one that reads all events."""
    stage = await stage_on(db, DEFINITIONS)
    person = await stage.person()
    for kind, name, days, quantity in done:
        await db.pool.execute(
            "insert into events (workspace, person, shard, kind, name, at, properties) values ($1, $2, 0, $3, $4, $5, $6)",
            stage.workspace, person.id, kind, name, MONDAY + days * DAY, {"quantity": quantity},
        )  # fmt: skip
    kind = data.draw(st.sampled_from(["event", "purchase"]))
    subject = {kind: data.draw(st.sampled_from(["a", "b", *([True] if kind == "purchase" else [])]))}
    how = {data.draw(st.sampled_from(["equals", "at_least", "less_than"])): data.draw(st.integers(0, 6))}
    plain, long = (
        ADAPTER.validate_python({**subject, "times": how, **more})
        for more in ({}, {"within_last": "36500 days"})
    )
    publication = await stage.published.of(stage.workspace)

    asked = [
        await matching(db.pool, publication, what, [person], stage.clock.now()) for what in (plain, long)
    ]

    assert asked[0] == asked[1]
    assert {each.id for each in asked[0]} == await found(stage, plain) & {person.id}


@pytest.mark.parametrize("quantity", ["3", 1e30, -2, 2.9, None])
async def test_a_quantity_that_no_call_could_have_sent_is_no_error(db: Database, quantity: Any) -> None:
    stage = await stage_on(db, DEFINITIONS)
    person = await mel(stage)

    await stage.happens(person, "shoe", {"quantity": quantity}, kind="purchase")

    [one] = (await counts_of(db.pool, stage.workspace, [person.id]))[person.id]
    assert one["count"] == {1e30: 100, 2.9: 2}.get(quantity, 1)
