"""The gates in front of a canvas, on a real database: one at a time, so many and no more, those kept out on purpose."""

from __future__ import annotations

import os
import signal
from asyncio.subprocess import PIPE
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from journeys.canvas.entry_rules import EntryLimit
from journeys.canvas.problems import Refused
from journeys.channels.mailbox import Mailbox
from journeys.engine.core.gates import period_of, places
from journeys.engine.core.global_control import held_out
from journeys.engine.delivery.engagement import engaged
from journeys.engine.delivery.tracking_links import Mark
from journeys.engine.entries import admission
from journeys.engine.entries.burst_calls import Call
from journeys.engine.entries.entry_counters import forget, reserve, taken
from journeys.engine.entries.reading import StoreReading
from journeys.engine.ports import NullNotifier
from journeys.engine.store import Database
from journeys.engine.workspaces.canvas_changes import change
from journeys.engine.workspaces.publishing import publish
from tests import forked
from tests.engine.delivery.test_delivery import post
from tests.stage import EMAIL, MONDAY, Stage, canvas, definitions_of, stage_on
from tests.strategies import examples

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


# Entry limits ------------------------------------------------------------------------------------------------------


async def entered(stage: Stage, name: str = "story") -> int:
    return int(await stage.db.pool.fetchval("select count(*) from entries where canvas = $1", name))


async def new_limit(stage: Stage, more: str) -> None:
    text = canvas(WAIT, schedule="{event: ping}", more=more) + EMAIL
    await publish(stage.db, "default", definitions_of(text), at=stage.clock.now())
    stage.published.forget(stage.workspace)


async def pings(stage: Stage, count: int) -> None:
    for _ in range(count):
        await stage.happens(await stage.person(), "ping")


async def test_who_comes_when_the_places_are_gone_does_not_enter_and_is_told_why(db: Database) -> None:
    """Case 17, CTL-7: those whom another gate refuses take no place; who comes in one request is let in in order."""
    stage = await by_event(
        db, "audience: {attribute: no, exists: false}\nentry_limit: {entries: 2, per: day}"
    )
    await stage.happens(await stage.person(attributes={"no": 1}), "ping")
    people = [await stage.person() for _ in range(3)]
    assert len(await stage.enter(*people)) == 2
    await pings(stage, 1)

    assert await entered(stage) == 2
    said = {"limit": 2, "per": "day", "until": "2026-12-08T00:00:00Z"}
    assert [row[::2] for row in await refused(stage) if row[0] != "audience"] == [("entry_limit", said)] * 2
    assert [row["person"] for row in await db.pool.fetch("select person from entries order by id")] == [
        people[0].id,
        people[1].id,
    ]


async def test_a_canvas_without_a_limit_has_no_counter(db: Database) -> None:
    stage = await by_event(db, "")
    await pings(stage, 1)

    assert await db.pool.fetchval("select count(*) from entry_counters") == 0


@pytest.mark.parametrize(
    ("per", "zone", "spans"),
    [
        ("hour", "Asia/Kathmandu", [(timedelta(minutes=59), 2), (timedelta(minutes=1), 4)]),
        ("day", "UTC", [(14 * HOUR, 2), (HOUR, 4)]),
        ("day", "Asia/Kathmandu", [(9 * HOUR, 2), (timedelta(minutes=15), 4)]),
        ("day", "America/Lima", [(19 * HOUR, 2), (HOUR, 4)]),
        ("lifetime", "UTC", [(90 * DAY, 2)]),
    ],
)
async def test_places_come_back_with_the_hour_of_utc_and_the_day_of_the_company(
    db: Database, per: str, zone: str, spans: list[tuple[timedelta, int]]
) -> None:
    """CTL-7, X12: it is nine o'clock UTC on a Monday, and 14:45 in Kathmandu, 04:00 in Lima."""
    more = f"entry_limit: {{entries: 2, per: {per}}}"
    text = canvas(WAIT, schedule="{event: ping}", more=more) + EMAIL
    stage = await stage_on(db, text + f"---\n{{kind: workspace, format: 1, name: default, zone: {zone}}}\n")
    await db.pool.execute("update canvases set published = $1", MONDAY - DAY)
    await pings(stage, 3)
    for span, count in spans:
        turn(stage, span)
        await pings(stage, 3)
        assert await entered(stage) == count


async def test_a_changed_limit_holds_at_once_and_counts_who_has_entered_in_its_period(db: Database) -> None:
    """CTL-7: raised, lowered, by another period, taken away, and new on a canvas that had none."""
    stage = await by_event(db, "")
    await pings(stage, 3)
    turn(stage, HOUR)
    for more, count in (
        ("entry_limit: {entries: 4, per: day}", 4),  # three of this day had entered without one
        ("entry_limit: {entries: 6, per: day}", 6),
        ("entry_limit: {entries: 5, per: day}", 6),
        ("entry_limit: {entries: 2, per: hour}", 6),  # three have entered in this hour
        ("entry_limit: {entries: 7, per: lifetime}", 7),
        ("", 9),
        ("entry_limit: {entries: 10, per: day}", 10),
    ):
        await new_limit(stage, more)
        await pings(stage, 2)
        assert await entered(stage) == count, more


async def test_a_place_is_not_lost_where_the_admission_fails(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The place is taken in the transaction that admits, so it is given back with what that wrote."""
    stage = await by_event(db, "entry_limit: {entries: 1, per: day}")
    with monkeypatch.context() as fails:
        fails.setattr(admission, "open_windows", lambda *_: 1 / 0)
        await pings(stage, 1)
    assert await db.pool.fetchval("select coalesce(sum(entries), 0) from entry_counters") == 0
    await pings(stage, 2)

    assert await entered(stage) == 1


@settings(
    max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(asked=st.lists(st.tuples(st.integers(1, 12), st.integers(0, 9)), min_size=1, max_size=8))
async def test_the_store_gives_the_places_that_the_gate_says(
    db: Database, asked: list[tuple[int, int]]
) -> None:
    """By limits that change from one transaction to the next."""
    name, count = uuid4().hex, 0
    for entries, wanted in asked:
        limit = EntryLimit(entries=entries, per="day")
        period = period_of(limit, MONDAY, "UTC")
        async with db.transaction() as connection:
            found = await reserve(connection, 1, name, limit, period, wanted)
        assert found == places(limit, count, wanted)
        count += found
        assert await taken(db.pool, 1, name, period) == count


async def test_counters_of_hours_and_days_that_are_long_over_are_deleted(db: Database) -> None:
    for per, days in (("hour", 8), ("day", 9), ("hour", 6), ("lifetime", 90)):
        limit = EntryLimit(entries=5, per=per)  # type: ignore[arg-type]
        await reserve(db.pool, 1, "story", limit, period_of(limit, MONDAY - days * DAY, "UTC"), 1)
    await forget(db.pool, MONDAY)

    rows = await db.pool.fetch("select period from entry_counters order by period")
    assert [row["period"] for row in rows] == ["hour 2026-12-01T09Z", "lifetime"]


# Keys --------------------------------------------------------------------------------------------------------------

BY_ORDER = "key: event.order\n"
ORDERED = """
  - type: action_paths
    id: watch
    within: 2 days
    paths: [{name: paid, triggers: [{event: paid, where: [{property: order, equals: {entry: key}}]}]}]
  - {type: decision_split, id: split, when: {event: rated, where: [{property: order, equals: {entry: key}}]}, steps: [{type: delay, id: yes_, duration: 9 days}], otherwise: [{type: delay, id: no_, duration: 9 days}]}
  - {type: message, id: m, channel: email, template: hello, only_when: {event: rated, where: [{property: order, equals: {entry: key}}]}}
"""


async def open_keys(stage: Stage) -> list[Any]:
    rows = await stage.db.pool.fetch("select entry_key from entries where ended is null order by entered, id")
    return [row["entry_key"] for row in rows]


async def test_a_person_is_in_the_canvas_once_for_each_key(db: Database) -> None:
    """CTL-5: the rules of re-entry are asked of entries with the same key; the text "7" is not the number 7."""
    stage = await by_event(
        db,
        BY_ORDER
        + "reentry: {after: 1 hour}\nexits: [{event: stop, where: [{property: order, equals: {entry: key}}]}]",
    )
    mel, zoe = await stage.person(), await stage.person()
    for one, order in ((mel, 7), (mel, "7"), (mel, 7), (zoe, 7), (mel, 7.0)):
        await stage.happens(one, "ping", {"order": order})
    assert await open_keys(stage) == [7, "7", 7]
    assert [row[:2] for row in await refused(stage)] == [("reentry_window", 2)]

    turn(stage, 2 * HOUR)
    await stage.happens(mel, "ping", {"order": 7})
    [_, inside] = sorted(await refused(stage), key=lambda row: row[0])
    assert inside[::2] == ("still_inside", {"inside_since": "2026-12-07T09:00:00Z", "key": 7})
    await stage.happens(mel, "stop", {"order": 7})
    assert await open_keys(stage) == ["7", 7]
    await stage.happens(mel, "ping", {"order": 7})
    assert await open_keys(stage) == ["7", 7, 7]


@pytest.mark.parametrize("order", [None, True, "", "x" * 256, ["7"], {"id": 7}])
async def test_who_comes_without_a_key_does_not_enter(db: Database, order: Any) -> None:
    stage = await by_event(db, BY_ORDER)
    mel = await stage.person()
    await stage.happens(mel, "ping", {} if order is None else {"order": order})

    [(gate, _, seen)] = await refused(stage)
    assert (gate, seen["key"], await entered(stage)) == ("no_key", "event.order", 0)
    assert str(seen["saw"])[:200] == str(order)[:200]


async def test_waits_splits_and_messages_hear_what_has_the_entrys_own_key(
    db: Database, mailbox: Mailbox
) -> None:
    stage = await by_event(db, BY_ORDER, ORDERED)
    mel = await stage.person(email="mel@example.com")
    for order in (1, 2):
        await stage.happens(mel, "ping", {"order": order})
    one, two = [row["id"] for row in await db.pool.fetch("select id from entries order by entry_key")]
    for entry in (one, two):
        await stage.burst(entry)
    turn(stage, HOUR)
    await stage.happens(mel, "rated", {"order": 2})
    await stage.happens(mel, "paid", {"order": 2})
    await stage.burst(two, 9)
    assert await stage.path(one) == ["watch"]
    assert await stage.path(two) == ["watch", "split", "yes_"]
    turn(stage, 3 * DAY)
    await stage.burst(one, 9)
    assert await stage.path(one) == ["watch", "split", "no_"]
    turn(stage, 10 * DAY)
    for entry in (one, two):
        await stage.burst(entry, 9)
    await post(stage, mailbox)

    said = await db.pool.fetch("select entry, fact from facts where fact in ('sent', 'invalid')")
    assert {row["entry"]: row["fact"] for row in said} == {one: "invalid", two: "sent"}


async def test_a_conversion_that_compares_with_the_key_is_credited_to_the_entry_that_has_it(
    db: Database,
) -> None:
    """X7, X8: to the latest of those with that key, once; one that does not compare, to the latest of all."""
    goals = "conversions: [{name: paid, event: paid, within: 7 days, where: [{property: order, equals: {entry: key}}]}, {name: read, event: read, within: 7 days}]"
    stage = await by_event(db, BY_ORDER + goals)
    mel = await stage.person()
    for order in (1, 2, 3):
        await stage.happens(mel, "ping", {"order": order})
        turn(stage, HOUR)
    for order in (2, 2, 4, 1):
        await stage.happens(mel, "paid", {"order": order})
    await stage.happens(mel, "read")

    rows = await db.pool.fetch(
        "select c.name, e.entry_key from conversions c join entries e on e.id = c.entry where c.at is not null order by 1, 2"
    )
    assert [tuple(row) for row in rows] == [("paid", 1), ("paid", 2), ("read", 3)]


# Several entries that wait for one message (CTL-9) -------------------------------------------------------------------

AGAIN = "reentry: {after: 0 days}"
TO_MAIL = """
  - {type: delay, id: wait, duration: 1 day}
  - {type: context, id: c, set: [{name: a, type: text, value: b}]}
  - {type: message, id: m, channel: email, template: hello}
"""
AT_NIGHT = """
  - {type: message, id: m, channel: email, template: hello, at: "22:00"}
"""
TO_SPLIT = """
  - {type: delay, id: wait, duration: 1 day}
  - {type: decision_split, id: s, when: {bucket: [0, 9]}}
  - {type: message, id: m, channel: email, template: hello}
"""


@pytest.mark.parametrize(
    ("steps", "more", "schedule", "dropped"),
    [
        (TO_MAIL, AGAIN, "{api: true}", True),
        (AT_NIGHT, AGAIN, "{api: true}", True),
        (TO_SPLIT, AGAIN, "{api: true}", False),
        (TO_MAIL, AGAIN + "\nkey: context.order", "{api: true}", False),
        (TO_MAIL, AGAIN, "{event: ping}", False),
    ],
)
async def test_of_entries_by_api_that_wait_for_one_message_the_later_one_is_dropped(
    db: Database, steps: str, more: str, schedule: str, dropped: bool
) -> None:
    """Case 27, CTL-9: not where their keys tell them apart, nor of entries by event, nor where the way goes on elsewhere."""
    stage = await stage_on(db, canvas(steps, schedule=schedule, more=more) + EMAIL)
    await db.pool.execute("update canvases set published = $1", MONDAY - DAY)
    mel, zoe = await stage.person(), await stage.person()
    found = []
    for one, order in ((mel, 1), (zoe, 1), (mel, 2), (mel, 3)):
        if schedule == "{api: true}":
            [entry] = await stage.enter(one, order=order)
        else:
            await stage.happens(one, "ping", {"order": order})
            entry = await db.pool.fetchval("select id from entries order by id desc limit 1")
        await stage.burst(entry)
        found.append(entry)
        turn(stage, HOUR)

    wanted = [None, None, *["already_waiting" if dropped else None] * 2]
    assert [(await stage.row(entry))["ended"] for entry in found] == wanted


async def test_one_message_is_sent_and_the_next_entry_gets_its_own_again(db: Database) -> None:
    """Case 27, CTL-9: once the earlier one has its message, a later one waits for another; one that leaves keeps nobody out."""
    stage = await stage_on(
        db, canvas(TO_MAIL, more=AGAIN + "\nexits: [{event: bye, release: end_of_step}]") + EMAIL
    )
    mel = await stage.person()
    first, second = [(await stage.enter(mel))[0] for _ in range(2) if turn(stage, HOUR) is None]
    turn(stage, DAY)
    await stage.burst(first, 9)
    assert [row["entry"] for row in await stage.dispatches()] == [first]
    assert (await stage.row(second))["ended"] == "already_waiting"
    [third] = await stage.enter(mel)
    await stage.happens(mel, "bye")
    turn(stage, HOUR)
    [fourth] = await stage.enter(mel)

    assert (await stage.row(third))["leaving"] == "exit_event"
    assert (await stage.row(fourth))["ended"] is None


async def test_entries_that_one_burst_moves_see_each_other_as_they_stand_in_it(db: Database) -> None:
    """CTL-9: both come to the wait in one transaction; one of them stays."""
    steps = (
        "  - {type: delay, id: before, duration: 2 hours}\n  - {type: decision_split, id: s, when: {bucket: [0, 9]}}"
        + TO_MAIL
    )
    stage = await stage_on(db, canvas(steps, more=AGAIN) + EMAIL)
    mel = await stage.person()
    found = [(await stage.enter(mel))[0] for _ in range(3) if turn(stage, 2 * timedelta(minutes=1)) is None]
    turn(stage, DAY)
    await stage.bursts.run({entry: Call(9, stage.clock.now()) for entry in found})

    assert [(await stage.row(entry))["ended"] for entry in found] == [
        None,
        "already_waiting",
        "already_waiting",
    ]


async def test_nothing_is_read_for_an_entry_of_somebody_who_is_alone_in_the_canvas(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CTL-9: in the transaction that admits, and in a burst."""
    monkeypatch.setattr(StoreReading, "waiting", None)
    for steps in (TO_MAIL, AT_NIGHT):
        stage = await stage_on(db, canvas(steps, more=AGAIN) + EMAIL)
        [entry] = await stage.enter(await stage.person())
        await stage.burst(entry)
        assert (await stage.row(entry))["wake_at"] is not None


# What filters see of an earlier entry (CTL-10) ------------------------------------------------------------------------

ASKED = """
  - {type: message, id: hello, channel: email, template: hello}
  - {type: delay, id: wait, duration: 1 day}
  - {type: message, id: thanks, channel: email, template: hello, only_when: {message: opened, step: hello}}
  - type: audience_paths
    id: which
    paths:
      - {name: mine, when: {message: opened, step: hello}, steps: [{type: delay, id: to_mine, duration: 9 days}]}
      - {name: ever, when: {message: opened, step: hello, canvas: story}, steps: [{type: delay, id: to_ever, duration: 9 days}]}
    otherwise: [{type: delay, id: to_none, duration: 9 days}]
  - {type: message, id: last, channel: email, template: hello}
"""


async def test_a_filter_on_a_step_sees_what_this_entry_was_sent_and_with_a_canvas_what_any_was(
    db: Database, mailbox: Mailbox
) -> None:
    """CTL-10: so who opened the mail of an earlier entry is not taken for somebody who opened this one's."""
    stage = await by_event(db, "reentry: {after: 0 days}", ASKED)
    mel = await stage.person(email="mel@example.com")
    for opens in (True, False):
        await stage.happens(mel, "ping")
        entry = await db.pool.fetchval("select id from entries order by id desc limit 1")
        await stage.burst(entry)
        await post(stage, mailbox)
        if opens:
            mark = Mark(stage.workspace, mel.id, entry, "story", "hello", "email")
            await engaged(db, stage.published, stage.clock, NullNotifier(), NullNotifier(), mark, "opened")
        turn(stage, DAY)
        await stage.burst(entry, 9)
        await post(stage, mailbox)

    rows = await db.pool.fetch("select step from entries order by entered")
    assert [row["step"] for row in rows] == ["to_mine", "to_ever"]
    rows = await db.pool.fetch(
        "select fact from facts where step = 'thanks' and fact in ('sent', 'invalid') order by no"
    )
    assert [row["fact"] for row in rows] == ["sent", "invalid"]


# Four writers ----------------------------------------------------------------------------------------------------------

TRIGGERS = int(os.environ.get("JOURNEYS_TRIGGERS", "2000"))
"""How many people come, of whom a thousand enter; `make kills` has ten times as many."""

WRITER = """
import asyncio, random, sys
from journeys.engine.intake.track import track
from journeys.engine.ports import NullNotifier
from journeys.engine.ports import NullNotifier
from journeys.engine.store import Database
from journeys.engine.workspaces.published import Published
from tests.stage import MONDAY, FakeClock

async def main(url, workspace, number, count):
    clock, silent, lots = FakeClock(MONDAY), NullNotifier(), random.Random(number)
    async with Database.at(url, size=4) as db:
        published = Published(db)
        async def write(lane):
            mine = list(range(lane, count, 3))
            lots.shuffle(mine)
            for place in range(0, len(mine), 10):
                events = [
                    {"external_id": f"p{number}-{one}", "name": "ping", "time": MONDAY.isoformat()} for one in mine[place : place + 10]
                ]
                told = await track(db, published, clock, silent, silent, workspace, {"events": events})
                assert told.errors == [], told.errors
                print(len(events), flush=True)
        await asyncio.gather(*(write(lane) for lane in range(3)))

asyncio.run(main(sys.argv[1], *map(int, sys.argv[2:])))
"""


@pytest.mark.slow
async def test_of_all_who_come_at_once_to_four_processes_exactly_as_many_enter_as_there_are_places(
    database_url: str,
) -> None:
    """CTL-7: a fifth process is killed meanwhile. The event enters two canvases with a limit: nobody waits for ever."""
    async with Database.at(database_url, size=4) as db:
        wide = canvas(WAIT, schedule="{event: ping}", more="entry_limit: {entries: 1000, per: day}")
        narrow = wide.replace("name: story", "name: other").replace(
            "entries: 1000, per: day", "entries: 300, per: hour"
        )
        stage = await stage_on(db, f"{wide}---\n{narrow}" + EMAIL)
        await db.pool.execute("update canvases set published = $1", MONDAY - DAY)

        async def writer(number: int, count: int) -> forked.Forked:
            given = (database_url, str(stage.workspace), str(number), str(count))
            return await forked.python("-c", WRITER, *given, stdout=PIPE, stderr=PIPE)

        killed = await writer(9, TRIGGERS)
        assert killed.stdout is not None
        await killed.stdout.readline()
        writers = [await writer(number, TRIGGERS // 4) for number in range(4)]
        await killed.stdout.readline()
        killed.send_signal(signal.SIGKILL)
        told = [await each.communicate() for each in writers]
        await killed.wait()

        assert [
            (each.returncode, err.decode()[-500:]) for each, (_, err) in zip(writers, told, strict=True)
        ] == [(0, "")] * 4
        counters = dict(await db.pool.fetch("select canvas, sum(entries) from entry_counters group by 1"))
        assert counters == {"story": 1000, "other": 300}
        assert {name: await entered(stage, name) for name in counters} == counters
        came = await db.pool.fetchval("select count(*) from events where kind = 'event'")
        turned = dict(
            await db.pool.fetch(
                "select canvas, sum(times) from refusals where gate = 'entry_limit' group by 1"
            )
        )
        assert turned == {name: came - count for name, count in counters.items()}
        await db.pool.execute("select pg_stat_force_next_flush()")
        deadlocks = "select deadlocks from pg_stat_database where datname = current_database()"
        assert await db.pool.fetchval(deadlocks) == 0
