"""A delivery reads the custom attributes that its templates name, and no others."""

from __future__ import annotations

from typing import Any

import pytest

from journeys.canvas.steps import Message
from journeys.channels.mailbox import Mailbox
from journeys.engine.delivery.attributes_read import attributes
from journeys.engine.people.profiles import load
from journeys.engine.store import Database
from tests.engine.workspaces.test_outside import MAIL, block, mail, post
from tests.stage import canvas, stage_on

STEP = Message(id="m", channel="email", template="mail")


async def read(db: Database, html: str, more: str = "", step: Message = STEP) -> frozenset[str] | None:
    stage = await stage_on(db, canvas(MAIL) + mail(html) + more)
    return attributes(await stage.published.of(stage.workspace), [step])


async def test_the_attributes_that_templates_and_their_blocks_name_are_read(db: Database) -> None:
    """L6: an index within the braces is no part of the name."""
    html = (
        "{{custom_attribute.${city}}} {% if {{custom_attribute.${vip}}} %}{{content_blocks.${foot}}}{% endif %}"
        "{% connected_content https://a.example/{{custom_attribute.${id}}} %} {{custom_attribute.${cart[0]}.name}}"
        "{% catalog_items shoes {{custom_attribute.${zip code}}} %}{{ custom_attribute.x.y }} {{${first_name}}}"
    )
    more = block("foot", "{{custom_attribute.${below}}}{{content_blocks.${inner}}}") + block("inner", "{{custom_attribute.${deep}}}")  # fmt: skip

    found = await read(db, html, more)

    assert found is not None
    assert found >= {"city", "vip", "id", "cart", "zip code", "x", "below", "deep"}
    assert await read(db, "Hello {{${first_name}}}") == frozenset()


@pytest.mark.parametrize("html", [
    "{{custom_attribute}}",
    "{{custom_attribute[${key}]}}",
    "{{custom_attribute.size}}",
    "{% connected_content https://a.example :rerender %}",
    "{% catalog_items shoes a :rerender %}",
    "{% catalog_selection_items shoes road %}",
    "{% assign items = {{product_recommendation.${for_you}}} %}",
    "".join(f"{{{{custom_attribute.${{a{number}}}}}}}" for number in range(60)),
])  # fmt: skip
async def test_all_are_read_where_it_cannot_be_known_which(db: Database, html: str) -> None:
    assert await read(db, html) is None


async def test_all_are_read_where_a_filter_is_judged_at_the_send(db: Database) -> None:
    step = STEP.model_copy(update={"only_when": {"attribute": "vip", "is": True}})
    assert await read(db, "Hi", step=step) is None


async def test_a_profile_has_what_was_asked_for_and_names_never_become_sql(db: Database) -> None:
    stage = await stage_on(db, canvas(MAIL) + mail("Hi"))
    given: dict[str, Any] = {"city": "Bonn", "n": 3, "o": {"a": [1, None]}, "it's": "quoted", "no": False}
    person = (await stage.person(email="mel@example.com", attributes=given)).id

    async def had(*names: str) -> Any:
        found = await load(db.pool, stage.workspace, [person], attributes=names)
        return dict(found[person].attributes)

    assert await had() == {}
    assert await had("city", "o", "missing", "no") == {"city": "Bonn", "o": {"a": [1, None]}, "no": False}
    assert await had("it's", "'); drop table people; --") == {"it's": "quoted"}
    assert await had(*(f"x{number}" for number in range(49)), "n") == {"n": 3}
    whole = await load(db.pool, stage.workspace, [person])
    assert dict(whole[person].attributes) == given


async def test_a_mail_shows_what_it_names(db: Database, mailbox: Mailbox) -> None:
    html = (
        "{{custom_attribute.${city}}}, {{custom_attribute.${cart[1]}.name}}, [{{custom_attribute.${none}}}]"
    )
    stage = await stage_on(db, canvas(MAIL) + mail(html))

    assert await post(
        stage, mailbox, attributes={"city": "Bonn", "cart": [{"name": "a"}, {"name": "b"}]}
    ) == [("sent", None)]
    assert "Bonn, b, []" in mailbox.mails[0].html
