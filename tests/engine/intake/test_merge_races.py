"""Whatever touches somebody's rows while they are merged: it is done once, as that of who stays, and nobody waits in a circle.

Each way in two orders: it comes while the merge holds both people; and the merge comes while it waits for the same person.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from journeys.channels.email import Email, SmtpSettings
from journeys.channels.mailbox import Mailbox
from journeys.engine.content.services import Call as WebCall
from journeys.engine.content.services import Reply
from journeys.engine.delivery.channel import Receipt
from journeys.engine.delivery.engagement import engaged
from journeys.engine.delivery.tracking_links import Mark
from journeys.engine.entries.fetching import Fetcher
from journeys.engine.intake.identifying import MergeUpdate, Parts, Who, merge_people
from journeys.engine.intake.merging import merge
from journeys.engine.intake.triggering import Trigger, Wanted
from journeys.engine.people.identity import resolve
from journeys.engine.people.profiles import Profile
from journeys.engine.ports import NullNotifier
from journeys.engine.store import Database
from journeys.engine.workspaces.template_services import TemplateServices
from tests.crashing import Crash, Crashing, Fuse
from tests.engine.entries.test_locks import Attempts, tracked, waits
from tests.engine.intake.racing import ASKS, DERIVES, LISTENS, WAITS, Halfway, named
from tests.stage import EMAIL, Stage, canvas, see_to_runs, stage_on

Order = str
ORDERS = pytest.mark.parametrize("order", ["the merge first", "the merge last"])
DAY = timedelta(days=1)


class Race:
    """Two people, one of whom becomes the other."""

    def __init__(self, stage: Stage, mel: Profile, zoe: Profile) -> None:
        self.stage, self.mel, self.zoe = stage, mel, zoe

    @classmethod
    async def on(cls, db: Database, text: str) -> Race:
        stage = await stage_on(db, text + EMAIL)
        mel = await stage.person(email="mel@example.com")
        return cls(stage, mel, await stage.person(email="zoe@example.com"))

    @property
    def parts(self) -> Parts:
        return Parts(self.stage.db, self.stage.published, self.stage.clock, self.stage.alarm_sync)

    async def merge(self, parts: Parts | None = None) -> None:
        update = MergeUpdate(Who(named(self.mel)), Who(named(self.zoe)))
        await merge_people(parts or self.parts, self.stage.workspace, [update])

    async def run(self, order: Order, work: Callable[[], Awaitable[Any]]) -> Any:
        """The work and the merge, each of which has begun before the other has ended; what came of the work."""
        db = self.stage.db
        if order == "the merge last":
            async with db.transaction() as other:
                await other.execute("select 1 from people where id = $1 for update", self.mel.id)
                task = asyncio.ensure_future(work())
                first = await waits(db, task)
                merging = asyncio.create_task(self.merge())
                assert await waits(db, merging, int(first))
            await merging
            return await task
        async with db.transaction() as connection:
            await hold(connection, self)
            task = asyncio.ensure_future(work())
            await waits(db, task)
        return await task

    async def nothing_is_mels(self) -> None:
        for table in ("people where id", *(f"{name} where person" for name in ("entries", "inbox", "dispatches", "fetches", "events", "facts", "conversions"))):  # fmt: skip
            assert (
                await self.stage.db.pool.fetchval(f"select count(*) from {table} = $1", self.mel.id) == 0
            ), table

    async def facts(self, entry: UUID) -> list[tuple[str, str | None]]:
        return [
            each for each in await self.stage.facts(entry) if each[0] in ("reached", "sent", "took", "ended")
        ]


async def hold(connection: Any, race: Race) -> None:
    """A merge that is not committed."""
    stage = race.stage
    await resolve(connection, stage.workspace, {named(race.mel): False, named(race.zoe): False})
    publication = await stage.published.of(stage.workspace)
    done = await merge(connection, publication, stage.published, race.mel.id, race.zoe.id, stage.clock.now())
    assert done.declined is None


@ORDERS
async def test_a_burst_takes_the_entry_on_once(db: Database, order: Order) -> None:
    """GEN-9"""
    race = await Race.on(db, WAITS)
    stage = race.stage
    [entry] = await stage.enter(race.mel)
    stage.clock.turn(DAY)  # type: ignore[attr-defined]

    await race.run(order, lambda: stage.burst(entry, 1))

    [dispatch] = await stage.dispatches()
    assert (dispatch["person"], await stage.path(entry)) == (race.zoe.id, ["d", "m"])
    await race.nothing_is_mels()


@ORDERS
async def test_an_event_is_heard_once_by_the_entry_and_counts_as_a_conversion(
    db: Database, order: Order
) -> None:
    """GEN-9, IDN-18: routing; it names the one who goes by our id."""
    race = await Race.on(db, LISTENS)
    stage = race.stage
    [entry] = await stage.enter(race.mel)
    await stage.burst(entry)
    at = stage.clock.now().isoformat()

    tracking = await race.run(
        order, lambda: tracked(stage, events=[{"braze_id": str(race.mel.id), "name": "ping", "time": at}])
    )

    assert tracking.errors == [] and len(tracking.people) == 1
    await stage.burst(entry, 2)
    assert ("took", "a") in await stage.facts(entry)
    assert await db.pool.fetchval("select attributes->>'n' from people where id = $1", race.zoe.id) == "1"
    assert (
        await db.pool.fetchval(
            "select count(*) from facts where fact = 'converted' and person = $1", race.zoe.id
        )
        == 1
    )
    await race.nothing_is_mels()


@ORDERS
async def test_an_event_that_a_canvas_made_is_heard_once(db: Database, order: Order) -> None:
    """GEN-9"""
    race = await Race.on(db, DERIVES)
    stage = race.stage
    [entry] = await stage.enter(race.mel)
    await stage.burst(entry)

    await race.run(order, stage.hear_derived)
    await stage.hear_derived()

    rows = await db.pool.fetch("select canvas, person from entries order by canvas")
    assert [tuple(row) for row in rows] == [("second", race.zoe.id), ("story", race.zoe.id)]
    await race.nothing_is_mels()


@ORDERS
@pytest.mark.parametrize("receipt", ["sent", "retry"])
async def test_a_message_that_is_called_for_leaves_once_and_is_settled_or_comes_again(
    db: Database, order: Order, receipt: str
) -> None:
    """GEN-8, GEN-9: settlement, and what the provider wants to have again. The mail left before."""
    race = await Race.on(db, WAITS)
    stage = race.stage
    [entry] = await stage.enter(race.mel)
    stage.clock.turn(DAY)  # type: ignore[attr-defined]
    await stage.burst(entry)
    halfway = Halfway()

    async with Mailbox() as mailbox:

        class Slow(Email):
            async def deliver(self, content: Any, to: Any, key: str) -> Receipt:
                done = await super().deliver(content, to, key) if receipt == "sent" or mailbox.mails else None
                await halfway.stop()
                return done or Receipt("retry", "busy")

        channel = Slow(SmtpSettings(host="127.0.0.1", port=mailbox.port))
        delivering = asyncio.create_task(stage.deliver(channel))
        await halfway.begun.wait()

        await race.run(order, halfway.finishing(delivering))
        if receipt == "retry":
            [dispatch] = await stage.dispatches()
            assert (dispatch["person"], dispatch["state"], dispatch["attempts"]) == (race.zoe.id, "queued", 1)
            assert mailbox.mails == []
            await db.pool.execute("update dispatches set not_before = null")
            await stage.deliver(Email(SmtpSettings(host="127.0.0.1", port=mailbox.port)))
        assert [mail.recipients for mail in mailbox.mails] == [
            ["mel@example.com" if receipt == "sent" else "zoe@example.com"]
        ]
    assert await stage.none_left()
    assert [fact for fact, _ in await stage.facts(entry)].count("sent") == 1
    await race.nothing_is_mels()


@ORDERS
async def test_what_is_claimed_meanwhile_goes_to_who_stays(db: Database, order: Order) -> None:
    """GEN-8: a claim locks no person; it takes the message before the merge or after it, and not in its midst."""
    race = await Race.on(db, WAITS)
    stage = race.stage
    [entry] = await stage.enter(race.mel)
    stage.clock.turn(DAY)  # type: ignore[attr-defined]
    await stage.burst(entry)

    async with Mailbox() as mailbox:
        channel = Email(SmtpSettings(host="127.0.0.1", port=mailbox.port))
        await race.run(order, lambda: stage.deliver(channel))
        await stage.deliver(channel)
        to = "zoe@example.com" if order == "the merge first" else "mel@example.com"
        assert [mail.recipients for mail in mailbox.mails] == [[to]]
    assert await stage.none_left()
    await race.nothing_is_mels()


@ORDERS
@pytest.mark.parametrize("status", [200, 503])
async def test_the_answer_to_a_question_is_heard_once_or_asked_for_again(
    db: Database, order: Order, status: int
) -> None:
    """GEN-9: a step that asks others."""
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
        return Reply(status if calls == 1 else 200, "42", "text")

    answering = asyncio.create_task(stage.answer(answers))
    await halfway.begun.wait()

    await race.run(order, halfway.finishing(answering))
    if status == 503:
        rows = await db.pool.fetch("select person, tries from fetches")
        assert [row["person"] for row in rows] == [race.zoe.id]
        await db.pool.execute("update fetches set not_before = null, claim = null, lease = null")
        await stage.answer(answers)
    await stage.burst(entry, 2)
    row = await stage.row(entry)
    assert (row["context"], row["step"], row["person"]) == ({"got": "42"}, "rest", race.zoe.id)
    assert calls == (1 if status == 200 else 2)
    assert await db.pool.fetchval("select count(*) from fetches") == 0
    await race.nothing_is_mels()


async def test_a_question_that_is_claimed_before_a_merge_is_asked_for_who_stays(db: Database) -> None:
    """GEN-9: between the claim and the look at the person."""
    asks = canvas("""
  - {type: context, id: ask, set: [{name: got, value: "{% connected_content https://example.com/ %}{{ ${email_address} }}"}]}
  - {type: delay, id: rest, duration: 1 day}
  - {type: user_update, id: last, attributes: {done: true}}
""")
    race = await Race.on(db, asks)
    stage = race.stage
    [entry] = await stage.enter(race.mel)
    await stage.burst(entry)

    async def answers(workspace: int, call: WebCall) -> Reply:
        return Reply(200, "", "text")

    fetcher = Fetcher(db, stage.published, stage.clock, stage.alarm_sync, TemplateServices(answers))
    batch = await fetcher._claim(())
    await race.merge()
    await fetcher._take(batch)
    await stage.burst(entry, 2)
    assert (await stage.row(entry))["context"] == {"got": "zoe@example.com"}


@ORDERS
@pytest.mark.parametrize("both", [True, False])
async def test_who_is_in_a_run_comes_once(db: Database, order: Order, both: bool) -> None:
    """GEN-9: a page; as two in the run, or as the one who goes alone. The counts add up."""
    race = await Race.on(db, WAITS)
    stage = race.stage
    await stage.broadcast_begins(0)
    if not both:
        await db.pool.execute("update runs set audience = $1", {"attribute": "in", "equals": True})
        await db.pool.execute("update people set attributes = '{\"in\": true}' where id = $1", race.mel.id)

    async def page() -> None:
        await see_to_runs(db, stage.published, stage.clock)

    async with db.transaction() as other:
        if order == "the merge last":  # the page has both people, and comes to write their entries
            await other.execute("lock table entries in share mode")
            paging = asyncio.create_task(page())
            assert await waits(db, paging)
            merging = asyncio.create_task(race.merge())
            assert await waits(db, merging, 1)
        else:  # the page finds both locked, and comes again
            await hold(other, race)
            paging = asyncio.create_task(page())
            await stage.until(lambda: db.pool.fetchval("select count(*) from run_members"))
    await paging
    if order == "the merge last":
        await merging
    await page()

    run = await db.pool.fetchrow("select members, entered, refused, failed, gone, merged, state from runs")
    rows = await db.pool.fetch("select person from entries")
    assert {row["person"] for row in rows} == {race.zoe.id}
    assert (run["entered"], run["state"], run["failed"], run["gone"]) == (len(rows), "done", 0, 0)
    assert run["entered"] + run["merged"] == run["members"] == (2 if both else 1)
    assert len(rows) == (2 if both and order == "the merge last" else 1)


async def test_somebody_who_is_written_down_while_they_are_merged_comes_as_who_they_are(db: Database) -> None:
    """GEN-9: whoever writes down the members of a run locks nobody. Two who became one person come once."""
    race = await Race.on(db, WAITS)
    stage = race.stage
    ann = await stage.person()
    for one, other in ((race.mel, race.zoe), (ann, race.zoe)):
        update = MergeUpdate(Who(named(one)), Who(named(other)))
        await merge_people(race.parts, stage.workspace, [update])
    await db.pool.execute("insert into runs (workspace, id, canvas, kind, at, wake_at, instant, wall, state, began, due, members) values ($1, $2, 'story', 'broadcast', $3, $3, $3, $4, 'running', now(), $3, 2)", stage.workspace, UUID(int=1), stage.clock.now(), stage.clock.now().replace(tzinfo=None))  # fmt: skip
    for one in (race.mel, ann):
        await db.pool.execute(
            "insert into run_members (workspace, person, run, at) values ($1, $2, $3, $4)",
            stage.workspace, one.id, UUID(int=1), stage.clock.now(),
        )  # fmt: skip

    await see_to_runs(db, stage.published, stage.clock)

    rows = await db.pool.fetch("select person from entries")
    assert [row["person"] for row in rows] == [race.zoe.id]
    run = await db.pool.fetchrow("select entered, merged, gone, state from runs")
    assert tuple(run) == (1, 1, 0, "done")


@ORDERS
@pytest.mark.parametrize("name", ["opened", "unsubscribed"])
async def test_a_link_counts_once_for_who_stays(db: Database, order: Order, name: str) -> None:
    """IDN-18"""
    race = await Race.on(db, WAITS)
    stage = race.stage
    [entry] = await stage.enter(race.mel)
    mark = Mark(stage.workspace, race.mel.id, entry, "story", "m", "email")
    parts = db, stage.published, stage.clock, NullNotifier(), NullNotifier()

    assert await race.run(order, lambda: engaged(*parts, mark, name))

    rows = await db.pool.fetch("select person, name from events")
    assert [tuple(row) for row in rows] == [(race.zoe.id, name)]
    consents = await db.pool.fetch("select person, state from consents")
    assert [tuple(row) for row in consents] == (
        [(race.zoe.id, "unsubscribed")] if name == "unsubscribed" else []
    )
    await race.nothing_is_mels()


@ORDERS
async def test_whoever_is_let_in_by_a_call_meanwhile_enters_as_who_stays(db: Database, order: Order) -> None:
    """IDN-18"""
    race = await Race.on(db, WAITS)
    stage = race.stage
    publication = await stage.published.of(stage.workspace)
    trigger = Trigger(db, stage.published, stage.clock, NullNotifier(), NullNotifier())
    people = [Wanted(named(race.mel), {})]

    done = await race.run(
        order, lambda: trigger.named(publication, publication.running["story"], "d1", people, None)
    )

    assert (done.entered, done.unknown) == (1, [])
    assert [row["person"] for row in await db.pool.fetch("select person from entries")] == [race.zoe.id]
    await race.nothing_is_mels()


async def test_merges_of_the_same_people_in_opposite_ways_are_done_one_after_the_other(db: Database) -> None:
    """IDN-25: one of them is left, and nobody waits in a circle."""
    race = await Race.on(db, WAITS)
    back = Race(race.stage, race.zoe, race.mel)
    async with db.transaction() as other:
        await other.execute("select 1 from people where id = $1 for update", race.mel.id)
        tasks = [asyncio.create_task(one.merge()) for one in (race, back)]
        for number, task in enumerate(tasks):
            assert await waits(db, task, number)
    await asyncio.gather(*tasks)
    assert await db.pool.fetchval("select count(*) from people") == 1
    assert await db.pool.fetchval("select count(*) from merged") == 1


async def test_rows_that_somebody_has_locked_for_a_moment_are_not_waited_for(db: Database) -> None:
    """GEN-9: the merge lets everything go, and begins again; nothing of it is seen before."""
    race = await Race.on(db, WAITS)
    stage = race.stage
    [entry] = await stage.enter(race.mel)
    attempts = Attempts(db)
    async with db.transaction() as claim:
        await claim.execute("select 1 from entries where id = $1 for update", entry)
        parts = Parts(attempts, stage.published, stage.clock, stage.alarm_sync)
        merging = asyncio.create_task(race.merge(parts))
        await attempts.reach(3, merging)
        # Whoever has the row gets both people: were the row waited for, the two would wait in a circle, and one would fail
        await claim.execute(
            "select 1 from people where id = any($1::uuid[]) order by id for update",
            [race.mel.id, race.zoe.id],
        )
        assert not merging.done()
        assert (await stage.row(entry))["person"] == race.mel.id
    await merging
    assert (await stage.row(entry))["person"] == race.zoe.id


@pytest.mark.parametrize("point", range(4))
async def test_a_crash_after_any_commit_of_a_call_leaves_what_the_call_said_once_it_is_made_again(
    db: Database, point: int
) -> None:
    """IDN-25: each merge of a call is a transaction; whoever gets no answer calls again, and nothing is done twice."""
    stage = await stage_on(db, WAITS + EMAIL)
    people = [await stage.person(attributes={f"a{number}": 1}) for number in range(4)]
    entries = [entry for person in people for entry in await stage.enter(person)]
    updates = [MergeUpdate(Who(named(gone)), Who(named(kept))) for gone, kept in itertools.pairwise(people)]
    fuse = Fuse()
    fuse.blows_at = point
    crashes = 0
    while True:
        parts = Parts(Crashing(db, fuse), stage.published, stage.clock, stage.alarm_sync)
        try:
            await merge_people(parts, stage.workspace, updates)
        except Crash:
            crashes += 1
        else:
            break
    assert crashes == (1 if point < 3 else 0)
    assert await db.pool.fetchval("select count(*) from people") == 1
    one = await db.pool.fetchrow("select id, attributes from people")
    assert one["id"] == people[-1].id and set(one["attributes"]) == {"a0", "a1", "a2", "a3"}
    rows = await db.pool.fetch("select id from entries where person = $1", one["id"])
    assert {row["id"] for row in rows} == set(entries)
    merged = await db.pool.fetch(
        "select count(*), count(distinct data->>'person') from facts where fact = 'merged'"
    )
    assert tuple(merged[0]) == (3, 3)
