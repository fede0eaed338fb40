"""Whatever touches somebody's rows while they are erased: nothing of them is left, and what was under way ends once.

Each way in two orders: it comes while the erasure holds the person; and the erasure comes while it waits for the same person.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from journeys.channels.email import Email, SmtpSettings
from journeys.channels.mailbox import Mailbox
from journeys.channels.webhook import Webhook, WebhookSettings
from journeys.engine.content.services import Call as WebCall
from journeys.engine.content.services import Reply
from journeys.engine.delivery.channel import Receipt
from journeys.engine.delivery.claim import claim
from journeys.engine.delivery.delivery_worker import DeliveryWorker
from journeys.engine.delivery.engagement import engaged
from journeys.engine.delivery.tracking_links import Mark
from journeys.engine.entries.burst import Call
from journeys.engine.entries.fetching import Fetcher
from journeys.engine.intake import erasing
from journeys.engine.intake.erasing import erase_people
from journeys.engine.intake.identifying import Parts, Who, lock_all
from journeys.engine.intake.triggering import Trigger, Wanted
from journeys.engine.people.identity import Identifier
from journeys.engine.people.profiles import Profile
from journeys.engine.ports import NullNotifier
from journeys.engine.store import Database
from journeys.engine.workspaces.template_services import TemplateServices
from tests.crashing import Crash, Crashing, Fuse
from tests.engine.entries.test_locks import tracked, waits
from tests.engine.intake.racing import ASKS, DERIVES, LISTENS, WAITS, Halfway, named
from tests.engine.intake.test_erasing import erase, places
from tests.receiver import Receiver
from tests.stage import EMAIL, Stage, canvas, see_to_runs, stage_on, webhook

ORDERS = pytest.mark.parametrize("first", [True, False], ids=["the erasure first", "the erasure last"])
DAY = timedelta(days=1)
SAID = "mel@example.com"


class Race:
    """Somebody who is erased."""

    def __init__(self, stage: Stage, mel: Profile) -> None:
        self.stage, self.mel = stage, mel

    @classmethod
    async def on(cls, db: Database, text: str) -> Race:
        stage = await stage_on(db, text + EMAIL)
        return cls(stage, await stage.person(email=SAID, external_id="mel-id"))

    async def hold(self, connection: Any) -> None:
        """An erasure that is not committed."""
        await lock_all(connection, self.stage.workspace, self.mel.id)
        await erasing.erase(connection, self.stage.workspace, self.mel.id, self.stage.clock.now())

    async def run(self, first: bool, work: Callable[[], Awaitable[Any]], table: str = "") -> Any:
        """The work and the erasure, each of which has begun before the other has ended; what came of the work.

        `table`: what the work waits for in place of the person, whom it has by then.
        """
        db = self.stage.db
        async with db.transaction() as other:
            if first:
                await self.hold(other)
                task = asyncio.ensure_future(work())
                await waits(db, task)
            else:
                if table:
                    await other.execute(f"lock table {table} in share mode")
                else:
                    await other.execute("select 1 from people where id = $1 for update", self.mel.id)
                task = asyncio.ensure_future(work())
                waiting = await waits(db, task)
                assert waiting or not table
                going = asyncio.create_task(erase(self.stage, self.mel))
                assert await waits(db, going, int(waiting))
        done = await task
        if not first:
            assert await going == 1
        return done

    async def nothing_is_left(self) -> None:
        """Of them, and of what was to come."""
        db = self.stage.db
        assert await places(db, SAID, "mel-id", str(self.mel.id)) == []
        assert await db.pool.fetchval("select count(*) from entries where ended is null") == 0
        assert await self.stage.none_left()
        for table in ("people", "inbox", "fetches", "echoes", "consents"):
            assert await db.pool.fetchval(f"select count(*) from {table}") == 0, table

    async def count(self, fact: str) -> int:
        return int(await self.stage.db.pool.fetchval("select count(*) from facts where fact = $1", fact))


@ORDERS
async def test_a_burst_comes_before_or_finds_nobody(db: Database, first: bool) -> None:
    race = await Race.on(db, WAITS)
    stage = race.stage
    [entry] = await stage.enter(race.mel)
    stage.clock.turn(DAY)  # type: ignore[attr-defined]

    await race.run(first, lambda: stage.bursts(entry, Call(1, stage.clock.now())))

    assert (await stage.row(entry))["ended"] == ("erased" if first else "completed")
    assert await race.count("withdrawn") == (0 if first else 1)
    await race.nothing_is_left()


@ORDERS
async def test_an_event_is_theirs_and_goes_with_them_or_nobodys(db: Database, first: bool) -> None:
    """IDN-7: our id makes nobody anew."""
    race = await Race.on(db, LISTENS)
    stage = race.stage
    [entry] = await stage.enter(race.mel)
    await stage.burst(entry)
    at = stage.clock.now().isoformat()

    tracking = await race.run(
        first, lambda: tracked(stage, events=[{"braze_id": str(race.mel.id), "name": "ping", "time": at}])
    )

    assert len(tracking.warnings) == (1 if first else 0)
    assert (
        await race.count("converted")
        == await db.pool.fetchval("select count(*) from events")
        == (0 if first else 1)
    )
    await race.nothing_is_left()


@ORDERS
async def test_what_a_canvas_made_is_heard_before_or_not(db: Database, first: bool) -> None:
    race = await Race.on(db, DERIVES)
    stage = race.stage
    [entry] = await stage.enter(race.mel)
    await stage.burst(entry)

    await race.run(first, stage.hear_derived, table="entries")

    assert await stage.hear_derived() == 0
    assert await db.pool.fetchval("select count(*) from entries") == (1 if first else 2)
    await race.nothing_is_left()


@ORDERS
@pytest.mark.parametrize("receipt", ["sent", "retry"])
async def test_a_message_that_is_called_for_is_settled_once_and_does_not_come_again(
    db: Database, first: bool, receipt: str
) -> None:
    race = await Race.on(db, WAITS)
    stage = race.stage
    [entry] = await stage.enter(race.mel)
    stage.clock.turn(DAY)  # type: ignore[attr-defined]
    await stage.burst(entry)
    halfway = Halfway()

    async with Mailbox() as mailbox:

        class Slow(Email):
            async def deliver(self, content: Any, to: Any, key: str) -> Receipt:
                done = await super().deliver(content, to, key) if receipt == "sent" else None
                await halfway.stop()
                return done or Receipt("retry", f"{SAID} is busy")

        delivering = asyncio.create_task(stage.deliver(Slow(SmtpSettings(port=mailbox.port))))
        await halfway.begun.wait()

        await race.run(first, halfway.finishing(delivering))
        await db.pool.execute("update dispatches set not_before = null, lease = null")
        await stage.deliver(Email(SmtpSettings(port=mailbox.port)))
        assert len(mailbox.mails) == (receipt == "sent")
    assert [await race.count(fact) for fact in ("sent", "withdrawn")] == [
        int(receipt == "sent"),
        int(receipt == "retry"),
    ]
    await race.nothing_is_left()


@ORDERS
async def test_what_is_claimed_meanwhile_leaves_once_or_not_at_all(db: Database, first: bool) -> None:
    race = await Race.on(db, WAITS)
    stage = race.stage
    [entry] = await stage.enter(race.mel)
    stage.clock.turn(DAY)  # type: ignore[attr-defined]
    await stage.burst(entry)

    async with Mailbox() as mailbox:
        channel = Email(SmtpSettings(port=mailbox.port))
        await race.run(first, lambda: stage.deliver(channel))
        await stage.deliver(channel)
        assert len(mailbox.mails) == await race.count("sent") == (0 if first else 1)
    assert await race.count("withdrawn") == int(first)
    await race.nothing_is_left()


@pytest.mark.parametrize("read", [False, True])
async def test_a_webhook_leaves_once_at_most_and_only_where_the_person_was_read_before(
    db: Database, receiver: Receiver, read: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """IDN-31: a channel that does not mark what it calls for. It is settled without a person."""
    steps = "  - {type: message, id: m, channel: webhook, template: hook}\n  - {type: delay, id: d, duration: 1 day}"
    race = await Race.on(db, canvas(steps) + webhook(receiver.url))
    stage = race.stage
    [entry] = await stage.enter(race.mel)
    await stage.burst(entry)

    class Late(Webhook):
        async def deliver(self, content: Any, to: Any, key: str) -> Receipt:
            if read:
                await erase(stage, race.mel)
            return await super().deliver(content, to, key)

    channel = Late(WebhookSettings(allowed_networks="127.0.0.0/8"))
    parts = (db, stage.published, stage.clock, stage.alarm_sync, NullNotifier())
    async with DeliveryWorker(*parts, {"webhook": channel}) as worker:
        batch = await claim(db, "webhook")
        assert len(batch) == 1
        if not read:
            await erase(stage, race.mel)
        await worker._take("webhook", batch)
        await worker.drain_once("webhook")
    assert len(receiver.calls) == await race.count("sent") == int(read)
    await race.nothing_is_left()


@ORDERS
@pytest.mark.parametrize("status", [200, 503])
async def test_the_answer_to_a_question_finds_no_row(db: Database, first: bool, status: int) -> None:
    race = await Race.on(db, ASKS)
    stage = race.stage
    [entry] = await stage.enter(race.mel)
    await stage.burst(entry)
    calls = 0
    halfway = Halfway()

    async def answers(workspace: int, call: WebCall) -> Reply:
        nonlocal calls
        calls += 1
        await halfway.stop()
        return Reply(status, SAID, "text")

    answering = asyncio.create_task(stage.answer(answers))
    await halfway.begun.wait()

    await race.run(first, halfway.finishing(answering))
    assert await stage.answer(answers) == 0 and calls == 1
    assert (await stage.row(entry))["ended"] == "erased"
    await race.nothing_is_left()


async def test_a_question_that_is_claimed_before_an_erasure_is_not_asked(db: Database) -> None:
    asks = canvas("""
  - {type: context, id: ask, set: [{name: got, value: "{% connected_content https://example.com/ %}{{ ${email_address} }}"}]}
  - {type: user_update, id: last, attributes: {done: true}}
""")
    race = await Race.on(db, asks)
    stage = race.stage
    [entry] = await stage.enter(race.mel)
    await stage.burst(entry)

    async def answers(workspace: int, call: WebCall) -> Reply:
        raise AssertionError(call)

    fetcher = Fetcher(db, stage.published, stage.clock, stage.alarm_sync, TemplateServices(answers))
    batch = await fetcher._claim(())
    await erase(stage, race.mel)
    await fetcher._take(batch)
    await race.nothing_is_left()


@ORDERS
async def test_who_is_in_a_run_enters_before_or_is_counted_as_gone(db: Database, first: bool) -> None:
    race = await Race.on(db, WAITS)
    stage = race.stage
    await stage.broadcast_begins(0)

    async def page() -> None:
        await see_to_runs(db, stage.published, stage.clock)

    if first:  # the page finds the person locked, and comes again until it does not
        async with db.transaction() as other:
            await race.hold(other)
            paging = asyncio.create_task(page())
            await stage.until(lambda: db.pool.fetchval("select count(*) from run_members"))
        await paging
    else:
        await race.run(first, page, table="entries")
    await page()

    run = await db.pool.fetchrow("select members, entered, refused, failed, gone, merged, state from runs")
    assert tuple(run) == (1, 0 if first else 1, 0, 0, 1 if first else 0, 0, "done")
    await race.nothing_is_left()


@ORDERS
@pytest.mark.parametrize("name", ["opened", "unsubscribed"])
async def test_a_link_counts_before_or_leads_to_nobody(db: Database, first: bool, name: str) -> None:
    """What it unsubscribed holds for the address."""
    race = await Race.on(db, WAITS)
    stage = race.stage
    [entry] = await stage.enter(race.mel)
    mark = Mark(stage.workspace, race.mel.id, entry, "story", "m", "email")
    parts = db, stage.published, stage.clock, NullNotifier(), NullNotifier()

    assert await race.run(first, lambda: engaged(*parts, mark, name)) is not first

    assert await db.pool.fetchval("select count(*) from events") == int(not first)
    kept = name == "unsubscribed" and not first
    assert await db.pool.fetchval("select count(*) from addresses") == int(kept)
    await race.nothing_is_left()


@ORDERS
async def test_a_call_lets_them_in_before_or_knows_nobody(db: Database, first: bool) -> None:
    race = await Race.on(db, WAITS)
    stage = race.stage
    publication = await stage.published.of(stage.workspace)
    trigger = Trigger(db, stage.published, stage.clock, NullNotifier(), NullNotifier())
    people = [Wanted(named(race.mel), {})]

    done = await race.run(
        first, lambda: trigger.named(publication, publication.running["story"], "d1", people, None)
    )

    assert (done.entered, len(done.unknown)) == ((0, 1) if first else (1, 0))
    await race.nothing_is_left()


async def test_two_calls_erase_somebody_once(db: Database) -> None:
    """IDN-26"""
    race = await Race.on(db, WAITS)
    async with db.transaction() as other:
        await other.execute("select 1 from people where id = $1 for update", race.mel.id)
        tasks = [asyncio.create_task(erase(race.stage, race.mel)) for _ in range(2)]
        for number, task in enumerate(tasks):
            assert await waits(db, task, number)
    assert sorted(await asyncio.gather(*tasks)) == [0, 1]
    assert await race.count("erased") == 1
    await race.nothing_is_left()


@pytest.mark.parametrize("point", range(4))
async def test_a_crash_after_any_commit_of_a_call_leaves_what_the_call_said_once_it_is_made_again(
    db: Database, point: int
) -> None:
    """IDN-26: each erasure of a call is a transaction; whoever gets no answer calls again, and nothing is done twice."""
    stage = await stage_on(db, WAITS + EMAIL)
    people = [await stage.person(email=f"mel{number}@example.com") for number in range(3)]
    entries = [entry for person in people for entry in await stage.enter(person)]
    wanted = [Who(Identifier("braze_id", str(person.id))) for person in people]
    fuse = Fuse()
    fuse.blows_at = point
    crashes = erased = 0
    while True:
        parts = Parts(Crashing(db, fuse), stage.published, stage.clock, stage.alarm_sync)
        try:
            erased = await erase_people(parts, stage.workspace, wanted)
        except Crash:
            crashes += 1
        else:
            break
    assert (crashes, erased) == ((1, 2 - point) if point < 3 else (0, 3))
    assert await db.pool.fetchval("select count(*) from facts where fact = 'erased'") == 3
    rows = await db.pool.fetch("select id from entries where ended = 'erased' and told < turn")
    assert {row["id"] for row in rows} == set(entries), "the sweep cancels what the crash left"
    assert await places(db, "mel", *(str(person.id) for person in people)) == []
