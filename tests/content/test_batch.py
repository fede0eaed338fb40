"""Messages by the line, and the context file's keys."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from journeys.engine.content.batch import LONGEST, answer
from journeys.engine.content.context_files import context_of, services_of


async def said(line: Any, number: int = 1) -> dict[str, Any]:
    raw = line if isinstance(line, bytes) else json.dumps(line).encode()
    found: dict[str, Any] = json.loads(await answer(raw, number))
    return found


async def test_a_line_is_answered_with_its_output() -> None:
    line = {"id": "a", "template": "Hi {{${first_name}}}", "context": {"profile": {"first_name": "Zoë"}}}
    assert await said(line) == {"id": "a", "output": "Hi Zoë"}
    assert await said({"id": 7, "template": "plain"}) == {"id": 7, "output": "plain"}


@pytest.mark.parametrize(
    ("comments", "wanted"),
    [
        ({}, "a<!--[if mso]>b<![endif]-->"),
        ({"html_comments": "kept"}, "<!-- 1 -->a<!--[if mso]>b<![endif]-->"),
    ],
)
async def test_comments_are_no_part_of_a_template_unless_they_are_to_be_kept(
    comments: Any, wanted: str
) -> None:
    """L8"""
    source = "<!-- {{ 1 | divided_by: x }} -->a<!--[if mso]>b<![endif]-->"
    line = {"id": 1, "template": source, "context": {"vars": {"x": 1}}, **comments}
    assert await said(line) == {"id": 1, "output": wanted}
    line["context"] = {}
    assert ("error" in await said(line)) == bool(comments)


async def test_comments_of_a_block_are_no_part_of_what_shows_it_and_its_calls_are_made() -> None:
    """L8, B1"""
    url = "https://api.example.com/x"
    block = f"<!-- {{{{ broken -->b{{% connected_content {url} %}}<!-- {{% abort_message %}} -->"
    context = {"content_blocks": {"x": block}, "connected_content": [{"url": url, "body": "called"}]}
    assert await said({"id": 1, "template": "a{{content_blocks.${x}}}", "context": context}) == {
        "id": 1,
        "output": "abcalled",
    }


async def test_an_abort_is_answered_with_its_reason() -> None:
    """A1, C3, C8, P2, P3"""
    url = "https://api.example.com/x"
    busy = {"connected_content": [{"url": url, "status": 503}]}
    for source, context, reason in [
        ("{% abort_message('why') %}", {}, "why"),
        ("{% promotion('spring') %}", {}, "the promotion list “spring” has no code left"),
        ("{% if false %}{% promotion('b') %}{% endif %}", {"promotions": {"b": []}}, "the promotion list “b” has no code left"),
        ("{{content_blocks.${x}}}{% abort_message('second') %}", {"content_blocks": {"x": "{% promotion('b') %}"}}, "the promotion list “b” has no code left"),
        (f"{{% connected_content {url} :retry %}}", busy, "exhausted_cc_retries"),
        (f"{{% connected_content {url} :retry %}}{{% abort_message('first') %}}", busy, "first"),
        (f"{{% connected_content {url} :basic_auth me %}}", busy, "there is no credential “me”"),
        ("{% shopping_cart c %}", {"shopping_carts": {"c": {"ordered": True}}}, "the shopping cart was ordered"),
    ]:  # fmt: skip
        line = {"id": 1, "template": source, "context": context}
        assert await said(line) == {"id": 1, "aborted": True, "reason": reason}


@pytest.mark.parametrize(("line", "identity", "error"), [
    ({"id": 1, "template": "ab\n {{ x | foo }}"}, 1, ("template_parse_error", 2, 9, "there is no filter “foo”")),
    ({"id": 1, "template": "ab\n {% foo %}"}, 1, ("template_parse_error", 2, 5, "there is no tag “foo”")),
    ({"id": 1, "template": "ab\n {{ 1 | divided_by: 0 }}"}, 1, ("template_parse_error", 2, 9, "division by zero")),
    ({"id": 1, "template": "x", "context": {"profil": {}}}, 1, ("invalid_context", 4, 1, "did you mean “profile”?")),
    ({"id": 1, "template": "x", "context": []}, 1, ("invalid_context", 4, 1, "one JSON object")),
    ({"id": 1, "template": 5}, 1, ("invalid_line", 4, 1, "“template” must be a text")),
    ({"id": 1}, 1, ("invalid_line", 4, 1, "has no “template”")),
    ({"id": 1, "template": "x", "html_comments": []}, 1, ("invalid_line", 4, 1, "“removed” or “kept”")),
    ({"template": "x"}, None, ("invalid_line", 4, 1, "has no “id”")),
    ([1], None, ("invalid_line", 4, 1, "one object")),
    (b'{"id": 1, "template": }', None, ("invalid_line", 4, 23, "not JSON")),
    (b"{", None, ("invalid_line", 4, 2, "not JSON")),
    (b"\xff", None, ("invalid_line", 4, 1, "not JSON")),
    (b"[" * 100_000, None, ("invalid_line", 4, 100_001, "not JSON")),
    (b'"' + b"x" * LONGEST + b'"', None, ("invalid_line", 4, 1, "longer than 16 MB")),
])  # fmt: skip
async def test_what_is_wrong_is_answered_with_its_place(line: Any, identity: Any, error: Any) -> None:
    """E1, E3, E5"""
    found = await said(line, 4)

    assert found["id"] == identity
    assert tuple(found["error"][key] for key in ("code", "line", "column")) == error[:3]
    assert error[3] in found["error"]["message"]
    assert set(found) == {"id", "error"}


NAMESPACED = {
    "profile": "{{${x}}}", "custom_attributes": "{{custom_attribute.${x}}}", "context": "{{context.${x}}}{{canvas_entry_properties.${x}}}",
    "event_properties": "{{event_properties.${x}}}", "api_trigger_properties": "{{api_trigger_properties.${x}}}",
    "most_recently_used_device": "{{most_recently_used_device.${x}}}", "targeted_device": "{{targeted_device.${x}}}",
    "campaign": "{{campaign.${x}}}", "canvas": "{{canvas.${x}}}", "card": "{{card.${x}}}", "app": "{{app.${x}}}", "sms": "{{sms.${x}}}",
    "whats_app": "{{whats_app.${x}}}", "subscribed_state": "{{subscribed_state.${x}}}", "product_recommendation": "{{product_recommendation.${x}}}",
    "preference_center": "{{preference_center.${x}}}", "content_blocks": "{{content_blocks.${x}}}", "vars": "{{x}}",
}  # fmt: skip


@pytest.mark.parametrize(("key", "source"), NAMESPACED.items())
async def test_each_key_of_a_context_answers_its_namespace(key: str, source: str) -> None:
    line = {"id": 1, "template": source, "context": {key: {"x": "value"}}}
    assert (await said(line))["output"] in ("value", "valuevalue")


async def test_the_render_clock_is_the_contexts() -> None:
    """DT1"""
    source = "{{ 'now' | date: '%F %R' }}"
    for now in ("2026-12-07T09:05:00Z", "2026-12-07T10:05:00+01:00", "2026-12-07T09:05:00"):
        assert (await said({"id": 1, "template": source, "context": {"now": now}}))[
            "output"
        ] == "2026-12-07 09:05"


@pytest.mark.parametrize(("given", "words"), [
    ({"catalog": {}}, "did you mean “catalogs”?"),
    ({"now": "soon"}, "“now” is not an instant: soon"),
    ({"now": 5}, "“now” is not an instant"),
    ({"profile": []}, "“profile” must be an object"),
    ({"connected_content": {}}, "“connected_content” must be a list"),
    ({"connected_content": [{"body": "x"}]}, "each is an object with a “url”"),
    ({"connected_content": [{"url": "x", "stats": 1}]}, "did you mean “status”?"),
    ({"connected_content": [{"url": "x", "status": "ok"}]}, "“status” must be a number"),
    ({"connected_content": [{"url": "x", "method": "PUT"}]}, "“method” must be GET or POST"),
    ({"content_blocks": {"a": 1}}, "“content_blocks.a” must be a text"),
    ({"catalogs": {"a": []}}, "“catalogs.a” must be an object"),
    ({"catalogs": {"a": {"1": 2}}}, "“catalogs.a.1” must be an object"),
    ({"selections": {"a": {"b": {}}}}, "“selections.a.b” must be a list of objects"),
    ({"promotions": {"a": "X"}}, "“promotions.a” must be a list of texts"),
    ({"shopping_carts": {"a": 1}}, "“shopping_carts.a” must be an object"),
    ({"credentials": {"a": {"user": "x"}}}, "did you mean “username”?"),
    ({"credentials": {"a": {"username": "x"}}}, "either username and password, or headers and allowed_domain"),
    ({"credentials": {"a": {"headers": [], "allowed_domain": "x"}}}, "“headers” must be an object"),
    ({"credentials": {"a": {"username": 1, "password": "x"}}}, "“username” must be a text"),
])  # fmt: skip
def test_a_context_that_is_written_wrongly_says_what_is_allowed(given: Any, words: str) -> None:
    def read() -> None:
        context_of(given)
        services_of(given)

    with pytest.raises(ValueError, match=re.escape(words)) as refused:
        read()
    assert "\n" not in str(refused.value)


async def test_half_a_character_that_json_says_is_put_out_as_one_that_can_be() -> None:
    """V11"""
    source = r"""{{ '"\ud83d"' | json_parse }}{{ '"a\u0000b"' | json_parse }}"""
    assert await said({"id": 1, "template": source}) == {"id": 1, "output": "\ufffdab"}
