"""A person who was merged into another is found at every door by what is left of them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from journeys.channels.email import Email, SmtpSettings
from journeys.channels.mailbox import Mailbox
from journeys.engine.delivery.engagement import engaged
from journeys.engine.delivery.tracking_links import Mark
from journeys.engine.people.identity import Identifier, find, resolve
from journeys.engine.people.merged import lock_present, merged_into
from journeys.engine.people.profiles import Profile
from journeys.engine.ports import NullNotifier
from journeys.engine.store import Database
from tests.crashing import CrashingChannel, Fuse
from tests.engine.entries.test_locks import tracked, waits
from tests.stage import EMAIL, Stage, canvas, stage_on

STEPS = (
    "  - {type: message, id: hi, channel: email, template: hello}\n  - {type: delay, id: d, duration: 1 day}"
)


async def become_one(connection: Any, workspace: int, old: UUID, new: UUID) -> None:
    """What the lookups need of a merge: the row that names it, and what is open moved."""
    await connection.execute("update merged set new = $2 where new = $1", old, new)
    await connection.execute(
        "insert into merged (workspace, old, new) values ($1, $2, $3)", workspace, old, new
    )
    for table in ("entries", "inbox", "dispatches", "fetches", "conversions"):
        await connection.execute(f"update {table} set person = $2 where person = $1", old, new)
    await connection.execute("delete from people where id = $1", old)


async def two(stage: Stage) -> tuple[Profile, Profile]:
    """A person, and the one whom they become."""
    return await stage.person(email="mel@example.com"), await stage.person(email="mel@example.com")


async def test_our_former_id_finds_who_the_person_is_now_however_often_they_were_merged(db: Database) -> None:
    stage = await stage_on(db, canvas(STEPS) + EMAIL)
    mel, zoe = await two(stage)
    ann = await stage.person()
    for old, new in ((mel, zoe), (zoe, ann)):
        await become_one(db.pool, stage.workspace, old.id, new.id)

    assert await merged_into(db.pool, stage.workspace, [mel.id, zoe.id, ann.id]) == {
        mel.id: ann.id,
        zoe.id: ann.id,
    }
    assert await merged_into(db.pool, stage.workspace + 1, [mel.id]) == {}
    assert await merged_into(db.pool, stage.workspace, []) == {}
    named = Identifier("braze_id", str(mel.id))
    assert await find(db.pool, stage.workspace, [named]) == {named: ann.id}
    async with db.transaction() as connection:
        people, _ = await resolve(connection, stage.workspace, {named: False})
    assert people == {named: ann.id}
    taken = await tracked(stage, attributes=[{"braze_id": str(mel.id), "color": "red"}])
    assert taken.people == {ann.id} and taken.errors == []


async def test_a_former_name_finds_a_person_and_nobody_once_it_is_removed_while_one_waits(
    db: Database,
) -> None:
    """IDN-29"""
    stage = await stage_on(db, canvas(STEPS) + EMAIL)
    mel = await stage.person(external_id="new")
    await db.pool.execute(
        "insert into former_names (workspace, sort, value, person) values ($1, 'external_id', 'old', $2)",
        stage.workspace,
        mel.id,
    )
    assert (await tracked(stage, attributes=[{"external_id": "old", "a": 1}])).people == {mel.id}

    async with db.transaction() as other:
        await other.execute("select 1 from people where id = $1 for update", mel.id)
        asking = asyncio.create_task(tracked(stage, attributes=[{"external_id": "old", "a": 2}]))
        assert await waits(db, asking)
        await other.execute("delete from former_names")
    assert (await asking).created, "the name is nobody's any more: it makes somebody"


async def test_a_lock_that_is_waited_for_is_that_of_whom_the_person_became(db: Database) -> None:
    stage = await stage_on(db, canvas(STEPS) + EMAIL)
    mel, zoe = await two(stage)

    async def lock() -> UUID | None:
        async with db.transaction() as connection:
            return await lock_present(connection, stage.workspace, mel.id)

    async with db.transaction() as merge:
        await merge.execute("select 1 from people where id = $1 for update", mel.id)
        asking = asyncio.create_task(lock())
        assert await waits(db, asking)
        await become_one(merge, stage.workspace, mel.id, zoe.id)
    assert await asking == zoe.id
    await db.pool.execute("delete from people where id = $1", zoe.id)
    assert await lock() is None


@pytest.mark.parametrize("name", ["opened", "clicked", "unsubscribed"])
async def test_a_link_of_a_mail_to_a_former_person_counts_for_who_they_are_now(
    db: Database, name: str
) -> None:
    """IDN-18"""
    stage = await stage_on(db, canvas(STEPS) + EMAIL)
    mel, zoe = await two(stage)
    [entry] = await stage.enter(mel)
    await stage.burst(entry)
    await become_one(db.pool, stage.workspace, mel.id, zoe.id)

    mark = Mark(stage.workspace, mel.id, entry, "story", "hi", "email")
    parts = db, stage.published, stage.clock, NullNotifier(), NullNotifier()
    assert await engaged(*parts, mark, name)
    rows = await db.pool.fetch("select person, name from events where kind = 'message'")
    assert [tuple(row) for row in rows] == [(zoe.id, name)]
    consents = await db.pool.fetch("select person from consents")
    assert [row["person"] for row in consents] == ([zoe.id] if name == "unsubscribed" else [])


async def test_a_message_that_is_claimed_while_its_person_is_merged_leaves_once_and_is_settled(
    db: Database,
) -> None:
    stage = await stage_on(db, canvas(STEPS) + EMAIL)
    mel, zoe = await two(stage)
    [entry] = await stage.enter(mel)
    await stage.burst(entry)

    async with Mailbox() as mailbox:

        class Merging(CrashingChannel):
            async def deliver(self, content: Any, to: Any, key: str) -> Any:
                await become_one(db.pool, stage.workspace, mel.id, zoe.id)
                return await super().deliver(content, to, key)

        await stage.deliver(Merging(Email(SmtpSettings(port=mailbox.port)), Fuse()))
    assert len(mailbox.mails) == 1 and await stage.none_left()
    fact = await db.pool.fetchrow(
        "select person, fact from facts where dispatch is not null and fact = 'sent'"
    )
    assert tuple(fact) == (zoe.id, "sent")
    stage.clock.turn(timedelta(days=1))  # type: ignore[attr-defined]
    assert (await stage.burst(entry, 2)).alarm_at is None
