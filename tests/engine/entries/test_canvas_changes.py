"""A canvas is stopped, resumed, archived: who enters, who advances, what leaves, and who is told of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from journeys.channels.email import Email, SmtpSettings
from journeys.channels.mailbox import Mailbox
from journeys.channels.webhook import Webhook, WebhookSettings
from journeys.engine.core.life import Word
from journeys.engine.delivery.claim import claim
from journeys.engine.delivery.delivery_worker import DeliveryWorker
from journeys.engine.delivery.settlement import give_back, settle
from journeys.engine.entries.burst import FAR, Bursts
from journeys.engine.entries.fetching import CLAIM as CLAIM_FETCHES
from journeys.engine.entries.following_changes import FollowingChanges
from journeys.engine.people.profiles import load
from journeys.engine.ports import NullNotifier, PendingAlarm
from journeys.engine.store import Database
from journeys.engine.workspaces.canvas_changes import NoCanvas, NotPossible, change
from journeys.engine.workspaces.published import Published
from journeys.engine.workspaces.publishing import publish
from journeys.workflows.housekeeping import DUE
from tests.engine.delivery.test_delivery import post
from tests.receiver import Receiver
from tests.stage import (
    EMAIL,
    MONDAY,
    FakeClock,
    Stage,
    canvas,
    definitions_of,
    see_to_runs,
    stage_on,
    webhook,
)

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
WAITS = (
    canvas(
        """
  - {type: delay, id: wait, duration: 1 hour}
  - {type: message, id: late, channel: email, template: hello}
""",
        more="exits: [{event: left}]\nreentry: {after: 1 minute}",
    )
    + EMAIL
)
MAIL = "  - {type: message, id: m, channel: email, template: hello}"
WATCH = """
  - type: action_paths
    id: watch
    within: 2 hours
    paths: [{name: liked, triggers: [{event: liked}], steps: [{type: delay, id: pause, duration: 10 minutes}]}]
  - {type: message, id: last, channel: email, template: hello}
"""


class Told(NullNotifier):
    """Keeps what Temporal would be told."""

    def __init__(self) -> None:
        self.pending: list[PendingAlarm] = []

    def sync(self, pending_alarms: Sequence[PendingAlarm]) -> None:
        self.pending += pending_alarms


async def say(stage: Stage, word: Word, name: str = "story") -> list[PendingAlarm]:
    """What the command does; returns what Temporal would be told."""
    told = Told()
    await change(stage.db, stage.workspace, name, word, at=stage.clock.now(), who="kim")
    following = FollowingChanges(stage.db, stage.bursts, stage.clock, told)
    await following.follow(stage.workspace, name)
    return told.pending


def turn(stage: Stage, span: timedelta) -> None:
    stage.clock.turn(span)  # type: ignore[attr-defined]


async def burst(stage: Stage, entry: UUID) -> Any:
    return await stage.burst(entry, (await stage.row(entry))["turn"])


async def sleeping(stage: Stage, **columns: Any) -> tuple[Any, UUID]:
    """A person inside, at a delay of an hour, since 14:01."""
    mel = await stage.person(email="mel@example.com", first_name="Mel", **columns)
    [entry] = await stage.enter(mel)
    return mel, entry


@pytest.fixture
async def stage(db: Database) -> Stage:
    return await stage_on(db, WAITS, clock=FakeClock(MONDAY + 5 * HOUR + MINUTE))  # 14:01


# Waits -----------------------------------------------------------------------------------------------------------


async def test_who_was_due_while_it_was_stopped_leaves_at_the_resume(stage: Stage) -> None:
    """STA-3, X4, case 121: entered at 14:01, stopped at 14:30, due at 15:01, resumed at 15:30."""
    _, entry = await sleeping(stage)
    turn(stage, 29 * MINUTE)
    assert await say(stage, "stop") == []
    turn(stage, 31 * MINUTE)
    before = await stage.row(entry)
    reply = await burst(stage, entry)

    assert reply.alarm_at == stage.clock.now() + FAR, "its workflow never ends"
    assert dict(await stage.row(entry)) == dict(before), "nothing is written"
    turn(stage, 29 * MINUTE)
    [woken] = await say(stage, "resume")
    assert (woken.entry, woken.told < woken.turn) == (entry, True)

    assert (await burst(stage, entry)).alarm_at is None
    row = await stage.row(entry)
    assert (row["ended"], row["ended_at"]) == ("stopped", stage.clock.now())
    assert (await stage.facts(entry))[-1] == ("ended", "wait")
    assert await stage.dispatches() == []


async def test_who_was_not_due_goes_on_as_planned(stage: Stage) -> None:
    """STA-3, X4, case 121: resumed at 14:40, the message is at 15:01."""
    _, entry = await sleeping(stage)
    turn(stage, 29 * MINUTE)
    await say(stage, "stop")
    assert (await burst(stage, entry)).alarm_at == MONDAY + 6 * HOUR + MINUTE, "its alarm stands"
    turn(stage, 10 * MINUTE)
    assert await say(stage, "resume") == [], "its alarm has not rung: nobody is woken"
    turn(stage, 21 * MINUTE)
    await burst(stage, entry)

    [message] = await stage.dispatches()
    assert (message["step"], message["at"]) == ("late", MONDAY + 6 * HOUR + MINUTE)
    assert (await stage.row(entry))["change"] == 3


async def test_what_happens_while_it_is_stopped_is_heard_at_the_resume(db: Database) -> None:
    """STA-3: nobody advances, inbox rows are kept; time counts from the resume on."""
    stage = await stage_on(db, canvas(WATCH) + EMAIL)
    mel = await stage.person()
    [entry] = await stage.enter(mel)
    await burst(stage, entry)
    await say(stage, "stop")
    turn(stage, 10 * MINUTE)
    [nudged] = await stage.happens(mel, "liked")
    assert nudged.entry == entry
    reply = await burst(stage, entry)
    assert (await stage.path(entry), reply.alarm_at) == (["watch"], (await stage.row(entry))["alarm_at"])
    turn(stage, 20 * MINUTE)
    [woken] = await say(stage, "resume")
    assert woken.entry == entry
    await burst(stage, entry)

    row = await stage.row(entry)
    assert (row["step"], row["wake_at"]) == ("pause", stage.clock.now() + 10 * MINUTE)


async def test_exits_and_conversions_go_on_while_it_is_stopped(db: Database) -> None:
    """STA-3, EXT-5: they are told of what happens, and not moved."""
    goal = "exits: [{event: left}]\nconversions: [{name: c, event: bought, within: 1 day}]"
    stage = await stage_on(
        db, canvas("  - {type: delay, id: a, duration: 1 hour}\n" + MAIL, more=goal) + EMAIL
    )
    mel = await stage.person()
    [entry] = await stage.enter(mel)
    await say(stage, "stop")
    turn(stage, MINUTE)
    await stage.happens(mel, "bought")
    await stage.happens(mel, "left")

    assert (await stage.row(entry))["ended"] == "exit_event"
    assert "converted" in [fact for fact, _ in await stage.facts(entry)]


async def test_who_entered_and_was_never_driven_begins_at_the_resume(db: Database) -> None:
    stage = await stage_on(db, canvas(MAIL) + EMAIL)
    [entry] = await stage.enter(await stage.person())
    await say(stage, "stop")
    assert (await burst(stage, entry)).alarm_at == MONDAY + FAR
    turn(stage, HOUR)
    assert [one.entry for one in await say(stage, "resume")] == [entry]
    await burst(stage, entry)

    assert [row["at"] for row in await stage.dispatches()] == [MONDAY + HOUR]


async def test_an_event_after_the_resume_and_before_its_burst_moves_nobody_who_missed_the_deadline(
    db: Database,
) -> None:
    """X4: it is deaf, and can still leave by an exit, with its messages."""
    stage = await stage_on(db, canvas(WATCH, more="exits: [{event: left}]") + EMAIL)
    people = [await stage.person() for _ in range(2)]
    entries = await stage.enter(*people)
    for entry in entries:
        await burst(stage, entry)
    await say(stage, "stop")
    turn(stage, 3 * HOUR)
    await change(stage.db, stage.workspace, "story", "resume", at=stage.clock.now())
    await stage.happens(people[0], "liked", at=MONDAY + MINUTE)
    await stage.happens(people[1], "left")
    assert await db.pool.fetchval("select count(*) from inbox") == 0
    for entry in entries:
        await burst(stage, entry)

    assert [(await stage.row(entry))["ended"] for entry in entries] == ["stopped", "exit_event"]


async def test_a_second_stop_is_met_by_who_slept_through_the_first(stage: Stage) -> None:
    _, entry = await sleeping(stage)
    for word in ("stop", "resume", "stop"):
        turn(stage, 10 * MINUTE)
        await say(stage, word)  # type: ignore[arg-type]
    turn(stage, 40 * MINUTE)
    assert (await burst(stage, entry)).alarm_at == stage.clock.now() + FAR
    await say(stage, "resume")
    await burst(stage, entry)

    assert (await stage.row(entry))["ended"] == "stopped"


async def test_the_watchdog_leaves_the_stopped_alone_and_takes_the_overdue_in_order(db: Database) -> None:
    """STA-3: whoever sleeps in a stopped canvas is not overdue."""
    text = WAITS + "---\n" + WAITS.partition("---")[0].replace("name: story", "name: other")
    stage = await stage_on(db, text)
    mel = await stage.person()
    [kept] = await stage.enter(mel)
    [first] = await stage.enter(mel, name="other")
    turn(stage, MINUTE)
    [second] = await stage.enter(await stage.person(), name="other")
    await say(stage, "stop")
    turn(stage, 3 * HOUR)
    none = timedelta(0)

    async def overdue() -> list[UUID]:
        return [row["id"] for row in await db.pool.fetch(DUE, stage.clock.now(), none, none, 500)]

    assert await overdue() == [first, second]
    await change(db, stage.workspace, "story", "resume", at=stage.clock.now())
    assert await overdue() == [first, second], "those who slept are woken by what follows the resume"
    await say(stage, "resume")
    assert set(await overdue()) == {kept, first, second}


# Entries ---------------------------------------------------------------------------------------------------------


async def test_nobody_enters_a_stopped_canvas_whatever_a_process_still_holds_of_it(db: Database) -> None:
    """STA-2: the status is read in the transaction that lets in; the resume is seen as soon."""
    stage = await stage_on(
        db, canvas(MAIL, schedule="{event: ping}", more="reentry: {after: 1 minute}") + EMAIL
    )
    await db.pool.execute("update canvases set published = $1", MONDAY)
    mel = await stage.person()
    held = await stage.published.of(stage.workspace)
    await change(db, stage.workspace, "story", "stop", at=stage.clock.now())
    await stage.happens(mel, "ping")
    assert held.running["story"].status == "active"
    assert await db.pool.fetchval("select count(*) from entries") == 0
    assert await db.pool.fetchval("select gate from refusals") == "not_active"

    stage.published.forget(stage.workspace)
    await stage.published.of(stage.workspace)
    await change(db, stage.workspace, "story", "resume", at=stage.clock.now())
    turn(stage, MINUTE)
    await stage.happens(mel, "ping")
    assert await db.pool.fetchval("select change from entries") == 3


async def test_people_enter_by_the_plan_of_this_moment(db: Database) -> None:
    """STA-2: not by that which this process has held for a second."""
    stage = await stage_on(db, canvas(MAIL) + EMAIL)
    await stage.published.of(stage.workspace)
    await publish(
        db, "default", definitions_of(canvas("  - {type: delay, id: new, duration: 1 day}\n" + MAIL) + EMAIL)
    )
    [entry] = await stage.enter(await stage.person())

    row = await stage.row(entry)
    assert (row["step"], row["change"]) == ("new", 2)


async def test_a_broadcast_ends_where_its_canvas_is_stopped(db: Database) -> None:
    """STA-2: whoever it has not reached does not enter after the resume either."""
    stage = await stage_on(db, canvas(MAIL) + EMAIL)
    await stage.broadcast_begins(5)
    await change(db, stage.workspace, "story", "stop", at=stage.clock.now())
    await see_to_runs(db, stage.published, stage.clock)
    await change(db, stage.workspace, "story", "resume", at=stage.clock.now())

    assert await see_to_runs(db, stage.published, stage.clock) == 0
    assert await db.pool.fetchval("select count(*) from entries") == 0
    assert await db.pool.fetchrow("select state, reason from runs") == ("stopped", "the canvas is stopped")


# Messages --------------------------------------------------------------------------------------------------------


async def queued(db: Database, mails: int = 3) -> Stage:
    """A stage on which so many mails wait to leave."""
    stage = await stage_on(db, canvas(MAIL, more="exits: [{event: left}]") + EMAIL)
    for entry in await stage.enter(*[await stage.person(email="p@example.com") for _ in range(mails)]):
        await burst(stage, entry)
    return stage


async def test_nothing_is_picked_of_a_stopped_canvas_and_what_waited_leaves_after_the_resume(
    db: Database, mailbox: Mailbox
) -> None:
    """STA-2: what was due before the stop is kept, an exit withdraws it as ever; another canvas' leaves meanwhile."""
    stage = await queued(db)
    await publish(db, "default", definitions_of(canvas(MAIL, name="other") + EMAIL))
    stage.published.forget(stage.workspace)
    mel = await stage.person(email="mel@example.com")
    [other] = await stage.enter(mel, name="other")
    await burst(stage, other)
    await say(stage, "stop")

    assert [one.canvas for one in await claim(db, "email")] == ["other"]
    person = await db.pool.fetchval(
        "select person from dispatches where canvas = 'story' order by no limit 1"
    )
    turn(stage, MINUTE)
    await stage.happens(await _profile(stage, person), "left")
    await say(stage, "resume")
    stage.published.forget(stage.workspace)
    assert await post(stage, mailbox) == 2


async def _profile(stage: Stage, person: UUID) -> Any:
    return (await load(stage.db.pool, stage.workspace, [person]))[person]


async def test_a_message_that_fell_due_while_it_was_stopped_is_dropped_and_a_fact_says_why(
    db: Database, mailbox: Mailbox
) -> None:
    """STA-2: a repetition whose time came meanwhile; one that comes later is kept."""
    stage = await queued(db, 2)
    first, second = [row["key"] for row in await stage.dispatches()]
    await say(stage, "stop")
    later = "update dispatches set not_before = clock_timestamp() {} where key = $1"
    await db.pool.execute(later.format(""), first)
    await db.pool.execute(later.format("+ interval '1 hour'"), second)
    await say(stage, "resume")
    assert await post(stage, mailbox) == 1

    facts = await db.pool.fetch("select dispatch, data->>'reason' from facts where fact = 'withdrawn'")
    assert [tuple(row) for row in facts] == [(first, "stopped")]
    assert mailbox.mails == []
    await db.pool.execute(later.format(""), second)
    assert await post(stage, mailbox) == 1
    assert len(mailbox.mails) == 1


async def test_a_message_that_holds_its_entry_and_is_dropped_lets_it_go(
    db: Database, mailbox: Mailbox
) -> None:
    """VAL-2: it could not leave."""
    stage = await stage_on(db, canvas(MAIL.replace("hello}", "hello, on_fail: exit}")) + EMAIL)
    [entry] = await stage.enter(await stage.person(email="p@example.com"))
    await burst(stage, entry)
    await say(stage, "stop")
    await db.pool.execute("update dispatches set not_before = clock_timestamp()")
    await say(stage, "resume")
    await post(stage, mailbox)
    await burst(stage, entry)

    assert (await stage.row(entry))["ended"] == "delivery_withdrawn"


async def test_what_was_in_doubt_before_a_stop_is_in_doubt_after_it(db: Database) -> None:
    """STA-2: the mark finds the canvas stopped, and what is given back is what it was."""
    stage = await queued(db, 2)
    [doubtful, _] = await claim(db, "email")
    await db.pool.execute("update dispatches set state = 'calling' where key = $1", doubtful.key)
    await db.pool.execute("update dispatches set lease = clock_timestamp() - interval '1 second'")
    claimed = await claim(db, "email")
    await say(stage, "stop")
    async with db.transaction() as connection:
        assert await settle(connection, [], claimed) == ([], set())
    await give_back(db, claimed)
    assert await claim(db, "email") == []
    await say(stage, "resume")

    assert {one.key for one in await claim(db, "email") if one.doubtful} == {doubtful.key}


async def test_claimed_messages_of_a_canvas_that_is_stopped_are_given_back_uncalled(
    db: Database, mailbox: Mailbox, receiver: Receiver
) -> None:
    """STA-2: by mail, where each call is marked, and by webhook, which asks once more what this process has heard."""
    hook = MAIL.replace("channel: email, template: hello", "channel: webhook, template: hook")
    for steps, name in ((MAIL, "story"), (hook, "hooks")):
        text = canvas(steps, name=name) + EMAIL + webhook(receiver.url)
        await publish(db, "default", definitions_of(text))
    stage = await stage_on(db, canvas(MAIL, name="story") + EMAIL)
    for name in ("story", "hooks"):
        [entry] = await stage.enter(await stage.person(email="p@example.com"), name=name)
        await burst(stage, entry)
    none = NullNotifier()
    ways = {
        "email": Email(SmtpSettings(host="127.0.0.1", port=mailbox.port)),
        "webhook": Webhook(WebhookSettings(allowed_networks="127.0.0.0/8")),
    }
    async with DeliveryWorker(db, stage.published, stage.clock, none, none, ways) as worker:
        real = worker._prepare

        async def stopped(*given: Any) -> Any:
            made = await real(*given)
            for name in ("story", "hooks"):
                await say(stage, "stop", name)
            stage.published.forget(stage.workspace)
            return made

        worker._prepare = stopped  # type: ignore[method-assign]
        assert [await worker.drain_once(name) for name in ways] == [1, 0]
        for name in ("story", "hooks"):
            await say(stage, "resume", name)
        assert await worker.drain_once("webhook") == 1

    assert [row["state"] for row in await stage.dispatches()] == ["queued", "queued"]
    assert (mailbox.mails, receiver.calls) == ([], [])


async def test_a_step_that_asks_others_does_not_ask_while_its_canvas_is_stopped(
    db: Database, receiver: Receiver
) -> None:
    called = f"{{% connected_content {receiver.url}/x %}}"
    asks = f'  - {{type: context, id: c, set: [{{name: w, value: "{called}"}}]}}'
    stage = await stage_on(db, canvas(asks + "\n" + MAIL) + EMAIL)
    [entry] = await stage.enter(await stage.person())
    await burst(stage, entry)
    await say(stage, "stop")
    wanted = (10, UUID(int=1), timedelta(seconds=10), [])
    assert await db.pool.fetch(CLAIM_FETCHES, *wanted) == []
    await say(stage, "resume")
    assert len(await db.pool.fetch(CLAIM_FETCHES, *wanted)) == 1


# Archive ---------------------------------------------------------------------------------------------------------


async def test_an_archive_ends_those_inside_and_withdraws_what_was_not_sent(
    db: Database, mailbox: Mailbox
) -> None:
    """STA-1, STA-2: the stopped too; nobody enters; the log and the facts stay."""
    stage = await stage_on(db, WAITS + "---\n" + canvas(MAIL, name="mails"))
    people = [await stage.person(email="p@example.com") for _ in range(5)]
    inside = await stage.enter(*people)
    for entry in await stage.enter(*people, name="mails"):
        await burst(stage, entry)
    await say(stage, "stop")
    for name in ("story", "mails"):
        await say(stage, "archive", name)

    for entry in inside:
        row = await stage.row(entry)
        assert (row["ended"], row["told"] < row["turn"]) == ("archived", True), "the sweep tells its workflow"
        assert (await stage.facts(entry))[-1] == ("ended", "wait")
    assert await post(stage, mailbox) == 5
    reasons = await db.pool.fetch("select data->>'reason' as reason from facts where fact = 'withdrawn'")
    assert ([row["reason"] for row in reasons], mailbox.mails) == (["archived"] * 5, [])
    assert await stage.enter(await stage.person()) == []
    assert await db.pool.fetchval("select count(*) from canvases where settled = change") == 2


async def test_one_who_cannot_be_ended_stops_no_other(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """STA-1: it ends when it is read next."""
    stage = await stage_on(db, WAITS)
    people = [await stage.person() for _ in range(3)]
    entries = await stage.enter(*people)
    real = Bursts._load

    async def load(self: Any, transaction: Any, row: Any, profile: Any, call: Any) -> Any:
        if row["entry"] == entries[1]:
            raise OverflowError("date value out of range")
        return await real(self, transaction, row, profile, call)

    with monkeypatch.context() as patch:
        patch.setattr(Bursts, "_load", load)
        await say(stage, "archive")
    ends = [(await stage.row(entry))["ended"] for entry in entries]
    assert ends == ["archived", None, "archived"]
    await burst(stage, entries[1])
    assert (await stage.row(entries[1]))["ended"] == "archived"


async def test_a_canvas_that_is_restored_is_a_draft_and_once_launched_entered_anew_without_who_was_inside(
    db: Database,
) -> None:
    """STA-1: a publication alone leaves it archived, with an explicit word it is a draft, and the next one launches it."""
    stage = await stage_on(db, WAITS)
    mel, entry = await sleeping(stage)
    await change(db, stage.workspace, "story", "archive", at=stage.clock.now())
    left = await publish(db, "default", definitions_of(WAITS))
    assert (left.still_archived, left.restored) == (["story"], [])
    assert await db.pool.fetchval("select status from canvases") == "archived"
    again = await publish(db, "default", definitions_of(WAITS), restore=True)
    assert (again.restored, again.drafts, again.same) == (["story"], ["story"], 1)
    assert await db.pool.fetchval("select status from canvases") == "draft"
    assert await stage.enter(mel) == []
    launched = await publish(db, "default", definitions_of(WAITS))
    assert (launched.launched, launched.drafts, launched.same) == (["story"], [], 1)
    stage.published.forget(stage.workspace)
    turn(stage, 2 * HOUR)
    [new] = await stage.enter(mel)
    await burst(stage, entry)

    assert [(await stage.row(one))["ended"] for one in (entry, new)] == ["archived", None]
    assert [row["kind"] for row in await db.pool.fetch("select kind from canvas_changes order by no")] == [
        "publish", "archive", "publish", "publish",
    ]  # fmt: skip


async def test_what_makes_no_sense_is_refused_and_what_stands_so_already_is_not_written(stage: Stage) -> None:
    """STA-1"""
    at = stage.clock.now()
    first = await change(stage.db, stage.workspace, "story", "stop", at=at, who="kim")
    second = await change(stage.db, stage.workspace, "story", "stop", at=at + MINUTE, who="kim")
    assert (first.new, second.new, first.since) == (True, False, second.since)
    with pytest.raises(NoCanvas, match="did you mean “story”"):
        await change(stage.db, stage.workspace, "stroy", "stop", at=at)
    await say(stage, "archive")
    for word in ("stop", "resume"):
        with pytest.raises(NotPossible):
            await change(stage.db, stage.workspace, "story", word, at=at)  # type: ignore[arg-type]
    rows = await stage.db.pool.fetch("select no, kind, who, at from canvas_changes order by no")
    assert [tuple(row)[:3] for row in rows] == [(1, "publish", ""), (2, "stop", "kim"), (3, "archive", "kim")]
    assert [row["at"] for row in rows] == sorted(row["at"] for row in rows)


async def test_what_a_command_left_undone_is_done_by_any_process_once(db: Database) -> None:
    """Killed after its commit: the housekeeping of any process goes on; one at a time."""
    stage = await stage_on(db, WAITS)
    entries = await stage.enter(*[await stage.person() for _ in range(4)])
    await say(stage, "stop")
    turn(stage, 2 * HOUR)
    await change(db, stage.workspace, "story", "resume", at=stage.clock.now())
    told = [Told() for _ in range(3)]
    processes = [
        FollowingChanges(db, Bursts(db, Published(db), stage.clock, NullNotifier()), stage.clock, one)
        for one in told
    ]
    counts = await asyncio.gather(*(one.unsettled() for one in processes))

    assert sum(counts) == 4
    assert {one.entry for each in told for one in each.pending} == set(entries)
    assert sum(await asyncio.gather(*(one.unsettled() for one in processes))) == 0


async def test_an_event_lets_nobody_into_a_draft_nor_one_from_before_its_launch_after_it(
    db: Database,
) -> None:
    """STA-1, ENT-17: launched by a publication, or by a resume."""
    names = ("published", "resumed")
    texts = [canvas(MAIL, name=name, schedule="{event: ping}") for name in names]
    definitions = definitions_of("---\n".join(texts) + EMAIL)
    drafts = await publish(db, "default", definitions, draft=True, at=MONDAY)
    assert (drafts.drafts, drafts.launched) == (list(names), [])
    stage = await stage_on(db, "")
    mel = await stage.person()
    turn(stage, HOUR)
    await stage.happens(mel, "ping")
    assert await db.pool.fetchval("select count(*) from refusals") == 0, "it is as one that is not published"
    one = definitions_of(texts[0] + EMAIL)
    assert (await publish(db, "default", one, at=stage.clock.now())).launched == ["published"]
    await change(db, stage.workspace, "resumed", "resume", at=stage.clock.now())
    stage.published.forget(stage.workspace)
    await stage.happens(mel, "ping", at=MONDAY + MINUTE)
    rows = await db.pool.fetch("select canvas, gate from refusals order by canvas")
    assert [tuple(row) for row in rows] == [(name, "before_launch") for name in names]
    turn(stage, MINUTE)
    await stage.happens(mel, "ping")
    assert await db.pool.fetchval("select count(*) from entries") == 2
