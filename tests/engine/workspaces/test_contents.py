"""Templates that use everything at once: one mail with the whole language; blocks, codes and carts in races."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from journeys.channels.mailbox import Mailbox
from journeys.engine.content import Values
from journeys.engine.entries.fetching import Fetcher
from journeys.engine.sources.catalogs import cache, items
from journeys.engine.sources.connected.connected_content import ConnectedSettings, connected_content
from journeys.engine.sources.promotions import fill
from journeys.engine.store import Database
from journeys.engine.workspaces.publishing import publish
from journeys.engine.workspaces.template_services import TemplateServices
from tests.engine.workspaces.test_outside import (
    SHOE,
    SOCK,
    block,
    cart_event,
    delivered,
    mail,
    people,
    post,
    read,
    stocked,
    told,
)
from tests.receiver import Receiver
from tests.stage import MONDAY, Stage, canvas, definitions_of

WHOLE = r"""
{{${first_name} | default: 'reader'}} {{custom_attribute.${home town}[0] | upcase}} {{custom_attribute.${nothing}.deeper}}.
  Mel LYON .
{% if custom_attribute.${nick} == blank %}no nick{% else %}{{custom_attribute.${nick}}}{% endif %}{% unless false or custom_attribute.${points} > 36 %}few{% endunless %}
  no nick
{% assign words = 'sea,air,land' | split: ',' | sort %}{% for word in words limit: 2 %}{{forloop.index}}{{word}}{% unless forloop.last %}, {% endunless %}{% endfor %}
  1air, 2land
{% case custom_attribute.${points} %}{% when 1 or 37 %}{% capture much %}{{custom_attribute.${points} | plus: 5}}{% endcapture %}{{much | divided_by: 4.0}} {{1234.5 | money}}{% endcase %}
  10.5 1234.50
{{'now' | date: '%A %-d %B %Y'}} {{'now' | time_zone: 'America/Los_Angeles' | date: '%H:%M'}}
  Monday 7 December 2026 01:00
{{custom_attribute.${pet} | as_json_string}} {{custom_attribute.${pet} | property_accessor: 'name'}} {{'a b&c' | url_param_escape}} {{${email_address} | md5 | slice: 0, 6}}
  {"name":"Rex"} Rex a%20b%26c {md5}
{{campaign.${name}}} {{canvas.${name}}} {{context.${ref}}}
  m story r-7
{% connected_content {url}/sky/{{context.${ref}}} :save sky :headers {"X-Who": "{{${first_name}}}"} %}{{sky.__http_status_code__}} {{sky.town.sky[1]}}
  200 cold
{% catalog_items shoes {{custom_attribute.${last_seen}}} c :rerender %}{{items[0].title}} {{items[1].title}}
  Able Calm Mel
{% catalog_selection_items shoes road %}{{items | map: 'id' | join: '+'}}{% assign items = {{product_recommendation.${road}}} %} {{items[1].price}}
  a+b 100
{% shopping_cart c1 %}{{shopping_cart.products[0].quantity}} {{shopping_cart.total_value | money}}
  2 19.00
{{content_blocks.${outer}}} {{content_blocks.${word} | append: '!'}}
  (deep) hey!
{% promotion('spring') %}{% message_extras :key code :value {{${first_name}}} %}
  ONE
{% if ${set_user_to_unsubscribed_url} contains 'https://j.example/' %}a way out{% endif %}
  a way out
{% if false %}{% abort_message('never') %}{% endif %}-{%- comment -%} nothing {% endcomment %}
  -
"""
"""Lines of a template, and below each what it comes to."""


def phrase(name: str, content: str) -> str:
    """A block that has no line end."""
    return f'---\nkind: content_block\nformat: 1\nname: {name}\ncontent: "{content}"\n'


async def test_one_mail_uses_each_part_of_the_language(
    db: Database, mailbox: Mailbox, receiver: Receiver
) -> None:
    """A46: values, conditions, loops, filters, dates, web services, catalogs, carts, blocks, codes, extras; in a mail
    that a real server took."""
    receiver.replies["/sky/r-7"] = {"town": {"sky": ["clear", "cold"]}}
    lines = WHOLE.strip().split("\n")
    html = "\n".join(lines[::2]).replace("{url}", receiver.url)
    stage = await stocked(
        db,
        html,
        phrase("outer", "({{content_blocks.${inner}}})") + phrase("inner", "deep") + phrase("word", "hey"),
        subject="{{${first_name}}}: {% promotion('spring') %}",
    )
    await fill(db, stage.workspace, "spring", MONDAY + timedelta(days=9), ["ONE", "TWO"])
    await told(stage, cart_event("cart_updated", 5, products=[SHOE]))
    await db.pool.execute(
        "update people set email = 'mel@example.com', first_name = 'Mel', attributes = $1 where external_id = 'mel'",
        {"home town": ["Lyon"], "points": 37, "last_seen": "a", "pet": {"name": "Rex"}},
    )
    [mel] = await people(stage, "mel")
    [entry] = await stage.enter(mel, ref="r-7")
    await stage.burst(entry)
    async with connected_content(db, ConnectedSettings(allowed_networks="127.0.0.0/8")) as calls:
        assert await delivered(stage, mailbox, TemplateServices.of(db, calls)) == [("sent", None)]

    md5 = await db.pool.fetchval("select left(md5('mel@example.com'), 6)")
    assert read(mailbox) == [line.strip().replace("{md5}", md5) for line in lines[1::2]]
    assert mailbox.mails[-1].message["subject"] == "Mel: ONE"
    assert [call["headers"]["x-who"] for call in receiver.calls] == ["Mel"]
    [data] = [row[0] for row in await db.pool.fetch("select data from facts where fact = 'sent'")]
    assert msgspec.json.decode(data["extras"]) == {"code": "Mel"}


# Blocks --------------------------------------------------------------------------------------------------------


async def test_an_edit_of_a_block_reaches_those_who_wait_and_what_is_queued(
    db: Database, mailbox: Mailbox
) -> None:
    """B3: blocks are no part of the version of a canvas that an entry keeps; what counts is the moment of rendering."""
    steps = (
        "  - {type: message, id: first, channel: email, template: mail}\n"
        "  - {type: delay, id: rest, duration: 1 day}\n"
        "  - {type: message, id: second, channel: email, template: mail}"
    )
    stage = await stocked(db, "{{content_blocks.${foot}}}", block("foot", "one"))
    await publish(db, "default", definitions_of(canvas(steps) + mail("{{content_blocks.${foot}}}")))
    stage.published.forget(stage.workspace)
    [entry] = await stage.enter(await stage.person(email="mel@example.com"))
    await stage.burst(entry)  # the first message is in the queue now

    async def edited(content: str) -> list[str]:
        await publish(db, "default", definitions_of(block("foot", content)))
        stage.published.forget(stage.workspace)
        await delivered(stage, mailbox)
        return read(mailbox)

    assert await edited("two") == ["two"]
    stage.clock.turn(timedelta(days=1))  # type: ignore[attr-defined]
    await stage.burst(entry)
    assert await edited("three {{${email_address}}}") == ["three mel@example.com"]
    assert len(mailbox.mails) == 2
    kept = await db.pool.fetch("select version, trim(content, E' \n') from content_block_versions order by 1")
    assert [tuple(row) for row in kept] == [(1, "one"), (2, "two"), (3, "three {{${email_address}}}")]


# Codes ---------------------------------------------------------------------------------------------------------


async def test_a_message_that_is_aborted_keeps_its_code(db: Database, mailbox: Mailbox) -> None:
    """P2, P3, A2: codes are charged before anything is rendered, and not given back; the entry goes on."""
    stage = await stocked(
        db,
        "{% promotion('spring') %}{% if custom_attribute.${no} %}{% abort_message('not them') %}{% endif %}",
        subject="{% promotion('spring') %}",
    )
    await fill(db, stage.workspace, "spring", MONDAY + timedelta(days=1), ["ONE", "TWO"])

    assert await post(stage, mailbox, attributes={"no": True}) == [("aborted", "liquid_abort_message")]
    assert (await post(stage, mailbox))[-1] == ("sent", None)
    assert (read(mailbox), mailbox.mails[-1].message["subject"]) == (["TWO"], "TWO")
    assert await db.pool.fetchval("select count(*) from promotion_codes where send is not null") == 2
    assert await db.pool.fetchval("select count(*) from entries where ended = 'completed'") == 2


async def test_a_code_of_one_list_is_not_charged_twice_where_another_list_has_none(
    db: Database, mailbox: Mailbox
) -> None:
    """P2, P3: what was charged stays with its send, which has it when the other list is filled and it is asked again."""
    stage = await stocked(db, "{% promotion('spring') %} {% promotion('vip') %}")
    await fill(db, stage.workspace, "spring", MONDAY + timedelta(days=1), ["ONE"])
    await fill(db, stage.workspace, "vip", MONDAY + timedelta(days=1), [])

    assert (await post(stage, mailbox))[-1] == ("aborted", "promo_codes_exhausted")
    assert (await post(stage, mailbox))[-1] == ("aborted", "promo_codes_exhausted")
    sends = await db.pool.fetch("select distinct send from promotion_codes where send is not null")
    assert len(sends) == 1
    assert mailbox.mails == []


# Carts ---------------------------------------------------------------------------------------------------------


async def test_events_of_one_cart_at_the_same_time_lose_nothing(db: Database, mailbox: Mailbox) -> None:
    """S1: twenty requests add a pair and one sock each."""
    stage = await stocked(db, "x")
    await told(stage, cart_event("cart_updated", 9, products=[]))
    events = [
        cart_event("cart_updated", 5, products=[SHOE, SOCK], action="add", request=n) for n in range(20)
    ]
    await asyncio.gather(*(told(stage, event) for event in events))

    body = await db.pool.fetchval("select body from carts")
    assert {one["product_id"]: one["quantity"] for one in body["products"]} == {"a": 40, "s": 20}


# Steps that are no messages ------------------------------------------------------------------------------------

ASKED = """
  - type: context
    id: ask
    set:
      - {name: title, value: "{% catalog_items shoes {{custom_attribute.${last_seen}}} %}{{items[0].title}}"}
      - {name: best, value: "{% assign items = {{product_recommendation.${road}}} %}{{items[0].id}}"}
      - {name: cheap, type: list, value: "{% catalog_selection_items shoes road %}{{items | map: 'id' | as_json_string}}"}
      - {name: total, type: number, value: "{% shopping_cart c1 %}{{shopping_cart.total_value}}"}
      - {name: code, value: "{% promotion('spring') %}"}
      - {name: foot, value: "{{content_blocks.${foot}}}"}
  - {type: delay, id: rest, duration: 1 day}
  - {type: user_update, id: last, attributes: {done: true}}
"""


async def answered(db: Database, steps: str) -> tuple[Stage, Any, Any]:
    """The stage, Mel, who has a cart, and Mel's entry after its step has heard what it asked the store."""
    stage = await stocked(db, "x", phrase("foot", "for {{${first_name}}}"))
    await publish(db, "default", definitions_of(canvas(steps)))
    stage.published.forget(stage.workspace)
    await fill(db, stage.workspace, "spring", MONDAY + timedelta(days=1), ["ONE", "TWO"])
    await told(stage, cart_event("cart_updated", 5, products=[SHOE]))
    await db.pool.execute("update people set first_name = 'Mel', attributes = $1", {"last_seen": "b"})
    [mel] = await people(stage, "mel")
    [entry] = await stage.enter(mel)
    await stage.burst(entry)
    fetcher = Fetcher(db, stage.published, stage.clock, stage.alarm_sync, TemplateServices.of(db))
    assert await fetcher.drain_once() == 1
    await stage.burst(entry)
    return stage, mel, entry


async def test_context_steps_read_catalogs_carts_codes_and_blocks(db: Database) -> None:
    """K1, K3, S1, S2, P1, P2, B1: each is carried along; a code is charged to the step once."""
    stage, _, entry = await answered(db, ASKED)

    assert await carried(stage, entry) == {
        "title": "Bold", "best": "a", "cheap": ["a", "b"], "total": 19, "code": "ONE", "foot": "for Mel",
    }  # fmt: skip
    assert (await stage.row(entry))["step"] == "rest"
    assert await db.pool.fetchval("select count(*) from promotion_codes where send is not null") == 1


async def carried(stage: Stage, entry: Any) -> dict[str, Any]:
    """What the entry carries along."""
    return dict((await stage.row(entry))["context"])


KEPT = """
  - type: user_update
    id: keep
    attributes:
      title: "{% catalog_items shoes {{custom_attribute.${last_seen}}} %}{{items[0].title}}"
      best: ["{% assign items = {{product_recommendation.${road}}} %}{{items[0].id}}"]
      cheap: {ids: "{% catalog_selection_items shoes road %}{{items | map: 'id' | join: '+'}}"}
      total: "{% shopping_cart c1 %}{{shopping_cart.total_value}}"
      code: "{% promotion('spring') %}"
      foot: "{{content_blocks.${foot}}}"
    events: [{name: charged, properties: {code: "yours: {% promotion('spring') %}"}}]
"""


async def test_user_updates_read_catalogs_carts_codes_and_blocks(db: Database) -> None:
    """UPD-3, K1, K3, S1, S2, P1, P2, B1: a code is charged to the step once, wherever it stands."""
    _, mel, _ = await answered(db, KEPT)

    assert await db.pool.fetchval("select attributes from people where id = $1", mel.id) == {
        "last_seen": "b", "title": "Bold", "best": ["a"], "cheap": {"ids": "a+b"}, "total": "19.0", "code": "ONE",
        "foot": "for Mel",
    }  # fmt: skip
    assert await db.pool.fetchval("select properties from echoes") == {"code": "yours: ONE"}
    assert await db.pool.fetchval("select count(*) from promotion_codes where send is not null") == 1


async def test_a_user_update_without_a_code_writes_nothing(db: Database) -> None:
    """UPD-8, P3: the entry goes on."""
    stage = await stocked(db, "x")
    await publish(
        db,
        "default",
        definitions_of(
            canvas("  - {type: user_update, id: u, attributes: {a: 1, code: \"{% promotion('spring') %}\"}}")
        ),
    )
    stage.published.forget(stage.workspace)
    [entry] = await stage.enter(await stage.person())
    await stage.burst(entry)
    assert (
        await Fetcher(
            db, stage.published, stage.clock, stage.alarm_sync, TemplateServices.of(db)
        ).drain_once()
        == 1
    )
    await stage.burst(entry)

    [reason] = [
        row[0]
        for row in await db.pool.fetch("select data->>'reason' from facts where fact = 'update_failed'")
    ]
    assert "spring" in reason
    assert (await stage.row(entry))["ended"] == "completed"
    assert (
        await db.pool.fetchval(
            "select attributes from people where id = $1", (await stage.row(entry))["person"]
        )
        == {}
    )


async def test_a_process_trusts_what_it_has_read_for_a_second(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Items, those too that are not there, and selections; the next second shows what they have become."""
    stage = await stocked(db, "x")
    now = [100.0]
    monkeypatch.setattr(cache, "time", SimpleNamespace(monotonic=lambda: now[0]))
    held = cache.CatalogCache(db)

    async def seen() -> tuple[list[Any], list[Any]]:
        found = await held.items(stage.workspace, "shoes", ["a", "new"])
        chosen = await held.selection(stage.workspace, "shoes", "road", Values())
        return [one.get("title") for one in found], [one["id"] for one in chosen]

    before = (["Able"], ["a", "b"])
    assert await seen() == before
    async with db.transaction() as connection:
        changed = {"a": {"id": "a", "title": "Ace", "tags": []}, "new": {"id": "new", "title": "New"}}
        await items.replace(connection, stage.workspace, "shoes", changed)
    now[0] += cache.FRESH - 0.01
    assert await seen() == before
    now[0] += 0.02
    assert await seen() == (["Ace", "New"], ["b"])
