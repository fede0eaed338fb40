"""What a canvas writes to a profile goes by the rules by which a request does."""

from __future__ import annotations

from typing import Any

from journeys.engine.delivery.engagement import engaged
from journeys.engine.delivery.tracking_links import Mark
from journeys.engine.entries.derived_events import route_derived_events
from journeys.engine.ports import NullNotifier
from journeys.engine.store import Database
from tests.stage import Stage, canvas, stage_on


async def updated(db: Database, given: str, events: str = "[]", **columns: Any) -> tuple[Stage, Any]:
    """A person after a user update."""
    step = f"  - {{type: user_update, id: u, attributes: {given}, events: {events}}}"
    stage = await stage_on(db, canvas(step))
    mel = await stage.person(**columns)
    [entry] = await stage.enter(mel)
    await stage.burst(entry)
    return stage, entry


async def test_standard_attributes_are_written_where_they_are_kept_and_in_their_form(db: Database) -> None:
    """UPD-1: a country by its name, a zone by that of Rails, a phone number as people write it."""
    given = (
        "{first_name: Mel, email: ' Mel@Example.com', language: de, country: France, time_zone: Tokyo, gender: F,"
        " phone: '+49 30 901820', dob: '1990-12-31', size: 38}"
    )
    await updated(db, given)

    row = await db.pool.fetchrow("select * from people")
    assert [row[name] for name in ("first_name", "email", "language", "country", "zone", "phone")] == [
        "Mel", "mel@example.com", "de", "FR", "Asia/Tokyo", "+4930901820",
    ]  # fmt: skip
    assert row["standard"] == {"gender": "F", "dob": "1990-12-31"}
    assert row["attributes"] == {"size": 38}


async def test_what_the_rules_refuse_is_not_written_and_a_fact_says_why(db: Database) -> None:
    """ATT-1, NST-1, UPD-1: each by itself; the others are written, and the entry goes on."""
    given = (
        f"{{email: nobody, gender: X, email_subscribe: perhaps, long: {'x' * 256}, 'a': {{'b c': 1}}, size: 38, "
        "last_name: null}"
    )
    stage, entry = await updated(db, given, email="mel@example.com", last_name="Gone")

    row = await db.pool.fetchrow("select email, last_name, standard, attributes from people")
    assert dict(row) == {
        "email": "mel@example.com", "last_name": None, "standard": {}, "attributes": {"size": 38},
    }  # fmt: skip
    said = await db.pool.fetch("select data from facts where fact = 'not_updated' order by no")
    assert {each["data"]["name"] for each in said} == {"email", "gender", "email_subscribe", "long", "a"}
    assert all(each["data"]["reason"] for each in said)
    assert (await stage.row(entry))["ended"] == "completed"


async def test_an_increment_adds_to_a_number_and_leaves_what_is_none(db: Database) -> None:
    """ATT-3."""
    given = (
        "{a: {increment: 2}, b: {increment: 2}, c: {increment: 2}, d: {increment: 2}, e: {increment: 0.5}}"
    )
    await updated(db, given, attributes={"a": 1, "b": "one", "c": True, "e": 1})

    found = await db.pool.fetchval("select attributes from people")
    assert found == {"a": 3, "b": "one", "c": True, "d": 2, "e": 1.5}


async def consents(db: Database) -> dict[str, str]:
    rows = await db.pool.fetch(
        "select external_id, channel, state from consents c join people p on p.id = c.person"
    )
    return {f"{row['external_id']} {row['channel']}": row["state"] for row in rows}


async def test_a_consent_to_email_holds_for_all_who_share_the_address_however_it_is_said(
    db: Database,
) -> None:
    """PRF-5: by a user update, and by the link in a message; one to push is the person's own."""
    stage = await stage_on(
        db,
        canvas(
            "  - {type: user_update, id: u, attributes: {email_subscribe: opted_in, push_subscribe: unsubscribed}}"
        ),
    )
    mel, *_ = [
        await stage.person(external_id=name, email=email)
        for name, email in (("mel", "a@example.com"), ("twin", "a@example.com"), ("zoe", "z@example.com"))
    ]
    await stage.person(external_id="none")
    [entry] = await stage.enter(mel)
    await stage.burst(entry)
    said = {"mel email": "opted_in", "twin email": "opted_in", "mel push": "unsubscribed"}
    assert await consents(db) == said

    mark = Mark(stage.workspace, mel.id, entry, "story", "m", "email")
    assert await engaged(
        db, stage.published, stage.clock, NullNotifier(), NullNotifier(), mark, "unsubscribed"
    )
    assert await consents(db) == {**said, "mel email": "unsubscribed", "twin email": "unsubscribed"}


async def test_an_event_of_a_user_update_fills_and_buys_a_cart(db: Database) -> None:
    """S1: as one that a server reports; one that is not as such events must be changes none (EVT-7)."""
    product = "{product_id: a, product_name: A, variant_id: b, quantity: 2, price: 3}"
    cart = f"{{cart_id: c, currency: EUR, total_value: 6, products: [{product}]}}"
    stage, _ = await updated(
        db, "{}", f"[{{name: ecommerce.cart_updated, properties: {cart}}}, "
        "{name: ecommerce.cart_updated, properties: {cart_id: d}}]",
    )  # fmt: skip

    assert await route_derived_events(db, stage.published, stage.clock, NullNotifier(), NullNotifier()) == 2
    [row] = await db.pool.fetch("select id, body, ordered from carts")
    assert (row["id"], row["ordered"], len(row["body"]["products"])) == ("c", False, 1)
