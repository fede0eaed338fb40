"""What messages read from the store while they are rendered, in mails that a real server took."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from journeys.channels.email import Email, SmtpSettings
from journeys.channels.mailbox import Mailbox
from journeys.engine.content import Values
from journeys.engine.delivery.delivery_worker import DeliveryWorker
from journeys.engine.entries.fetching import Fetcher
from journeys.engine.intake.track import track
from journeys.engine.ports import NullNotifier
from journeys.engine.sources.catalogs import items, schema
from journeys.engine.sources.catalogs.cache import CatalogCache
from journeys.engine.sources.connected.connected_content import ConnectedSettings, connected_content
from journeys.engine.sources.promotions import fill
from journeys.engine.store import Database
from journeys.engine.workspaces.publishing import publish
from journeys.engine.workspaces.template_services import TemplateServices
from tests.receiver import Receiver
from tests.stage import MONDAY, Stage, canvas, definitions_of, stage_on

CATALOG = """
---
kind: catalog
format: 1
name: shoes
fields:
  - {name: id, type: string}
  - {name: title, type: string}
  - {name: price, type: number}
  - {name: sold_out, type: boolean}
  - {name: since, type: time}
  - {name: tags, type: array}
selections:
  - name: road
    filters: [{field: tags, operator: includes value, value: road}]
    sort_field: price
    sort_order: asc
  - name: for-mel
    filters: [{field: price, operator: less than, value: "{{custom_attribute.${budget}}}"}]
    sort_field: price
    sort_order: desc
"""
SHOES: Sequence[dict[str, Any]] = (
    {"id": "a", "title": "Able", "price": 9.5, "sold_out": False, "since": "2026-01-01", "tags": ["road"]},
    {
        "id": "b",
        "title": "Bold",
        "price": 100,
        "sold_out": True,
        "since": "2026-06-01",
        "tags": ["road", "new"],
    },
    {"id": "c", "title": "Calm {{${first_name}}}", "price": 30, "sold_out": False, "tags": []},
    {"id": "d", "title": "Dash", "since": "2026-12-01T08:00:00-05:00"},
)
MAIL = "  - {type: message, id: m, channel: email, template: mail}"


def mail(html: str, subject: str = "Hello") -> str:
    body = "\n".join(f"  {line}" for line in html.split("\n"))
    return f"""
---
kind: template
format: 1
name: mail
channel: email
sender: {{name: Desk, address: desk@example.com}}
subject: "{subject}"
html: |
{body}
"""


def block(name: str, content: str) -> str:
    return f"---\nkind: content_block\nformat: 1\nname: {name}\ncontent: |\n  {content}\n"


async def stocked(db: Database, html: str, more: str = "", **subject: str) -> Stage:
    """A workspace with shoes and a mail."""
    stage = await stage_on(
        db, canvas(MAIL, more="reentry: {after: 0 days}") + mail(html, **subject) + CATALOG + more
    )
    async with db.transaction() as connection:
        await items.replace(connection, stage.workspace, "shoes", {one["id"]: one for one in SHOES})
    return stage


async def delivered(
    stage: Stage, mailbox: Mailbox, template_services: TemplateServices | None = None
) -> list[tuple[str, Any]]:
    """Drain the mail; what became of each message, and why."""
    parts = (stage.db, stage.published, stage.clock, NullNotifier(), NullNotifier())
    ways = {"email": Email(SmtpSettings(port=mailbox.port))}
    async with DeliveryWorker(
        *parts, ways, public_url="https://j.example", template_services=template_services
    ) as delivery_worker:
        while await delivery_worker.drain_once("email"):
            pass
    query = "select fact, data->>'reason' from facts where fact in ('sent', 'aborted', 'failed') order by no"
    return [(row[0], row[1]) for row in await stage.db.pool.fetch(query)]


async def post(stage: Stage, mailbox: Mailbox, **person: Any) -> list[tuple[str, Any]]:
    """One person gets the mail."""
    mel = await stage.person(email="mel@example.com", first_name="Mel", **person)
    for entry in await stage.enter(mel):
        await stage.burst(entry)
    return await delivered(stage, mailbox)


def read(mailbox: Mailbox) -> list[str]:
    """The lines of the newest mail, without the picture that tells of its opening."""
    html = re.sub(r"<img [^>]*>", "", mailbox.mails[-1].html)
    return [line.strip() for line in html.split("\n") if line.strip()]


async def test_one_mail_joins_an_attribute_a_web_service_and_an_item(
    db: Database, mailbox: Mailbox, receiver: Receiver
) -> None:
    """A48: a computed value, a nested answer and a catalog item in one template, in a mail that arrived."""
    receiver.replies["/weather"] = {"town": {"name": "Lyon", "sky": ["clear", "cold"]}}
    stage = await stocked(
        db,
        "{% connected_content " + receiver.url + "/weather :save weather %}\n"
        "{% catalog_items shoes {{custom_attribute.${last_seen}}} %}\n"
        "<p>{{${first_name}}}, it is {{weather.town.sky[0]}} in {{weather.town.name}}:"
        " {{items[0].title}} for {{items[0].price | times: 2 | money}}, {{custom_attribute.${points} | plus: 5}} points</p>\n"
        "<a href='{{${set_user_to_unsubscribed_url}}}'>no more</a>",
    )
    mel = await stage.person(
        email="mel@example.com", first_name="Mel", attributes={"last_seen": "a", "points": 37}
    )
    for entry in await stage.enter(mel):
        await stage.burst(entry)
    async with connected_content(db, ConnectedSettings(allowed_networks="127.0.0.0/8")) as calls:
        assert await delivered(stage, mailbox, TemplateServices.of(db, calls)) == [("sent", None)]

    assert read(mailbox)[0] == "<p>Mel, it is clear in Lyon: Able for 19.00, 42 points</p>"
    assert len(receiver.calls) == 1
    facts = await db.pool.fetchval("select count(*) from facts where fact = 'sent'")
    assert facts == 1


async def test_items_come_in_the_order_asked_for_without_the_unknown(db: Database, mailbox: Mailbox) -> None:
    """K1, K2, K4, K7: unknown ids and catalogs are no error; Liquid in a cell is run on demand only."""
    stage = await stocked(
        db,
        "{% catalog_items shoes d nope a %}{{items.size}}:{{items[0].title}},{{items[1].title}},{{items[2].title}}.\n"
        "{% catalog_items nope a %}[{{items[0].title}}]{{items.size}}\n"
        "{% catalog_items shoes c %}{{items[0].title}}\n"
        "{% catalog_items shoes c :rerender %}{{items[0].title}}",
    )
    assert await post(stage, mailbox) == [("sent", None)]

    assert read(mailbox) == ["2:Dash,Able,.", "[]0", "Calm {{${first_name}}}", "Calm Mel"]


async def test_a_selection_is_asked_with_the_values_of_each_person(db: Database, mailbox: Mailbox) -> None:
    """K3, K5, CAT-5: Liquid in a filter's value; one that comes to nothing matches nothing."""
    stage = await stocked(
        db,
        "{% catalog_selection_items shoes road %}{% for one in items %}{{one.id}} {% endfor %}\n"
        "{% catalog_selection_items shoes for-mel %}={% for one in items %}{{one.id}} {% endfor %}\n"
        "{% catalog_selection_items shoes nope %}{{items.size}}",
    )
    for budget, said in ((50, "=c a"), (10, "=a"), (None, "=")):
        attributes = {} if budget is None else {"budget": budget}
        assert set(await post(stage, mailbox, attributes=attributes)) == {("sent", None)}
        assert read(mailbox) == ["a b", said, "0"]


async def test_a_recommendation_is_a_selection_by_its_name(db: Database, mailbox: Mailbox) -> None:
    """S2"""
    stage = await stocked(
        db,
        "{% assign items = {{product_recommendation.${road}}} %}{{items[0].title}},{{items[5].title}}.\n"
        "{{product_recommendation.${nope} | size}}",
    )
    assert await post(stage, mailbox) == [("sent", None)]

    assert read(mailbox) == ["Able,.", "0"]


async def test_a_context_step_gets_a_recommendation_too(db: Database) -> None:
    """S2: though nothing else in its Liquid asks anybody."""
    step = "  - {type: context, id: c, set: [{name: best, value: '{{product_recommendation.${road}[1].title}}'}]}"
    rest = "  - {type: delay, id: rest, duration: 1 day}\n  - {type: message, id: m, channel: email, template: mail}"
    stage = await stage_on(db, canvas(f"{step}\n{rest}") + mail("x") + CATALOG)
    async with db.transaction() as connection:
        await items.replace(connection, stage.workspace, "shoes", {one["id"]: one for one in SHOES})
    [entry] = await stage.enter(await stage.person())
    await stage.burst(entry)
    fetcher = Fetcher(db, stage.published, stage.clock, stage.alarm_sync, TemplateServices.of(db))
    assert await fetcher.drain_once() == 1
    await stage.burst(entry)

    assert (await stage.row(entry))["context"] == {"best": "Bold"}


async def test_an_edit_of_a_block_reaches_the_next_message(db: Database, mailbox: Mailbox) -> None:
    """B1, B2, B3: blocks within blocks, in the message's scope; the third level is left out."""
    blocks = (
        block("outer", "{% assign from = 'outer' %}<b>{{content_blocks.${inner}}}</b>")
        + block("inner", "{{${first_name}}} {{content_blocks.${third}}}|")
        + block("third", "third")
    )
    stage = await stocked(db, "{{content_blocks.${outer}}}{{from}}{{content_blocks.${nope}}}", blocks)
    assert await post(stage, mailbox) == [("sent", None)]
    assert "".join(read(mailbox)) == "<b>Mel |</b>outer"

    await publish(
        db, "default", definitions_of(block("inner", "{% catalog_items shoes a %}{{items[0].title}}"))
    )
    stage.published.forget(stage.workspace)
    await post(stage, mailbox)
    assert "".join(read(mailbox)) == "<b>Able</b>outer"


# Carts ---------------------------------------------------------------------------------------------------------


def cart_event(name: str, at: int, **properties: Any) -> dict[str, Any]:
    return {
        "external_id": "mel",
        "name": f"ecommerce.{name}",
        "time": (MONDAY - timedelta(hours=at)).isoformat(),
        "properties": {"cart_id": "c1", "currency": "EUR", "products": [], **properties},
    }


SHOE = {"product_id": "a", "variant_id": "38", "product_name": "Able", "price": 9.5, "quantity": 2}
SOCK = {"product_id": "s", "variant_id": "1", "product_name": "Sock", "price": 3, "quantity": 1}


async def told(stage: Stage, *events: dict[str, Any]) -> Any:
    parts = (stage.db, stage.published, stage.clock, NullNotifier(), NullNotifier())
    return await track(*parts, stage.workspace, {"events": events})


async def test_a_cart_is_what_events_said_of_it(db: Database, mailbox: Mailbox) -> None:
    """S1: filled, added to, taken from; an older event changes nothing; a cart of another person is not used."""
    stage = await stocked(
        db,
        "{% shopping_cart c1 %}{{shopping_cart.currency}} {{shopping_cart.total_value}}"
        "{% for one in shopping_cart.products %} {{one.quantity}}x{{one.product_name}}{% endfor %}.\n"
        "{% shopping_cart other %}[{{shopping_cart.cart_id}}]",
    )
    await told(
        stage,
        cart_event("cart_updated", 5, products=[SHOE], total_value=19),
        cart_event("cart_updated", 4, products=[SOCK, {**SHOE, "quantity": 1}], action="add"),
        cart_event("cart_updated", 3, products=[{**SOCK}], action="remove"),
        cart_event("cart_updated", 9, products=[], total_value=0),
        {**cart_event("cart_updated", 5, products=[SOCK], cart_id="other"), "external_id": "zoe"},
    )
    await post(stage, mailbox, external_id="new")
    assert read(mailbox)[0].startswith(".")  # a cart belongs to a person
    await db.pool.execute(
        "update people set email = 'm@example.com', first_name = 'Mel' where external_id = 'mel'"
    )
    [mel] = await people(stage, "mel")
    for entry in await stage.enter(mel):
        await stage.burst(entry)
    await delivered(stage, mailbox)

    assert read(mailbox) == ["EUR 28.5 3xAble.", "[]"]


async def people(stage: Stage, external_id: str) -> list[Any]:
    from journeys.engine.people.profiles import load

    rows = await stage.db.pool.fetch("select id from people where external_id = $1", external_id)
    return list((await load(stage.db.pool, stage.workspace, [row["id"] for row in rows])).values())


async def test_a_cart_that_was_ordered_aborts_its_reminder(db: Database, mailbox: Mailbox) -> None:
    """S1: unless the author wants it all the same."""
    tag = "{% shopping_cart c1 %}{{shopping_cart.total_value}}"
    stage = await stocked(db, tag)
    await told(
        stage, cart_event("cart_updated", 5, products=[SHOE]), cart_event("order_placed", 4, products=[SHOE])
    )
    await db.pool.execute("update people set email = 'm@example.com' where external_id = 'mel'")
    [mel] = await people(stage, "mel")
    for entry in await stage.enter(mel):
        await stage.burst(entry)
    assert await delivered(stage, mailbox) == [("aborted", "liquid_abort_message")]

    kept = tag.replace("c1", "c1 :abort_if_not_abandoned false")
    await publish(db, "default", definitions_of(mail(kept)))
    stage.published.forget(stage.workspace)
    stage.clock.turn(timedelta(hours=1))  # type: ignore[attr-defined]
    for entry in await stage.enter(mel):
        await stage.burst(entry)
    assert (await delivered(stage, mailbox))[-1] == ("sent", None)
    assert read(mailbox) == ["19.0"]


async def test_an_event_of_a_cart_that_says_too_little_is_refused(db: Database) -> None:
    """EVT-7: in the words that clients know; others of the request are taken."""
    stage = await stocked(db, "x")
    answer = await told(
        stage,
        cart_event("cart_updated", 1, products=[{"product_name": "Able"}]),
        cart_event("cart_updated", 1, cart_id=None),
        cart_event("order_placed", 1, products=None),
        cart_event("cart_updated", 1, products=[SHOE]),
    )

    assert [error["type"] for error in answer.errors] == [
        "The property '#/products/0' did not contain a required property of 'product_id'",
        "The property '#/' did not contain a required property of 'cart_id'",
        "The property '#/' did not contain a required property of 'products'",
    ]
    assert answer.taken == {"events": 1}


async def test_every_event_of_shopping_says_what_it_is_about(db: Database) -> None:
    """EVT-7: a product that was looked at, an order that was refunded or cancelled; no cart is changed by them."""
    stage = await stocked(db, "x")
    answer = await told(
        stage,
        cart_event("product_viewed", 1),
        cart_event("product_viewed", 1, product_id="shoe"),
        cart_event("order_refunded", 1, products=[SHOE]),
        cart_event("order_refunded", 1, products=[SHOE], order_id="o1"),
        cart_event("order_cancelled", 1, order_id="o1", products=None),
        cart_event("order_cancelled", 1, products=[SHOE], order_id="o1"),
    )

    lacks = "The property '#/' did not contain a required property of '{}'"
    assert [error["type"] for error in answer.errors] == [
        lacks.format(name) for name in ("product_id", "order_id", "products")
    ]
    assert answer.taken == {"events": 3}
    assert await db.pool.fetchval("select count(*) from carts") == 0


STRANGE: Sequence[dict[str, Any]] = (
    {"variant_id": ["38"]},
    {"variant_id": {"size": 38}},
    {"quantity": "2", "price": "9.5"},
    {"quantity": 10**15, "price": 1.5},
    {"quantity": 1e308, "price": 1e308},
    {"quantity": True, "price": None},
    {"quantity": -3},
)


async def test_strange_products_spoil_no_cart_and_nobody_elses_request(db: Database) -> None:
    """S1: what is no number counts for nothing; lines are told apart by whatever they say of product and variant."""
    stage = await stocked(db, "x")
    for action in ("add", "replace", "remove"):
        products = [{"product_id": "a", **each} for each in STRANGE]
        said = [cart_event("cart_updated", 3, products=[each], action=action) for each in products]
        answer = await told(
            stage,
            *said,
            cart_event("cart_updated", 2, products=products, action=action),
            {**cart_event("cart_updated", 1, products=[SHOE], cart_id="zoes"), "external_id": "zoe"},
        )
        assert answer.taken == {"events": len(STRANGE) + 2}, answer.errors
        carts = dict(await db.pool.fetch("select id, body from carts"))
        assert carts["zoes"]["total_value"] == 19
        assert carts["c1"]["total_value"] == 0  # no product has both a quantity and a price


async def test_a_number_beyond_64_bits_in_a_product_refuses_its_event_and_no_other(db: Database) -> None:
    """EVT-7: nothing can hold it."""
    stage = await stocked(db, "x")
    large = [{"product_id": "a", "quantity": 10**30, "price": 1}]

    answer = await told(
        stage, cart_event("cart_updated", 2, products=large), cart_event("cart_updated", 1, products=[SHOE])
    )

    assert answer.taken == {"events": 1}
    assert [error["index"] for error in answer.errors] == [0]


# Selections ----------------------------------------------------------------------------------------------------

ASKED: Sequence[tuple[list[tuple[str, str, Any]], str]] = (
    ([], "abcd"),
    ([("title", "equals", "Able")], "a"),
    ([("title", "does not equal", "Able")], "bcd"),
    ([("id", "equals", "d")], "d"),
    ([("price", "equals", "9.50")], "a"),
    ([("price", "does not equal", 100)], "acd"),
    ([("price", "greater than", 9.5)], "bc"),
    ([("price", "less than", 100)], "ac"),
    ([("sold_out", "is", True)], "b"),
    ([("sold_out", "is", "false")], "ac"),
    ([("since", "before", "2026-06-01T00:00:00Z")], "a"),
    ([("since", "after", "2026-06-01")], "d"),
    ([("since", "after", "2026-12-01T12:59:00+00:00")], "d"),
    ([("since", "after", "2026-12-01T13:00:00+00:00")], ""),
    ([("tags", "includes value", "road")], "ab"),
    ([("tags", "does not include value", "new")], "acd"),
    ([("price", "less than", 50), ("sold_out", "is", False), ("tags", "includes value", "road")], "a"),
    ([("title", "equals", "x' or true --")], ""),
)


async def test_each_operator_finds_what_its_words_say(db: Database) -> None:
    """CAT-5: values go to the database as parameters."""
    stage = await stocked(db, "x")
    catalog_cache = CatalogCache(db)
    for filters, expected in ASKED:
        given = [{"field": field, "operator": operator, "value": value} for field, operator, value in filters]
        body = {"name": "x", "catalog": "shoes", "filters": given, "results_limit": 50}
        for order, ids in (("asc", expected), ("desc", expected[::-1])):
            await ask(db, stage, {**body, "sort_field": "id", "sort_order": order})
            found = await CatalogCache(db).selection(stage.workspace, "shoes", "x", Values())
            assert "".join(item["id"] for item in found) == ids, filters
    assert await catalog_cache.selection(stage.workspace + 1, "shoes", "x", Values()) == []


async def ask(db: Database, stage: Stage, body: dict[str, Any]) -> None:
    from functools import partial

    from journeys.engine.sources.catalogs.requests import selection_of

    async with db.transaction() as connection:
        await connection.execute("delete from catalog_selections where name = $1", body["name"])
        await schema.add_selection(
            connection, stage.workspace, "shoes", partial(selection_of, {"selection": body})
        )


async def test_items_are_sorted_limited_or_drawn_by_lot(db: Database) -> None:
    """CAT-5, K3: what has no value comes last; without an order each message draws its own."""
    stage = await stocked(db, "x")
    for order, ids in (("asc", "acbd"), ("desc", "bcad")):
        await ask(db, stage, {"name": "x", "sort_field": "price", "sort_order": order})
        found = await CatalogCache(db).selection(stage.workspace, "shoes", "x", Values())
        assert "".join(item["id"] for item in found) == ids
    await ask(db, stage, {"name": "x", "sort_field": "price", "sort_order": "asc", "results_limit": 2})
    assert len(await CatalogCache(db).selection(stage.workspace, "shoes", "x", Values())) == 2

    await ask(db, stage, {"name": "x"})
    catalog_cache = CatalogCache(db)
    orders = {
        "".join(item["id"] for item in await catalog_cache.selection(stage.workspace, "shoes", "x", Values()))
        for _ in range(60)
    }
    assert len(orders) > 5


@pytest.mark.parametrize(
    "html", ["{% promotion('spring') %}", "{% if false %}{% promotion('spring') %}{% endif %}no"]
)
async def test_a_list_without_a_code_aborts_the_message(db: Database, mailbox: Mailbox, html: str) -> None:
    """P2, P3: unknown, ended or empty, also in a branch that is not taken."""
    stage = await stocked(db, html)
    assert (await post(stage, mailbox))[-1] == ("aborted", "promo_codes_unknown")

    await fill(db, stage.workspace, "spring", MONDAY + timedelta(days=1), ["ONE"])
    assert (await post(stage, mailbox))[-1] == ("sent", None)
    assert (await post(stage, mailbox))[-1] == ("aborted", "promo_codes_exhausted")

    await fill(db, stage.workspace, "spring", MONDAY + timedelta(days=1), ["TWO"])
    stage.clock.turn(timedelta(days=1))  # type: ignore[attr-defined]
    assert (await post(stage, mailbox))[-1] == ("aborted", "promo_codes_expired")
    assert await db.pool.fetchval("select count(*) from promotion_codes where send is not null") == 1


async def test_what_stands_in_a_comment_of_a_mail_is_neither_run_nor_sent_unless_comments_are_kept(
    db: Database, mailbox: Mailbox
) -> None:
    """L8"""
    html = "<!-- {% promotion('spring') %} --><p>Hello</p>"
    stage = await stocked(db, html)
    assert await post(stage, mailbox) == [("sent", None)]
    assert read(mailbox) == ["<p>Hello</p>"]

    await publish(
        db, "default", definitions_of(mail(html).replace("html: |", "html_comments: kept\nhtml: |"))
    )
    stage.published.forget(stage.workspace)
    assert (await post(stage, mailbox))[-1] == ("aborted", "promo_codes_unknown")


async def test_a_user_update_fills_blocks_in(db: Database) -> None:
    """B1: an attribute that is Liquid may name a block."""
    text = canvas(
        "  - {type: user_update, id: u, attributes: {greeting: '{{content_blocks.${hello}}}!'}}"
    ) + block("hello", "Hello {{${first_name}}}").replace("content: |\n  ", "content: ")
    stage = await stage_on(db, text)
    mel = await stage.person(first_name="Mel")
    [entry] = await stage.enter(mel)
    await stage.burst(entry)
    assert (
        await Fetcher(db, stage.published, stage.clock, NullNotifier(), TemplateServices.of(db)).drain_once()
        == 1
    )
    await stage.burst(entry)

    assert await db.pool.fetchval("select attributes->>'greeting' from people") == "Hello Mel!"
