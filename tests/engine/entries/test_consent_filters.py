"""Filters on consents and on any purchase, as the store reads them: at the entry, at splits, at exits, in API audiences."""

from __future__ import annotations

from typing import Any

import pytest

from journeys.engine.entries.audience_reading import matching
from journeys.engine.intake.api_audience import audience_of
from journeys.engine.people.profiles import load
from journeys.engine.store import Database
from tests.stage import MONDAY, Stage, canvas, stage_on

SPLIT = (
    "  - {{type: decision_split, id: s, when: {}, steps: [{{type: delay, id: yes_, duration: 1 day}}],"
    " otherwise: [{{type: delay, id: no_, duration: 1 day}}]}}"
)


async def says(stage: Stage, person: Any, state: str, channel: str = "email") -> None:
    await stage.db.pool.execute(
        "insert into consents values ($1, $2, $3, $4, now())", stage.workspace, person.id, channel, state
    )


async def taken(stage: Stage, person: Any) -> list[str]:
    [entry] = await stage.enter(person)
    await stage.burst(entry)
    return await stage.path(entry)


async def test_an_audience_by_consent_lets_in_who_has_it(db: Database) -> None:
    """Who said nothing is subscribed; a segment may ask, too."""
    stage = await stage_on(
        db,
        canvas(
            "  - {type: delay, id: w, duration: 1 day}",
            more="audience: {all: [{segment: reached}, {consent: push, not_equals: unsubscribed}]}",
        )
        + "---\nkind: segment\nformat: 1\nname: reached\nwhen: {consent: email, one_of: [opted_in, subscribed]}\n",
    )
    silent, opted, gone = [await stage.person(external_id=name) for name in ("silent", "opted", "gone")]
    await says(stage, opted, "opted_in")
    await says(stage, gone, "unsubscribed")

    assert [len(await stage.enter(one)) for one in (silent, opted, gone)] == [1, 1, 0]


async def test_a_split_by_consent_sees_what_a_step_before_it_said(db: Database) -> None:
    """UPD-2: within one transaction, too."""
    update = "  - {type: user_update, id: u, attributes: {email_subscribe: unsubscribed}}\n"
    split = SPLIT.format("{consent: email, equals: unsubscribed}")
    stage = await stage_on(db, canvas(update + split))
    mel = await stage.person(external_id="mel")
    await says(stage, mel, "opted_in")

    assert await taken(stage, mel) == ["u", "s", "yes_"]


NEWS = "---\nkind: subscription_group\nformat: 1\nname: news\nchannel: email\n"


async def test_a_split_by_a_group_sees_what_a_step_before_it_said(db: Database) -> None:
    """UPD-1, UPD-2, PRF-5, CNS-3: for all who share the address; a group that there is not is told of."""
    said = "[{subscription_group_id: news, subscription_state: subscribed}, {subscription_group_id: no, subscription_state: subscribed}]"
    update = f"  - {{type: user_update, id: u, attributes: {{subscription_groups: {said}}}}}\n"
    split = SPLIT.format("{subscription: news, equals: subscribed}")
    stage = await stage_on(db, canvas(update + split) + NEWS)
    mel, kim = [await stage.person(external_id=name, email="us@example.com") for name in ("mel", "kim")]

    assert await taken(stage, mel) == ["u", "s", "yes_"]
    rows = await db.pool.fetch("select person, name, channel, state from subscriptions order by person")
    assert [tuple(row) for row in rows] == [(one.id, "news", "email", "subscribed") for one in (mel, kim)]
    facts = await db.pool.fetch(
        "select fact, data from facts where fact in ('subscription_changed', 'not_updated') order by no"
    )
    change = {"subscription": "news", "state": "subscribed", "source": "canvas"}
    assert [row["data"] for row in facts if row["fact"] == "subscription_changed"] == [change, change]
    [wrong] = [row["data"] for row in facts if row["fact"] == "not_updated"]
    assert (wrong["name"], "'no'" in wrong["reason"]) == ("subscription_groups", True)


async def test_an_audience_by_group_lets_in_who_is_subscribed_and_has_not_left_the_channel(
    db: Database,
) -> None:
    """CNS-2: they come back when they subscribe to the channel again."""
    more = "audience: {subscription: news, equals: subscribed}"
    stage = await stage_on(db, canvas("  - {type: delay, id: w, duration: 1 day}", more=more) + NEWS)
    silent, mel = [await stage.person(external_id=name) for name in ("silent", "mel")]
    row = "insert into subscriptions (workspace, person, name, channel, state, at) values ($1, $2, 'news', 'email', 'subscribed', now())"
    await db.pool.execute(row, stage.workspace, mel.id)
    await says(stage, mel, "unsubscribed")
    assert [len(await stage.enter(one)) for one in (silent, mel)] == [0, 0]

    await db.pool.execute("update consents set state = 'subscribed'")
    assert len(await stage.enter(mel)) == 1


async def test_an_exit_by_consent_takes_who_has_left_the_channel(db: Database) -> None:
    stage = await stage_on(
        db,
        canvas(
            "  - {type: delay, id: w, duration: 1 day}\n  - {type: delay, id: v, duration: 1 day}",
            more="exits: [{audience: {consent: email, equals: unsubscribed}}]",
        ),
    )
    mel, gone = await stage.person(external_id="mel"), await stage.person(external_id="gone")
    await says(stage, gone, "unsubscribed")
    entries = await stage.enter(mel, gone)
    for entry in entries:
        await stage.burst(entry)

    assert [(await stage.row(entry))["ended"] for entry in entries] == [None, "exit_audience"]


@pytest.mark.parametrize(
    ("bought", "ways"),
    [
        ([], "no_"),
        ([("shoe", 5)], "no_"),
        ([("shoe", 5), ("sock", 50)], "yes_"),
    ],
)
async def test_a_split_by_any_purchase_counts_every_product(
    db: Database, bought: list[tuple[str, int]], ways: str
) -> None:
    asked = "{all: [{purchase: true, where: [{property: price, more_than: 9}]}, {purchase: shoe}]}"
    stage = await stage_on(db, canvas(SPLIT.format(asked)))
    mel = await stage.person(external_id="mel")
    for product, price in bought:
        await stage.happens(mel, product, {"price": price}, kind="purchase")

    assert await taken(stage, mel) == ["s", ways]


async def test_any_purchase_brings_in_leads_out_and_decides(db: Database) -> None:
    """As a trigger of schedules, exits and action paths."""
    steps = "  - {type: action_paths, id: a, within: 1 day, paths: [{name: more, triggers: [{purchase: true, where: [{property: price, more_than: 9}]}]}]}\n  - {type: delay, id: w, duration: 1 day}\n  - {type: delay, id: v, duration: 1 day}"
    stage = await stage_on(
        db,
        canvas(
            steps,
            schedule="{purchase: true}",
            more="reentry: {after: 0 days}\nexits: [{purchase: true, where: [{property: refund, equals: true}]}]",
        ),
    )
    mel = await stage.person(external_id="mel")
    await stage.happens(mel, "sock", {"price": 1}, kind="purchase")
    [entry] = [row["id"] for row in await db.pool.fetch("select id from entries")]
    await stage.burst(entry)
    await stage.happens(mel, "shoe", {"price": 10}, kind="purchase")
    await stage.burst(entry, 2)
    assert await stage.path(entry) == ["a", "w"]
    await stage.happens(mel, "shoe", {"refund": True}, kind="purchase")
    assert (await stage.row(entry))["ended"] == "exit_event"


@pytest.mark.parametrize(
    "audience",
    [
        {"consent": "email", "equals": "opted_in"},
        {"email_subscription_status": {"comparison": "is", "value": "opted_in"}},
        {"none": [{"consent": "email", "not_equals": "opted_in"}]},
        {"AND": [{"push_subscription_status": {"comparison": "is_not", "value": "unsubscribed"}}, {"consent": "email", "equals": "opted_in"}]},
    ],
)  # fmt: skip
async def test_an_audience_of_a_call_may_ask_for_consents(db: Database, audience: Any) -> None:
    """SND-11"""
    stage = await stage_on(db, canvas("  - {type: delay, id: w, duration: 1 day}"))
    silent, opted = await stage.person(external_id="silent"), await stage.person(external_id="opted")
    await says(stage, opted, "opted_in")
    publication = await stage.published.of(stage.workspace)
    found = audience_of(audience, now=MONDAY, segments={})
    profiles = (await load(db.pool, stage.workspace, [silent.id, opted.id])).values()

    there = await matching(db.pool, publication, found, list(profiles), MONDAY)

    assert [one.external_id for one in there] == ["opted"]
