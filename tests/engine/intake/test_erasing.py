"""A person is erased: nothing of them is left in any column, and what reports count stays."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from journeys.channels.email import Email, SmtpSettings
from journeys.channels.mailbox import Mailbox
from journeys.engine.delivery.claim import claim
from journeys.engine.delivery.delivery_worker import DeliveryWorker
from journeys.engine.delivery.engagement import engaged
from journeys.engine.delivery.tracking_links import Mark
from journeys.engine.intake.erasing import ERASED, erase_people
from journeys.engine.intake.identifying import Parts, Who
from journeys.engine.people.identity import Identifier
from journeys.engine.people.profiles import Profile
from journeys.engine.ports import NullNotifier
from journeys.engine.store import Database
from journeys.engine.store.tables import Table
from journeys.engine.workspaces.canvas_report import report_of
from tests.crashing import CrashingChannel, Fuse
from tests.engine.entries.test_locks import Attempts, tracked
from tests.engine.intake.test_merging import WAITS, fill
from tests.stage import EMAIL, Stage, canvas, stage_on

SENDS = canvas(
    "  - {type: message, id: hi, channel: email, template: hello}\n  - {type: delay, id: d, duration: 1 day}\n"
    "  - {type: message, id: bye, channel: email, template: hello}"
)
COLUMNS = """
select table_name, column_name from information_schema.columns where table_schema = 'public' and table_name in (
    select table_name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE')
"""


async def erase(stage: Stage, *people: Profile, db: Database | None = None) -> int:
    parts = Parts(db or stage.db, stage.published, stage.clock, stage.alarm_sync)
    named = [Who(Identifier("braze_id", str(person.id))) for person in people]
    return await erase_people(parts, stage.workspace, named)


async def places(db: Database, *words: str) -> list[str]:
    """Every column of every table that holds one of these words; tables that come later, too."""
    found = []
    for table, column in await db.pool.fetch(COLUMNS):
        query = f'select exists (select from "{table}" where "{column}"::text ilike any($1))'
        if await db.pool.fetchval(query, [f"%{word}%" for word in words]):
            found.append(f"{table}.{column}")
    return found


def test_every_table_that_names_a_person_says_what_becomes_of_its_rows() -> None:
    assert {name for name, table in Table.metadata.tables.items() if "person" in table.columns} == set(ERASED)


async def test_nothing_of_an_erased_person_is_left_in_any_column_of_any_table(db: Database) -> None:
    """IDN-31"""
    stage = await stage_on(db, WAITS + EMAIL)
    mel = await stage.person(
        external_id="word-id", email="word@example.com", attributes={"color": "wordred", "word": 1}
    )
    zoe = await stage.person(external_id="zoe")
    await stage.enter(mel)
    await tracked(
        stage,
        events=[
            {"external_id": "word-id", "name": "bought", "time": "2026-01-01", "properties": {"a": "word"}}
        ],
    )
    await fill(db, stage.workspace, mel.id, "word-a")
    await db.pool.execute(
        "insert into merged (workspace, old, new) values ($1, gen_random_uuid(), $2)", stage.workspace, mel.id
    )
    sought = "word@example.com", "word-id", "wordred", str(mel.id)
    assert len(await places(db, *sought)) > 15, "the search finds what is there"
    assert await erase(stage, mel, mel) == 1
    assert await places(db, *sought) == []
    assert await db.pool.fetchval("select count(*) from events where name = 'bought'") == 1
    assert await db.pool.fetchval("select id from people") == zoe.id


@pytest.mark.parametrize("called", [False, True])
async def test_a_message_on_its_way_is_settled_once_and_one_that_is_claimed_does_not_leave(
    db: Database, called: bool
) -> None:
    """IDN-31"""
    stage = await stage_on(db, SENDS + EMAIL)
    mel = await stage.person(external_id="word-id", email="word@example.com")
    [entry] = await stage.enter(mel)
    await stage.burst(entry)
    async with Mailbox() as mailbox:

        class Erasing(CrashingChannel):
            async def deliver(self, content: Any, to: Any, key: str) -> Any:
                await erase(stage, mel)
                return await super().deliver(content, to, key)

        if called:
            await stage.deliver(Erasing(Email(SmtpSettings(port=mailbox.port)), Fuse()))
        else:
            await erase(stage, mel)
            await stage.deliver(Email(SmtpSettings(port=mailbox.port)))
    assert len(mailbox.mails) == int(called) and await stage.none_left()
    facts = await db.pool.fetch("select fact from facts where dispatch is not null")
    assert [row["fact"] for row in facts] == ["sent" if called else "withdrawn"]
    assert await places(db, "word-id", "word@example.com", str(mel.id)) == []
    assert (await stage.burst(entry, 1)).alarm_at is None, "the workflow ends"
    parts = db, stage.published, stage.clock, NullNotifier(), NullNotifier()
    mark = Mark(stage.workspace, mel.id, entry, "story", "hi", "email")
    assert not await engaged(*parts, mark, "clicked"), "a link in a mail finds nobody"
    assert await places(db, str(mel.id)) == []


async def test_who_is_erased_between_the_claim_of_a_message_and_its_call_gets_nothing(db: Database) -> None:
    """IDN-31: the claim is lost, and the message settled as withdrawn under the pseudonym."""
    stage = await stage_on(db, SENDS + EMAIL)
    mel = await stage.person(external_id="word-id", email="word@example.com")
    [entry] = await stage.enter(mel)
    await stage.burst(entry)
    async with Mailbox() as mailbox:
        channel = Email(SmtpSettings(port=mailbox.port))
        parts = (db, stage.published, stage.clock, stage.alarm_sync, NullNotifier())
        async with DeliveryWorker(*parts, {"email": channel}) as worker:
            batch = await claim(db, "email")
            assert len(batch) == 1
            await erase(stage, mel)
            await worker._take("email", batch)
            await worker.drain_once("email")
        assert mailbox.mails == []
    assert await places(db, "word-id", "word@example.com", str(mel.id)) == []
    assert [row["fact"] for row in await db.pool.fetch("select fact from facts where fact = 'sent'")] == []


async def test_rows_that_others_have_locked_are_not_waited_for_by_who_holds_the_person(db: Database) -> None:
    """No two wait in a circle: the person is free again while somebody else has a row of theirs."""
    stage = await stage_on(db, SENDS + EMAIL)
    mel = await stage.person(external_id="mel", email="mel@example.com")
    [entry] = await stage.enter(mel)
    await stage.burst(entry)
    attempts = Attempts(db)
    async with db.pool.acquire() as other, other.transaction():
        await other.execute("select from dispatches where person = $1 for update", mel.id)
        erasing = asyncio.create_task(erase(stage, mel, db=attempts))
        await attempts.reach(3, erasing)
        # Were the row waited for, the two would wait in a circle, and one would fail
        await other.execute("select from people where id = $1 for update", mel.id)
        assert not erasing.done()
    assert await erasing == 1
    assert await places(db, str(mel.id)) == []


async def test_sums_of_a_report_stay(db: Database) -> None:
    stage = await stage_on(db, SENDS + EMAIL)
    mel = await stage.person(external_id="mel", email="mel@example.com")
    [entry] = await stage.enter(mel)
    await stage.burst(entry)
    async with Mailbox() as mailbox:
        await stage.deliver(Email(SmtpSettings(port=mailbox.port)))
    before = await report_of(db, stage.workspace, "story", None)
    await erase(stage, mel)
    after = await report_of(db, stage.workspace, "story", None)
    assert after.entered == before.entered and after.conversions == before.conversions
    assert [(one.step, one.reached, one.sent) for one in after.steps] == [
        (one.step, one.reached, one.sent) for one in before.steps
    ]
    assert (before.waiting, after.waiting, after.left) == (1, 0, {"erased": 1})
