"""Addresses of people who were erased: what may not be sent to them is known of by hashes alone, and holds for who has them later."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from journeys.channels.email import Email, SmtpSettings
from journeys.channels.mailbox import Mailbox
from journeys.engine.intake import erasing
from journeys.engine.intake.address_calls import block, remove_bounces, set_states
from journeys.engine.people.addresses import Asked, bounced_addresses, unsubscribed_addresses
from journeys.engine.people.profiles import Profile, load, lock
from journeys.engine.store import Database
from tests.engine.entries.test_locks import tracked, waits
from tests.engine.intake.test_erasing import SENDS, erase, places
from tests.stage import EMAIL, Stage, stage_on

WORD, NUMBER = "word@example.com", "+4915112345678"
STATES = "select state, (bounced is not null)::int as bounced from addresses order by channel, address"


@pytest.fixture
async def stage(db: Database) -> Stage:
    return await stage_on(db, SENDS + EMAIL)


async def known(stage: Stage) -> list[tuple[str | None, int]]:
    return [tuple(row) for row in await stage.db.pool.fetch(STATES)]


async def says(stage: Stage, name: str, **values: Any) -> Profile:
    """A call of `/users/track` about somebody, as they are afterwards."""
    done = await tracked(stage, attributes=[{"external_id": name, **values}])
    [found] = done.people
    return (await load(stage.db.pool, stage.workspace, [found], consents=True))[found]


async def gone(stage: Stage, *people: Profile) -> None:
    await erase(stage, *people)
    assert await places(stage.db, "word@", "15112345678") == []


async def test_who_unsubscribed_and_is_erased_is_unsubscribed_when_the_address_comes_again(
    stage: Stage,
) -> None:
    """IDN-31, PRF-4"""
    mel = await says(stage, "mel", email=WORD, email_subscribe="unsubscribed")
    await gone(stage, mel)
    assert await known(stage) == [("unsubscribed", 0)]
    assert await unsubscribed_addresses(stage.db.pool, stage.workspace, Asked()) == []

    other = await stage_on(stage.db, SENDS + EMAIL, workspace="other")
    assert (await says(other, "mel", email=WORD)).consents == {}
    assert (await says(stage, "kim", email="other@example.com")).consents == {}
    assert (await says(stage, "sam", email=WORD)).consents == {"email": "unsubscribed"}
    assert len(await unsubscribed_addresses(stage.db.pool, stage.workspace, Asked())) == 1
    assert await places(stage.db, "sha256:") == []


async def test_the_same_word_is_another_hash_in_another_workspace(stage: Stage) -> None:
    other = await stage_on(stage.db, SENDS + EMAIL, workspace="other")
    for one in (stage, other):
        await gone(one, await says(one, "mel", email=WORD, email_subscribe="unsubscribed"))
    assert len({row["address"] for row in await stage.db.pool.fetch("select address from addresses")}) == 2


async def test_a_mailbox_and_a_number_that_do_not_exist_are_sent_nothing_when_they_come_again(
    stage: Stage,
) -> None:
    """IDN-31, EML-6"""
    publication = await stage.published.of(stage.workspace)
    mel = await says(stage, "mel", email=WORD, phone=NUMBER)
    await block(stage.db, publication, [WORD], stage.clock.now())
    await stage.db.pool.execute(
        "insert into addresses (workspace, address, channel, bounced) values ($1, $2, 'sms', now())",
        stage.workspace,
        NUMBER,
    )
    await gone(stage, mel)
    assert await bounced_addresses(stage.db.pool, stage.workspace, "email", Asked()) == []
    assert await known(stage) == [("unsubscribed", 1), (None, 1)]

    sam = await says(stage, "sam", email=WORD, phone=NUMBER)

    assert (sam.bounced, sam.consents) == (frozenset({"email", "sms"}), {"email": "unsubscribed"})
    assert len(await bounced_addresses(stage.db.pool, stage.workspace, "email", Asked())) == 1
    await gone(stage, sam)
    assert await known(stage) == [("unsubscribed", 1), (None, 1)]


async def test_who_marked_a_mail_as_spam_counts_as_unsubscribed_there(stage: Stage) -> None:
    """IDN-31"""
    mel = await stage.person(email=WORD)
    await stage.db.pool.execute('update people set standard = \'{"marked_email_as_spam_at": "2026-01-01"}\'')
    await gone(stage, mel)
    assert (await says(stage, "sam", email=WORD)).consents == {"email": "unsubscribed"}


@pytest.mark.parametrize("state", ["subscribed", "opted_in", None])
async def test_of_an_address_that_may_be_sent_to_nothing_is_kept(stage: Stage, state: str | None) -> None:
    """IDN-31: also where another state was said in advance, before."""
    publication = await stage.published.of(stage.workspace)
    if state is not None:
        await set_states(stage.db, publication, [WORD], "unsubscribed", stage.clock.now())
        stage.clock.turn(timedelta(hours=1))  # type: ignore[attr-defined]
    await gone(stage, await says(stage, "mel", email=WORD, **({"email_subscribe": state} if state else {})))
    assert await known(stage) == []
    assert (await says(stage, "sam", email=WORD)).consents == {}


async def test_an_address_that_somebody_else_has_too_stays_as_it_is_until_they_are_erased(
    stage: Stage,
) -> None:
    """IDN-31"""
    publication = await stage.published.of(stage.workspace)
    mel, zoe = [await says(stage, name, email=WORD) for name in ("mel", "zoe")]
    await block(stage.db, publication, [WORD], stage.clock.now())
    await erase(stage, mel)
    assert await places(stage.db, WORD) == ["people.email", "addresses.address"]
    assert (await says(stage, "zoe")).bounced == {"email"}
    await gone(stage, zoe)
    assert await known(stage) == [("unsubscribed", 1)]


async def test_of_two_with_one_address_who_are_erased_at_once_the_state_stays(stage: Stage) -> None:
    """IDN-31: whoever comes last sees that nobody else has it."""
    mel = await says(stage, "mel", email=WORD, email_subscribe="unsubscribed")
    zoe = await says(stage, "zoe", email=WORD)
    async with stage.db.transaction() as other:
        await other.execute(
            "lock table facts in share mode"
        )  # both have all their locks by then, or wait for them
        tasks = [asyncio.create_task(erase(stage, one)) for one in (mel, zoe)]
        for number, task in enumerate(tasks):
            assert await waits(stage.db, task, number)
    assert await asyncio.gather(*tasks) == [1, 1]
    assert await places(stage.db, WORD) == []
    assert (await says(stage, "sam", email=WORD)).consents == {"email": "unsubscribed"}


@pytest.mark.parametrize("order", ["the erasure first", "the erasure last"])
async def test_an_address_that_comes_again_while_who_had_it_is_erased_is_sent_nothing(
    stage: Stage, order: str
) -> None:
    """IDN-31"""
    publication = await stage.published.of(stage.workspace)
    mel = await says(stage, "mel", email=WORD)
    await block(stage.db, publication, [WORD], stage.clock.now())
    db = stage.db
    async with db.transaction() as other:
        if order == "the erasure first":
            await lock(other, stage.workspace, [mel.id])
            await erasing.erase(other, stage.workspace, mel.id, stage.clock.now())
            coming = asyncio.create_task(says(stage, "sam", email=WORD))
            assert await waits(db, coming), "at its commit it waits for what is known of the address"
        else:
            await other.execute(
                "insert into people (workspace, id, shard, bucket, external_id, email) values ($1, gen_random_uuid(), 1, 1, 'sam', $2)",
                stage.workspace,
                WORD,
            )
            await other.execute("set constraints all immediate")
            coming = asyncio.create_task(erase(stage, mel))  # type: ignore[arg-type]
            assert await waits(db, coming)
    await coming
    sam = await says(stage, "sam")
    assert sam.bounced == {"email"}
    assert await places(db, "sha256:") == []


class Talkative(Mailbox):
    """A mail server that knows none of its recipients, and says whom."""

    async def handle_RCPT(self, *said: Any) -> str:
        return f"550 5.1.1 <{said[3]}> unknown"


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    async with Talkative() as one:
        yield one


async def test_what_a_mail_server_says_of_an_address_goes_with_it(stage: Stage, mailbox: Mailbox) -> None:
    """IDN-31: the words of others are no code."""
    mel = await says(stage, "mel", email=WORD)
    [entry] = await stage.enter(mel)
    await stage.burst(entry)
    await stage.deliver(Email(SmtpSettings(port=mailbox.port)))
    assert "facts.data" in await places(stage.db, "word@")
    await gone(stage, mel)
    assert await known(stage) == [(None, 1)]
    assert await stage.db.pool.fetchval("select count(*) from facts where fact = 'unreachable'") == 1


async def test_a_mail_that_comes_back_after_its_person_was_erased_leaves_no_address(
    stage: Stage, mailbox: Mailbox
) -> None:
    """IDN-31, EML-8: the mailbox is known not to exist by its hash."""
    mel = await says(stage, "mel", email=WORD)
    [entry] = await stage.enter(mel)
    await stage.burst(entry)

    class Erasing(Email):
        async def deliver(self, content: Any, to: Any, key: str) -> Any:
            await erase(stage, mel)
            return await super().deliver(content, to, key)

    await stage.deliver(Erasing(SmtpSettings(port=mailbox.port)))
    assert await stage.none_left() and await known(stage) == [(None, 1)]
    assert await places(stage.db, "word@") == []
    assert (await says(stage, "sam", email=WORD)).bounced == {"email"}


async def test_a_call_that_names_an_address_is_about_what_is_known_of_it(stage: Stage) -> None:
    """EML-3, EML-5: also where only its hash was kept."""
    publication = await stage.published.of(stage.workspace)
    mel = await says(stage, "mel", email=WORD)
    await block(stage.db, publication, [WORD], stage.clock.now())
    await gone(stage, mel)

    await remove_bounces(stage.db, stage.workspace, "email", [WORD], stage.clock.now())
    assert await known(stage) == [("unsubscribed", 0)]
    await set_states(stage.db, publication, [WORD], "opted_in", stage.clock.now())

    sam = await says(stage, "sam", email=WORD)
    assert (sam.bounced, sam.consents) == (frozenset(), {"email": "opted_in"})
