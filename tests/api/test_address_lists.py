"""Addresses that are unsubscribed, blocked or do not exist, over the REST API and by mails that are sent for real."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from journeys.channels.email import Email, SmtpSettings
from journeys.channels.mailbox import Mailbox
from journeys.engine.people.profiles import load
from journeys.engine.store import Database
from journeys.engine.workspaces.api_keys import create_key
from tests.api.test_subscriptions import STORY, Desk
from tests.stage import FakeClock, Stage, stage_on

BOUNCES, UNSUBSCRIBES, NUMBERS = "/email/hard_bounces", "/email/unsubscribes", "/sms/invalid_phone_numbers"
ALWAYS = "start_date=2026-01-01&end_date=2027-01-01"


@pytest.fixture
async def desk(db: Database) -> AsyncIterator[Desk]:
    stage = await stage_on(db, STORY)
    made = Desk(stage, await create_key(db, stage.workspace, "test", ["*"]))
    yield made
    await made.client.aclose()


async def listed(desk: Desk, path: str, query: str) -> list[str]:
    answer = await desk.client.get(f"{path}?{query}")
    body = answer.json()
    assert (answer.status_code, body["message"]) == (200, "success"), answer.text
    return [each.get("email") or each["phone"] for each in body.get("emails", body.get("sms"))]


async def says(desk: Desk, path: str, **body: Any) -> None:
    answer = await desk.client.post(path, json=body)
    assert (answer.status_code, answer.json()) == (201, {"message": "success"}), answer.text


async def state_of(stage: Stage, name: str) -> str | None:
    found = await stage.db.pool.fetchval(
        "select c.state from people p join consents c on c.person = p.id where p.external_id = $1 and c.channel = 'email'",
        name,
    )
    return None if found is None else str(found)


def turn(stage: Stage, **span: int) -> None:
    assert isinstance(stage.clock, FakeClock)
    stage.clock.turn(timedelta(**span))


async def sent(stage: Stage, mailbox: Mailbox) -> list[str]:
    """What becomes of the messages that are due."""
    channel = Email(SmtpSettings(port=mailbox.port))
    while await stage.deliver(channel):
        pass
    await channel.close()
    rows = await stage.db.pool.fetch(
        "select fact, data->>'reason' as reason from facts where fact in ('sent', 'unreachable') order by no"
    )
    return [row["fact"] if row["fact"] == "sent" else row["reason"] for row in rows]


async def test_the_state_of_an_address_is_set_for_all_who_have_it_and_for_who_gets_it_later(
    desk: Desk,
) -> None:
    """EML-5, PRF-4: in whatever way they get it; what the same call says of the person comes after it."""
    for name in ("mel", "kim"):
        await desk.stage.person(external_id=name, email="us@example.com")
    await says(
        desk,
        "/email/status",
        email=["US@example.com", "later@example.com", "us@example.com"],
        subscription_state="unsubscribed",
    )
    assert [await state_of(desk.stage, name) for name in ("mel", "kim")] == ["unsubscribed"] * 2

    objects: list[dict[str, Any]] = [
        {"external_id": "sam", "email": "later@example.com"},
        {"email": "later@example.com", "first_name": "Lee"},
        {"external_id": "zoe", "email": "us@example.com"},
        {"external_id": "ann", "email": "new@example.com"},
        {"external_id": "bob", "email": "bob@example.com", "email_subscribe": "opted_in"},
    ]
    answer = await desk.client.post("/users/track", json={"attributes": objects})
    assert answer.json()["attributes_processed"] == 5, answer.text
    states = [await state_of(desk.stage, name) for name in ("sam", "zoe", "ann", "bob")]
    assert states == ["unsubscribed", "unsubscribed", None, "opted_in"]
    said = {"external_id": "ann", "email": "later@example.com", "email_subscribe": "opted_in"}
    await desk.client.post("/users/track", json={"attributes": [said]})
    assert await state_of(desk.stage, "ann") == "opted_in"


async def test_unsubscribes_are_the_addresses_whose_latest_state_it_is_in_pages(desk: Desk) -> None:
    """EML-2: an address that several have is told once; one that nobody has yet is told as well."""
    for name in ("a1", "a2"):
        await desk.stage.person(external_id=name, email="a@example.com")
    for address in ("a", "b", "c"):
        turn(desk.stage, days=1)
        await says(desk, "/email/status", email=f"{address}@example.com", subscription_state="unsubscribed")
    a, b, c = (f"{one}@example.com" for one in "abc")

    assert await listed(desk, UNSUBSCRIBES, ALWAYS) == [c, b, a]
    assert await listed(desk, UNSUBSCRIBES, ALWAYS + "&sort_direction=asc&limit=2") == [a, b]
    assert await listed(desk, UNSUBSCRIBES, ALWAYS + "&limit=2&offset=2") == [a]
    assert await listed(desk, UNSUBSCRIBES, "start_date=2026-12-09&end_date=2026-12-10") == [b]
    assert await listed(
        desk, UNSUBSCRIBES, "start_date=2026-12-09T09:00:00Z&end_date=2026-12-09T09:00:00Z"
    ) == [b]
    assert await listed(
        desk, UNSUBSCRIBES, "email=A@example.com&start_date=2030-01-01&end_date=2030-01-02"
    ) == [a]
    await says(desk, "/email/status", email=[a, b], subscription_state="subscribed")
    assert await listed(desk, UNSUBSCRIBES, ALWAYS) == [c]


async def test_a_mailbox_that_does_not_exist_gets_no_more_mail_until_the_mark_is_removed(
    desk: Desk, mailbox: Mailbox
) -> None:
    """EML-1, EML-3, EML-8, CNS-3, CNS-4: whoever has the address; the consent stays as it is."""
    stage = desk.stage
    mailbox.refuse = "gone@"
    mel, kim = [await stage.person(external_id=name, email="gone@example.com") for name in ("mel", "kim")]
    well = await stage.person(external_id="well", email="well@example.com")

    async def enters(*people: Any) -> None:
        for entry in await stage.enter(*people):
            await stage.burst(entry)

    await enters(mel, well)
    assert sorted(await sent(stage, mailbox)) == ["550 5.1.1 no such mailbox", "sent"]
    assert await listed(desk, BOUNCES, ALWAYS) == ["gone@example.com"]
    assert await listed(desk, BOUNCES, "email=gone@example.com") == ["gone@example.com"]
    assert await listed(desk, BOUNCES, "email=well@example.com") == []
    assert await listed(desk, BOUNCES, "start_date=2026-12-08&end_date=2027-01-01") == []
    await enters(kim)
    assert (await sent(stage, mailbox))[-1] == "hard_bounced"
    assert await state_of(stage, "kim") is None

    mailbox.refuse = None
    await says(desk, "/email/bounce/remove", email="gone@example.com")
    assert await listed(desk, BOUNCES, ALWAYS) == []
    await stage.db.pool.execute("delete from entries where person = $1", kim.id)
    await enters(await stage.person(external_id="sam", email="gone@example.com"))
    assert (await sent(stage, mailbox))[-1] == "sent"
    rows = await stage.db.pool.fetch(
        "select person, data from facts where fact = 'address_changed' order by no"
    )
    change = {"channel": "email", "source": "message", "change": "bounced"}
    assert [row["data"] for row in rows] == [change] * 2 + [
        {**change, "source": "rest", "change": "cleared"}
    ] * 2


class Full(Mailbox):
    """A mailbox that is full."""

    async def handle_RCPT(self, *_: Any) -> str:
        return "452 4.2.2 mailbox full"


@pytest.mark.parametrize("empties", [False, True])
async def test_a_mailbox_that_is_full_is_tried_for_three_days(desk: Desk, empties: bool) -> None:
    """EML-8: beyond the tries of other failures; it does not count as one that does not exist."""
    stage, db = desk.stage, desk.stage.db
    [entry] = await stage.enter(await stage.person(external_id="mel", email="mel@example.com"))
    await stage.burst(entry)

    async def tried(mailbox: Mailbox, **later: int) -> list[str]:
        turn(stage, **later)
        await db.pool.execute("update dispatches set not_before = null, attempts = greatest(attempts, 5)")
        return await sent(stage, mailbox)

    async with Full() as full:
        for later in ({"hours": 0}, {"hours": 1}, {"hours": 70}):
            assert await tried(full, **later) == []
        wait = "select extract(epoch from not_before - now())::int between 3500 and 3600 from dispatches"
        assert await db.pool.fetchval(wait), "the last try is at the end of the three days"
        if empties:
            async with Mailbox() as mailbox:
                assert await tried(mailbox, hours=1) == ["sent"]
        else:
            await tried(full, hours=1)
            reason = "select data->>'reason' from facts where fact = 'failed'"
            assert await db.pool.fetchval(reason) == "452 4.2.2 mailbox full"
    assert await stage.none_left() and await listed(desk, BOUNCES, ALWAYS) == []
    assert await state_of(stage, "mel") is None


async def test_an_address_on_the_block_list_is_unsubscribed_and_gets_nothing(
    desk: Desk, mailbox: Mailbox
) -> None:
    """EML-6: by either name of the route; nothing of it waits for a person who has the address."""
    mel = await desk.stage.person(external_id="mel", email="mel@example.com")
    await says(desk, "/email/blocklist", email="mel@example.com")
    await says(desk, "/email/blacklist", email=["kim@example.com"])

    assert await state_of(desk.stage, "mel") == "unsubscribed"
    assert sorted(await listed(desk, BOUNCES, ALWAYS)) == ["kim@example.com", "mel@example.com"]
    assert sorted(await listed(desk, UNSUBSCRIBES, ALWAYS)) == ["kim@example.com", "mel@example.com"]
    for entry in await desk.stage.enter(mel):
        await desk.stage.burst(entry)
    assert await sent(desk.stage, mailbox) == ["hard_bounced"]


async def test_who_marked_a_mail_as_spam_gets_no_more_until_the_mark_is_removed(
    desk: Desk, mailbox: Mailbox
) -> None:
    """EML-4, EML-8"""
    body = {
        "attributes": [
            {
                "external_id": "mel",
                "email": "mel@example.com",
                "marked_email_as_spam_at": "2026-12-01T09:00:00Z",
            }
        ]
    }
    await desk.client.post("/users/track", json=body)
    found = await desk.stage.db.pool.fetchval("select id from people")
    mel = (await load(desk.stage.db.pool, desk.stage.workspace, [found]))[found]
    for entry in await desk.stage.enter(mel):
        await desk.stage.burst(entry)
    assert await sent(desk.stage, mailbox) == ["marked_as_spam"]

    for _ in range(2):
        await says(desk, "/email/spam/remove", email=["MEL@example.com"])
    assert (
        await desk.stage.db.pool.fetchval("select standard ? 'marked_email_as_spam_at' from people") is False
    )
    assert [one for one in await changes(desk.stage) if one == "spam_cleared"] == ["spam_cleared"]


async def changes(stage: Stage) -> list[str]:
    rows = await stage.db.pool.fetch(
        "select data->>'change' as change from facts where fact = 'address_changed'"
    )
    return [row["change"] for row in rows]


async def test_numbers_that_do_not_exist_are_listed_and_removed(desk: Desk) -> None:
    """EML-7"""
    await desk.stage.person(external_id="mel", phone="+4930901820")
    await desk.stage.db.pool.execute(
        "insert into addresses (workspace, channel, address, bounced) values ($1, 'sms', '+4930901820', $2)",
        desk.stage.workspace, desk.stage.clock.now(),
    )  # fmt: skip

    assert await listed(desk, NUMBERS, ALWAYS) == ["+4930901820"]
    assert await listed(desk, NUMBERS, "phone_numbers[]=%2B4930901820") == ["+4930901820"]
    await says(desk, "/sms/invalid_phone_numbers/remove", phone_numbers=["+49 30 901820"])
    assert await listed(desk, NUMBERS, ALWAYS) == []
    assert await changes(desk.stage) == ["cleared"]


@pytest.mark.parametrize(
    ("path", "query", "message"),
    [
        (BOUNCES, "", "'email', or 'start_date' and 'end_date', is required"),
        (BOUNCES, "end_date=2026-12-01", "'email', or 'start_date' and 'end_date', is required"),
        (UNSUBSCRIBES, "start_date=x&end_date=2026-12-01", "'x' must be a date such as 2026-12-31"),
        (UNSUBSCRIBES, "email=x", "The value provided for the 'email' field is not a valid email."),
        (UNSUBSCRIBES, ALWAYS + "&sort_direction=up", "'sort_direction' must be 'asc' or 'desc'"),
        (BOUNCES, ALWAYS + "&limit=501", "'limit': Input should be less than or equal to 500"),
        (NUMBERS, "phone_numbers=1", "'phone' must be a phone number with its country code"),
        (NUMBERS, "limit=1", "'phone_numbers', or 'start_date' and 'end_date', is required"),
    ],
)
async def test_a_list_that_is_asked_for_wrongly_is_refused(
    desk: Desk, path: str, query: str, message: str
) -> None:
    """EML-1, EML-2, EML-7"""
    answer = await desk.client.get(f"{path}?{query}")
    assert (answer.status_code, answer.json()["message"]) == (400, message)


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/email/status", {"email": "a@example.com"}, "'subscription_state' is required"),
        ("/email/status", {"email": "a@example.com", "subscription_state": "x"}, "'subscription_state' must be 'opted_in', 'subscribed' or 'unsubscribed'"),
        ("/email/status", {"subscription_state": "subscribed"}, "'email' is required"),
        ("/email/blocklist", {"email": ["a@example.com"] * 51}, "The max number of ids per request was exceeded"),
        ("/email/bounce/remove", {"email": ["mel"]}, "The value provided for the 'email' field is not a valid email."),
        ("/email/spam/remove", {"email": []}, "'email' must not be empty"),
        ("/sms/invalid_phone_numbers/remove", {}, "'phone_numbers' is required"),
    ],
)  # fmt: skip
async def test_what_is_said_wrongly_of_addresses_is_refused(
    desk: Desk, path: str, body: dict[str, Any], message: str
) -> None:
    """EML-3, EML-4, EML-5, EML-6"""
    answer = await desk.client.post(path, json=body)
    assert (answer.status_code, answer.json()["message"]) == (400, message)
