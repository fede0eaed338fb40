"""Whom a canvas reaches: counted by SQL, window by window, as one would count person by person."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from journeys.channels.base import channel_of
from journeys.engine.delivery import reach
from journeys.engine.delivery.reach import Reach, reach_of
from journeys.engine.people import finding
from journeys.engine.store import Database
from tests.stage import EMAIL, MONDAY, Stage, canvas, stage_on, webhook

BOTH = """  - {type: message, id: hello, channel: email, template: hello}
  - {type: message, id: call, channel: webhook, template: hook}
"""
GROUP = "---\nkind: workspace\nformat: 1\nname: default\nglobal_control: {share: 15}\n"
AUDIENCES = {
    "everybody": "",
    "an attribute": "audience: {attribute: size, more_than: 38}",
    "what they did": "audience: {any: [{event: ping}, {attribute: size, equals: 36}]}",
    "a message of this canvas": "audience: {none: [{message: sent, step: hello}]}",
    "a pattern, which SQL leaves to us": "audience: {attribute: word, matches: '^a+$'}",
}


async def staged(db: Database, more: str, subscription: str) -> Stage:
    text = canvas(BOTH, more=f"{more}\nsend: {{subscription: {subscription}}}")
    stage = await stage_on(db, text + EMAIL + webhook("https://hook.example.com") + GROUP)
    publication = await stage.published.of(stage.workspace)
    held = sorted(publication.held_out(publication.running["story"].plan))
    buckets = (held[0], next(each for each in range(10_000) if each not in held))
    cases = product(
        (36, 40), (None, "mel@example.com"), (None, "opted_in", "unsubscribed"), buckets, ("aa", "b")
    )
    for size, email, consent, bucket, word in cases:
        one = await stage.person(email=email, attributes={"size": size, "word": word})
        await db.pool.execute("update people set bucket = $2 where id = $1", one.id, bucket)
        if consent:
            row = (stage.workspace, one.id, consent)
            await db.pool.execute("insert into consents values ($1, $2, 'email', $3, now())", *row)
        if size == 40 and word == "b":
            await stage.happens(one, "ping")
    return stage


async def counted(stage: Stage, channels: dict[str, Any] | None = None) -> Reach:
    publication = await stage.published.of(stage.workspace)
    installed = channels or {name: channel_of(name) for name in ("email", "webhook")}
    return await reach_of(stage.db, publication, publication.running["story"].plan, installed, MONDAY)


@pytest.mark.parametrize("subscription", ["subscribed", "opted_in", "all"])
@pytest.mark.parametrize("audience", AUDIENCES.values(), ids=list(AUDIENCES))
async def test_sql_counts_what_one_counts_person_by_person(
    db: Database, audience: str, subscription: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AUD-6, SUB-1, GCG-2: the audience, those who are held out, and who has an address and agrees."""
    stage = await staged(db, audience, subscription)
    monkeypatch.setattr(finding, "WINDOW", 7)
    found = await counted(stage)
    with monkeypatch.context() as patched:
        patched.setattr(reach, "HAS_ADDRESS", {})
        assert await counted(stage) == found
    assert found.people == 48
    assert 0 < found.held_out < found.audience
    assert found.reached["webhook"] == found.audience - found.held_out
    assert 0 < found.reached["email"] < found.reached["webhook"]


@pytest.mark.parametrize("alone", [True, False])
async def test_a_channel_whose_messages_belong_to_a_group_reaches_those_who_are_in_it(
    db: Database, alone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SUB-3, CNS-2: counted by SQL as person by person; a message beside it that belongs to none reaches all."""
    mail = "  - {type: message, id: NAME, channel: email, template: hello}\n"
    steps = mail.replace("NAME", "n").replace("hello}", "hello, subscription_group: news}")
    group = "---\nkind: subscription_group\nformat: 1\nname: news\nchannel: email\n"
    stage = await stage_on(db, canvas(steps + ("" if alone else mail.replace("NAME", "all"))) + EMAIL + group)
    for place in range(12):
        one = await stage.person(email=f"p{place}@example.com")
        row = (stage.workspace, one.id, ["subscribed", "unsubscribed"][place % 2])
        await db.pool.execute(
            "insert into subscriptions (workspace, person, name, channel, state, at) values ($1, $2, 'news', 'email', $3, now())",
            *row,
        )
        if place < 4:
            await db.pool.execute(
                "insert into consents values ($1, $2, 'email', 'unsubscribed', now())", *row[:2]
            )
    found = await counted(stage)
    with monkeypatch.context() as patched:
        patched.setattr(reach, "HAS_ADDRESS", {})
        assert await counted(stage) == found

    assert found.reached["email"] == (4 if alone else 8)


@pytest.mark.parametrize("subscription", ["subscribed", "all"])
async def test_an_address_that_does_not_exist_is_not_counted_nor_one_that_marked_a_mail_as_spam(
    db: Database, subscription: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CNS-4, EML-8: by SQL as person by person."""
    mail = "  - {type: message, id: n, channel: email, template: hello}\n"
    stage = await stage_on(db, canvas(mail, more=f"send: {{subscription: {subscription}}}") + EMAIL)
    for place in range(9):
        spam = {"marked_email_as_spam_at": "2026-12-01"} if place % 3 == 0 else {}
        await stage.person(email=f"p{place}@example.com", standard=spam)
    query = "insert into addresses (workspace, channel, address, bounced) select workspace, 'email', email, now() from people"
    await db.pool.execute(f"{query} where email < 'p2'")
    found = await counted(stage)
    with monkeypatch.context() as patched:
        patched.setattr(reach, "HAS_ADDRESS", {})
        assert await counted(stage) == found

    assert found.reached["email"] == (5 if subscription == "subscribed" else 7)


async def test_an_audience_that_sql_can_say_loads_nobody(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AUD-6: one statement for each window of people, so that its time does not grow with what they are."""

    async def loads(*given: object, **more: object) -> None:
        raise AssertionError("somebody was loaded")

    stage = await staged(db, AUDIENCES["what they did"], "subscribed")
    monkeypatch.setattr(reach, "load", loads)
    monkeypatch.setattr(reach, "page_of", loads)
    assert (await counted(stage)).people == 48


async def test_by_a_channel_that_is_not_installed_nobody_is_reached(db: Database) -> None:
    stage = await staged(db, "", "all")
    found = await counted(stage, {"webhook": channel_of("webhook")})
    assert (found.reached["email"], found.reached["webhook"]) == (0, found.audience - found.held_out)


async def test_an_empty_workspace_has_an_audience_of_nobody(db: Database) -> None:
    stage = await stage_on(db, canvas(BOTH) + EMAIL + webhook("https://hook.example.com"))
    assert await counted(stage) == Reach(0, 0, 0, {"email": 0, "webhook": 0})
