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
