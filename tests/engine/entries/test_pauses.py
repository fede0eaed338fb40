"""A canvas is paused and resumed: who enters, who is heard, when timers ring, what leaves and what is skipped."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from journeys.channels.mailbox import Mailbox
from journeys.engine.core.life import Timers
from journeys.engine.delivery.claim import claim
from journeys.engine.entries.burst import FAR
from journeys.engine.entries.burst_calls import Call
from journeys.engine.entries.fetching import CLAIM as CLAIM_FETCHES
from journeys.engine.entries.following_changes import FollowingChanges
from journeys.engine.metrics import ENTRIES_OVERDUE
from journeys.engine.ports import PendingAlarm
from journeys.engine.store import Database
from journeys.engine.store.backlog import measure
from journeys.engine.workspaces.canvas_changes import NotPossible, change
from journeys.engine.workspaces.publishing import publish
from journeys.workflows.housekeeping import DUE
from tests.engine.delivery.test_delivery import post
from tests.engine.entries.test_canvas_changes import HOUR, MAIL, MINUTE, WATCH, Told, burst, say, turn
from tests.receiver import Receiver
from tests.stage import EMAIL, MONDAY, FakeClock, Stage, canvas, definitions_of, see_to_runs, stage_on

DAY = timedelta(days=1)
WAITS = (
    canvas("  - {type: delay, id: wait, duration: 1 hour}\n" + MAIL, more="reentry: {after: 1 minute}")
    + EMAIL
)


async def resume(stage: Stage, timers: Timers | None = None, name: str = "story") -> list[PendingAlarm]:
    """What the command does; returns what Temporal would be told."""
    told = Told()
    await change(stage.db, stage.workspace, name, "resume", at=stage.clock.now(), timers=timers)
    following = FollowingChanges(stage.db, stage.bursts, stage.clock, told)
    await following.follow(stage.workspace, name)
    return told.pending


async def bursts(stage: Stage, pending: list[PendingAlarm]) -> None:
    for one in pending:
        await burst(stage, one.entry)


async def ring(stage: Stage) -> int:
    """The bursts of those whose alarm has rung; returns how many."""
    rows = await stage.db.pool.fetch(
        "select id, turn from entries where ended is null and alarm_at <= $1 order by id", stage.clock.now()
    )
    for start in range(0, len(rows), 100):
        some = rows[start : start + 100]
        await stage.bursts.run({row["id"]: Call(row["turn"], stage.clock.now()) for row in some})
    return len(rows)


# Timers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [timedelta(minutes=100), timedelta(days=3)])
async def test_after_a_pause_every_span_of_a_thousand_entries_is_due_as_much_later_and_only_those_that_rang_are_woken(
    db: Database, length: timedelta
) -> None:
    """STA-3: a pause rewrites nobody's row, and a deadline that has not come is moved when its alarm rings."""
    text = canvas(f"  - {{type: delay, id: wait, duration: 4 hours}}\n{MAIL}") + EMAIL
    stage = await stage_on(db, text, clock=FakeClock(MONDAY))
    people = [await stage.person() for _ in range(1000)]
    due = {}
    for place in range(0, 1000, 100):
        for entry in await stage.enter(*people[place : place + 100]):
            due[entry] = stage.clock.now() + 4 * HOUR
        turn(stage, 15 * MINUTE)
    before = await db.pool.fetch("select * from entries order by id")
    await say(stage, "pause")
    paused = stage.clock.now()
    turn(stage, length)
    assert await ring(stage) in (100, 1000)
    assert await db.pool.fetch("select * from entries order by id") == before, "nobody's row is written"

    woken = await resume(stage, "shift")
    rang = {entry for entry, at in due.items() if at <= stage.clock.now() + MINUTE}
    assert {one.entry for one in woken} == rang
    await ring(stage)
    rows = {row["id"]: row for row in await db.pool.fetch("select id, wake_at, alarm_at from entries")}
    for entry, at in due.items():
        assert at > paused
        moved = at + length if entry in rang else at
        assert (rows[entry]["wake_at"], rows[entry]["alarm_at"]) == (moved, moved)
    for at in sorted({*due.values(), *(at + length for at in due.values())}):
        if at >= stage.clock.now():
            turn(stage, at - stage.clock.now())
            await ring(stage)
    sent = {row["entry"]: row["at"] for row in await stage.dispatches()}
    assert sent == {entry: at + length for entry, at in due.items()}


async def test_several_pauses_add_up_and_who_began_between_them_waits_for_the_later_ones_alone(
    db: Database,
) -> None:
    """STA-3: and who entered during one begins at its end."""
    stage = await stage_on(db, WAITS)
    [first] = await stage.enter(await stage.person())
    turn(stage, 10 * MINUTE)
    await say(stage, "pause")
    turn(stage, 5 * MINUTE)
    [during] = await stage.enter(await stage.person())
    assert (await burst(stage, during)).alarm_at == stage.clock.now() + FAR
    assert (await stage.row(during))["step"] is None
    turn(stage, 15 * MINUTE)
    await bursts(stage, await resume(stage))
    resumed = stage.clock.now()
    turn(stage, 10 * MINUTE)
    [between] = await stage.enter(await stage.person())
    await say(stage, "pause")
    turn(stage, 2 * HOUR)
    await bursts(stage, await resume(stage, "shift"))

    rows = [await stage.row(entry) for entry in (first, during, between)]
    assert [row["wake_at"] for row in rows] == [
        MONDAY + HOUR + 20 * MINUTE + 2 * HOUR,
        resumed + HOUR + 2 * HOUR,
        MONDAY + 40 * MINUTE + HOUR + 2 * HOUR,
    ]
    assert [row["begun"] for row in rows] == [MONDAY, resumed, MONDAY + 40 * MINUTE], "an arrival stays"
    assert {row["change"] for row in rows} == {5}


async def test_waits_for_the_wall_clock_take_their_next_occurrence_in_the_persons_zone(db: Database) -> None:
    """STA-3: nine in the morning stays nine in the morning, Monday a Monday."""
    steps = "  - {type: delay, id: wait, WHEN}\n" + MAIL
    texts = [
        canvas(steps.replace("WHEN", 'duration: 1 hour, at: "09:00", zone: local'), name="nine"),
        canvas(steps.replace("WHEN", 'weekdays: [tuesday], at: "10:00"'), name="tuesday"),
        canvas(steps.replace("WHEN", "until: 2026-12-08T12:00"), name="until"),
        canvas(steps.replace("WHEN", "calendar_days: 5"), name="later"),
        canvas('  - {type: message, id: m, channel: email, template: hello, at: "18:00"}', name="evening"),
    ]
    stage = await stage_on(db, "---\n".join(texts) + EMAIL)
    names = [text.partition("name: ")[2].partition("\n")[0] for text in texts]
    mel = await stage.person(zone="America/New_York")
    entries = {name: (await stage.enter(mel, name=name))[0] for name in names}
    for entry in entries.values():
        await burst(stage, entry)
    turn(stage, HOUR)
    for name in names:
        await say(stage, "pause", name)
    turn(stage, 2 * DAY)
    for name in names:
        await bursts(stage, await resume(stage, "shift", name))

    wednesday = MONDAY.replace(day=9, hour=0)
    found = {name: (await stage.row(entry))["wake_at"] for name, entry in entries.items()}
    assert found.pop("until") is None, "it went on"
    assert found == {
        "nine": wednesday + 14 * HOUR,
        "tuesday": wednesday + 6 * DAY + 10 * HOUR,
        "later": MONDAY.replace(day=12, hour=0),
        "evening": wednesday + 23 * HOUR,
    }


ON_THE_CLOCK = {
    "nine": ('delay, id: w, duration: 1 hour, at: "09:00", zone: local', (9, 0), range(7)),
    "tuesday": ('delay, id: w, weekdays: [tuesday], at: "10:15", zone: local', (10, 15), [1]),
    "midnight": ("delay, id: w, calendar_days: 2, zone: local", (0, 0), range(7)),
    "evening": ('message, id: w, channel: email, template: hello, at: "18:30"', (18, 30), range(7)),
}
"""Steps that wait for the clock of a person, with their time of day and their days."""

PLACES = ["UTC", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Sao_Paulo", "Pacific/Apia"]


def next_on_clock(after: datetime, zone: str, time: tuple[int, int], days: Iterable[int]) -> datetime:
    """The first quarter of an hour from an instant on at which the clock of a zone shows that time, on one of those days."""
    here, instant = ZoneInfo(zone), after
    while (wall := instant.astimezone(here)).weekday() not in days or (wall.hour, wall.minute) != time:
        instant += timedelta(minutes=15)
    return instant


async def test_waits_for_the_wall_clock_of_a_thousand_entries_that_fell_into_a_pause_are_at_their_next_occurrence(
    db: Database,
) -> None:
    """STA-3: in five zones; those that come after the pause stay where they are."""
    texts = [canvas(f"  - {{type: {step}}}\n{MAIL}", name=name) for name, (step, *_) in ON_THE_CLOCK.items()]
    stage = await stage_on(db, "---\n".join(texts) + EMAIL, clock=FakeClock(MONDAY))
    people = {zone: [await stage.person(zone=zone) for _ in range(50)] for zone in PLACES}
    for name in ON_THE_CLOCK:
        for several in people.values():
            entries = await stage.enter(*several, name=name)
            await stage.bursts.run({entry: Call(1, stage.clock.now()) for entry in entries})
    zones = {person.id: zone for zone, several in people.items() for person in several}
    before = {row["id"]: row for row in await db.pool.fetch("select * from entries")}
    assert len(before) == 1000
    turn(stage, 6 * HOUR)
    await ring(stage)
    for name in ON_THE_CLOCK:
        await say(stage, "pause", name)
    paused = stage.clock.now()
    turn(stage, 32 * HOUR)
    resumed = stage.clock.now()
    for name in ON_THE_CLOCK:
        await resume(stage, "shift", name)
    await ring(stage)

    moved = 0
    for row in await db.pool.fetch("select * from entries"):
        _, time, days = ON_THE_CLOCK[row["canvas"]]
        due = before[row["id"]]["wake_at"]
        if due < paused:
            continue
        fell = due < resumed
        moved += fell
        expected = next_on_clock(resumed, zones[row["person"]], time, days) if fell else due
        assert row["wake_at"] == expected, (row["canvas"], zones[row["person"]])
    assert moved > 400


async def test_an_event_in_the_part_by_which_a_window_was_shifted_is_heard(db: Database) -> None:
    """STA-3, ACT-4: one that came during the pause is kept until the resume says whether it was in time."""
    for timers, path in (("shift", "pause"), ("send", "last"), ("skip", "last")):
        name = f"story-{timers}"
        stage = await stage_on(db, canvas(WATCH, name=name) + EMAIL, clock=FakeClock(MONDAY))
        people = [await stage.person() for _ in range(3)]
        before, during, after = await stage.enter(*people, name=name)
        for entry in (before, during, after):
            await burst(stage, entry)
        turn(stage, HOUR)
        await stage.happens(people[0], "liked")
        await say(stage, "pause", name)
        turn(stage, 3 * HOUR)
        await stage.happens(people[1], "liked")
        woken = await resume(stage, timers, name)  # type: ignore[arg-type]
        assert {one.entry for one in woken} == {before, during, after}
        if timers == "shift":
            await bursts(stage, [one for one in woken if one.entry == after])
            turn(stage, 30 * MINUTE)
            await stage.happens(people[2], "liked")
        for entry in (before, during, after):
            await burst(stage, entry)

        assert (await stage.path(before))[1] == "pause", "it came before the pause, and its burst did not"
        assert (await stage.path(during))[1] == path
        assert (await stage.path(after))[1] == path
        facts = "select at from facts where entry = $1 and fact = 'reached' and step = 'pause'"
        heard = MONDAY + (HOUR if timers == "skip" else 4 * HOUR)
        assert await db.pool.fetchval(facts, before) == heard


async def test_what_is_overdue_goes_on_at_once_where_the_operator_says_so(
    db: Database, mailbox: Mailbox
) -> None:
    """STA-3: what follows counts from then."""
    text = canvas(f"  - {{type: delay, id: wait, duration: 1 hour}}\n{MAIL}\n  - {{type: delay, id: e, duration: 1 hour}}\n{MAIL.replace('id: m', 'id: n')}")  # fmt: skip
    stage = await stage_on(db, text + EMAIL)
    [entry] = await stage.enter(await stage.person(email="mel@example.com"))
    await say(stage, "pause")
    turn(stage, 5 * HOUR)
    await bursts(stage, await resume(stage, "send"))

    assert [row["at"] for row in await stage.dispatches()] == [MONDAY + 5 * HOUR]
    assert (await stage.row(entry))["wake_at"] == MONDAY + 6 * HOUR


async def test_messages_whose_instant_fell_into_the_pause_are_skipped_with_a_fact_and_the_entry_keeps_its_times(
    db: Database, mailbox: Mailbox
) -> None:
    """STA-2, STA-3, VAL-2: also one that would have held its entry."""
    held = MAIL.replace("hello}", "hello, on_fail: exit}")
    text = canvas(f"  - {{type: delay, id: wait, duration: 1 hour}}\n{held}\n  - {{type: delay, id: e, duration: 6 hours}}\n{MAIL.replace('id: m', 'id: n')}")  # fmt: skip
    stage = await stage_on(db, text + EMAIL)
    [entry] = await stage.enter(await stage.person(email="mel@example.com"))
    await say(stage, "pause")
    turn(stage, 5 * HOUR)
    await bursts(stage, await resume(stage, "skip"))

    assert await stage.dispatches() == []
    row = await stage.row(entry)
    assert (row["step"], row["wake_at"]) == ("e", MONDAY + 7 * HOUR)
    facts = await db.pool.fetch("select step, at, data from facts where fact = 'withdrawn'")
    assert [tuple(fact) for fact in facts] == [
        ("m", MONDAY + HOUR, {"channel": "email", "reason": "skipped"})
    ]
    turn(stage, 2 * HOUR)
    await burst(stage, entry)
    assert await post(stage, mailbox) == 1
    assert [fact for fact, _ in await stage.facts(entry)].count("late") == 0


@pytest.mark.parametrize("word", ["pause", "stop"])
async def test_what_comes_before_the_burst_that_goes_through_a_skipped_pause_meets_the_delay_that_follows_it(
    db: Database, word: Literal["pause", "stop"]
) -> None:
    """STA-3, X4: a second pause moves it, and who is due in a stop leaves."""
    text = canvas(f"  - {{type: delay, id: wait, duration: 1 hour}}\n{MAIL}\n  - {{type: delay, id: e, duration: 3 hours}}\n{MAIL.replace('id: m', 'id: n')}")  # fmt: skip
    stage = await stage_on(db, text + EMAIL, clock=FakeClock(MONDAY))
    [entry] = await stage.enter(await stage.person())
    await say(stage, "pause")
    turn(stage, 2 * HOUR)
    woken = await resume(stage, "skip")
    turn(stage, HOUR)
    await say(stage, word)
    await bursts(stage, woken)
    turn(stage, 2 * HOUR)
    await bursts(stage, await resume(stage, "shift" if word == "pause" else None))

    row = await stage.row(entry)
    facts = await db.pool.fetch("select step, at from facts where fact = 'withdrawn'")
    assert [tuple(fact) for fact in facts] == [("m", MONDAY + HOUR)]
    if word == "pause":
        assert (row["step"], row["begun"], row["wake_at"]) == ("e", MONDAY + HOUR, MONDAY + 6 * HOUR)
        assert row["change"] == await db.pool.fetchval("select max(no) from canvas_changes")
    else:
        assert (row["step"], row["ended"], row["ended_at"]) == ("e", "stopped", MONDAY + 5 * HOUR)


async def test_a_stop_in_a_pause_ends_who_is_due_in_it_and_keeps_what_the_pause_moved(db: Database) -> None:
    """STA-3, X4"""
    stage = await stage_on(db, WAITS, clock=FakeClock(MONDAY))
    [soon] = await stage.enter(await stage.person())
    turn(stage, 45 * MINUTE)
    [later] = await stage.enter(await stage.person())
    await say(stage, "pause")
    turn(stage, 30 * MINUTE)
    await say(stage, "stop")
    assert await stage.enter(await stage.person()) == []
    turn(stage, 30 * MINUTE)
    await bursts(stage, await resume(stage, "shift"))
    for entry in (soon, later):
        await burst(stage, entry)

    assert [(await stage.row(entry))["ended"] for entry in (soon, later)] == ["stopped", None]
    assert (await stage.row(later))["wake_at"] == MONDAY + 75 * MINUTE + HOUR


async def test_an_archive_in_a_pause_ends_those_inside_the_parked_too(db: Database) -> None:
    """STA-1"""
    stage = await stage_on(db, WAITS)
    [inside] = await stage.enter(await stage.person())
    await say(stage, "pause")
    [parked] = await stage.enter(await stage.person())
    await say(stage, "archive")

    assert {(await stage.row(one))["ended"] for one in (inside, parked)} == {"archived"}


# Who enters, who is heard ----------------------------------------------------------------------------------------


async def test_who_comes_by_event_or_api_during_a_pause_is_let_in_and_begins_at_the_resume(
    db: Database,
) -> None:
    """STA-2: the first step too where it is a delay, which else begins as they enter; a publication changes nothing."""
    text = WAITS + "---\n" + canvas(MAIL, name="by-event", schedule="{event: ping}")
    stage = await stage_on(db, text)
    await db.pool.execute("update canvases set published = $1", MONDAY)
    mel = await stage.person()
    for name in ("story", "by-event"):
        await say(stage, "pause", name)
    await publish(db, "default", definitions_of(text.replace("1 hour", "2 hours")))
    await publish(db, "default", definitions_of(text.replace("1 hour", "3 hours")))
    stage.published.forget(stage.workspace)
    turn(stage, HOUR)
    [by_api] = await stage.enter(mel)
    await stage.happens(mel, "ping")
    by_event = await db.pool.fetchval("select id from entries where canvas = 'by-event'")
    for entry in (by_api, by_event):
        row = await stage.row(entry)
        assert (row["variant"], row["told"] < row["turn"], row["entered"]) == (None, True, MONDAY + HOUR)
        assert (await burst(stage, entry)).alarm_at == stage.clock.now() + FAR
    assert await stage.dispatches() == []
    turn(stage, HOUR)
    for name in ("story", "by-event"):
        await bursts(stage, await resume(stage, None, name))

    row = await stage.row(by_api)
    assert (row["begun"], row["wake_at"]) == (MONDAY + 2 * HOUR, MONDAY + 5 * HOUR)
    assert [message["at"] for message in await stage.dispatches()] == [MONDAY + 2 * HOUR]


async def test_exits_and_conversions_go_on_during_a_pause_and_their_windows_do_not_move(db: Database) -> None:
    """STA-3, EXT-5, CNV-4"""
    goal = "exits: [{event: left}]\nconversions: [{name: c, event: bought, within: 2 hours}]"
    stage = await stage_on(
        db, canvas("  - {type: delay, id: a, duration: 1 day}\n" + MAIL, more=goal) + EMAIL
    )
    leaves, buys, late = [await stage.person() for _ in range(3)]
    [entry, *_] = await stage.enter(leaves, buys, late)
    await say(stage, "pause")
    turn(stage, HOUR)
    await stage.happens(leaves, "left")
    await stage.happens(buys, "bought")
    turn(stage, 2 * HOUR)
    await stage.happens(late, "bought")

    assert (await stage.row(entry))["ended"] == "exit_event"
    assert await db.pool.fetchval("select count(*) from facts where fact = 'converted'") == 1


async def test_a_broadcast_is_held_while_its_canvas_is_paused_and_goes_on_after_it(db: Database) -> None:
    """STA-2: a run of the canvas; nobody is lost, nobody enters twice."""
    stage = await stage_on(db, canvas(MAIL) + EMAIL)
    await stage.broadcast_begins(25)
    await say(stage, "pause")
    assert await see_to_runs(db, stage.published, stage.clock) == 0
    assert await db.pool.fetchval("select count(*) from entries") == 0
    await resume(stage)

    assert await see_to_runs(db, stage.published, stage.clock) == 25
    assert await db.pool.fetchval("select count(distinct person) from entries") == 25


async def test_the_watchdog_and_the_gauge_leave_the_parked_alone(db: Database) -> None:
    """STA-3: until the resume has been followed."""
    stage = await stage_on(db, WAITS)
    [entry] = await stage.enter(await stage.person())
    await say(stage, "pause")
    turn(stage, 3 * HOUR)
    none = timedelta(0)

    async def overdue() -> tuple[list[UUID], float]:
        await measure(db, stage.clock.now(), none)
        rows = await db.pool.fetch(DUE, stage.clock.now(), none, none, 500)
        return [row["id"] for row in rows], ENTRIES_OVERDUE._value.get()

    assert await overdue() == ([], 0.0)
    woken = await resume(stage)
    assert await overdue() == ([entry], 1.0)
    await bursts(stage, woken)
    assert await overdue() == ([], 0.0), "its deadline was moved, and written"


# Messages --------------------------------------------------------------------------------------------------------


async def test_nothing_is_picked_during_a_pause_and_what_waited_leaves_after_it(
    db: Database, mailbox: Mailbox, receiver: Receiver
) -> None:
    """STA-2: neither messages nor questions to web services; what was queued before leaves, whatever is said of timers."""
    called = f"{{% connected_content {receiver.url}/x %}}"
    asks = f'  - {{type: context, id: c, set: [{{name: w, value: "{called}"}}]}}'
    for number, timers in enumerate(("shift", "send", "skip")):
        names = f"mails-{timers}", f"asks-{timers}"
        text = canvas(MAIL, name=names[0]) + EMAIL + "---\n" + canvas(f"{asks}\n{MAIL}", name=names[1])
        stage = await stage_on(db, text)
        for name in names:
            [entry] = await stage.enter(await stage.person(email="mel@example.com"), name=name)
            await burst(stage, entry)
        turn(stage, MINUTE)
        for name in names:
            await say(stage, "pause", name)
        turn(stage, HOUR)
        assert await claim(db, "email") == []
        wanted = (10, UUID(int=1), DAY, [])
        assert await db.pool.fetch(CLAIM_FETCHES, *wanted) == []
        for name in names:
            await resume(stage, timers, name)  # type: ignore[arg-type]
        assert len(await db.pool.fetch(CLAIM_FETCHES, *wanted)) == 1
        assert await post(stage, mailbox) == 1
        assert len(mailbox.mails) == number + 1


@pytest.mark.parametrize(("timers", "left"), [("shift", 1), ("send", 1), ("skip", 0)])
async def test_a_repetition_that_fell_into_the_pause_leaves_after_it_or_is_skipped_and_lets_its_entry_go(
    db: Database, mailbox: Mailbox, timers: Timers, left: int
) -> None:
    """STA-2, VAL-2"""
    held = MAIL.replace("hello}", "hello, on_fail: exit}")
    stage = await stage_on(db, canvas(f"{held}\n  - {{type: delay, id: e, duration: 1 hour}}\n{MAIL.replace('id: m', 'id: n')}") + EMAIL)  # fmt: skip
    [entry] = await stage.enter(await stage.person(email="mel@example.com"))
    await burst(stage, entry)
    turn(stage, MINUTE)
    await say(stage, "pause")
    await db.pool.execute("update dispatches set not_before = clock_timestamp()")
    turn(stage, HOUR)
    await resume(stage, timers)
    stage.published.forget(stage.workspace)
    assert await post(stage, mailbox) == 1
    await burst(stage, entry)

    assert len(mailbox.mails) == left
    assert (await stage.row(entry))["step"] == "e"
    facts: list[Any] = await db.pool.fetch("select data->>'reason' from facts where fact = 'withdrawn'")
    assert [fact[0] for fact in facts] == ["skipped"] * (1 - left)


# The command -----------------------------------------------------------------------------------------------------


async def test_the_log_says_what_a_resume_did_with_timers_and_only_the_one_after_a_pause_may(
    db: Database,
) -> None:
    """STA-3: without a word it is a shift; who says it of a stop hears that it cannot be."""
    stage = await stage_on(db, WAITS)
    at = stage.clock.now()

    async def resumed(timers: Timers | None = None) -> str | None:
        return (await change(db, stage.workspace, "story", "resume", at=at, timers=timers)).timers

    await say(stage, "stop")
    with pytest.raises(NotPossible, match="was not paused"):
        await resumed("send")
    with pytest.raises(NotPossible, match="stopped already: resume it first"):
        await say(stage, "pause")
    assert await resumed() is None
    assert await resumed("send") is None, "it is active: nothing is done"
    await say(stage, "pause")
    assert await resumed() == "shift"
    await say(stage, "pause")
    await say(stage, "stop")
    assert await resumed("skip") == "skip"
    rows = await db.pool.fetch("select kind, data->>'timers' as timers from canvas_changes order by no")
    assert [row["timers"] for row in rows if row["kind"] == "resume"] == [None, "shift", "skip"]
