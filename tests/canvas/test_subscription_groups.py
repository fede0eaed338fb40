"""Subscription groups as files: what they are called, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from journeys.canvas.filter_builders import subscription
from journeys.canvas.filters import SubscriptionFilter
from journeys.canvas.loading import load
from journeys.canvas.subscription_groups import SubscriptionGroup, group_of
from journeys.canvas.yaml_definitions import read_text, write

NEWS = "kind: subscription_group\nformat: 1\nname: news\nchannel: email\nid: 6b1f\n"
TEXTS = "---\nkind: subscription_group\nformat: 1\nname: texts\nchannel: sms\n"


def said(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "file.yaml"
    path.write_text(text, encoding="utf-8")
    return [str(problem).replace(str(path), "file") for problem in load([path]).problems]


def test_groups_that_are_right_have_no_problems_and_read_back(tmp_path: Path) -> None:
    """CNS-1"""
    assert said(tmp_path, NEWS + TEXTS) == []
    [one], problems = read_text(NEWS)
    [again], more = read_text(write(one.value))

    assert problems == more == []
    assert again.value == one.value == SubscriptionGroup(name="news", channel="email", id="6b1f")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("channel: sms", "channel: post", "file:10:10: J103 “post” is not allowed for “channel”"),
        ("channel: sms", "channel: sms\nid: 6b1f", "file:11:5: J306 the subscription group “news” has the id “6b1f” already"),
        ("channel: sms", "channel: sms\nid: news", "file:11:5: J306 the subscription group “news” has the id “news” already"),
        ("channel: sms", "channel: sms\nid: a b", "file:11:5: J110 “a b” is not a valid id (letters, digits, - and _, at most 100"),
        ("name: texts", "name: news", "file:9:7: J306 the subscription group “news” is already defined in"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_group_is_said_at_its_place(
    tmp_path: Path, old: str, new: str, problem: str
) -> None:
    found = said(tmp_path, NEWS + TEXTS.replace(old, new))

    assert len(found) == 1
    assert found[0].startswith(problem)


def test_a_group_is_found_by_its_name_or_by_its_id_which_is_its_name_where_it_has_none() -> None:
    news = SubscriptionGroup(name="news", channel="email", id="6b1f")
    texts = SubscriptionGroup(name="texts", channel="sms", id="texts")
    groups = {"news": news, "texts": texts}

    assert [group_of(groups, one) for one in ("news", "6b1f", "texts", "other")] == [news, news, texts, None]
    assert (news.api_id, SubscriptionGroup(name="a", channel="rcs").api_id) == ("6b1f", "a")


CANVAS = """---
kind: canvas
format: 1
name: c
schedule: {event: e}
audience: {any: [{subscription: news, equals: subscribed}, {subscription: newz, not_equals: unknown}]}
steps:
  - {type: message, id: m, channel: sms, template: t, subscription_group: texts}
  - {type: message, id: n, channel: sms, template: t, subscription_group: text}
---
kind: segment
format: 1
name: s
when: {none: [{subscription: nws, equals: subscribed}]}
"""


def test_a_group_that_does_not_exist_is_told_wherever_it_is_named(tmp_path: Path) -> None:
    assert said(tmp_path, NEWS + TEXTS + CANVAS) == [
        "file:16:75: J314 there is no subscription group “newz” (did you mean “news”?)",
        "file:19:75: J314 there is no subscription group “text” (did you mean “texts”?)",
        "file:24:30: J314 there is no subscription group “nws” (did you mean “news”?)",
    ]


def test_a_filter_on_a_group_has_one_comparison_and_is_written_in_python_as_in_yaml() -> None:
    """CNS-1"""
    assert (subscription("news") == "subscribed") == SubscriptionFilter(
        subscription="news", equals="subscribed"
    )
    assert subscription("news").one_of("unsubscribed", "unknown").operand == ("unsubscribed", "unknown")
    for given, words in (
        ({}, "a subscription has exactly one comparison; it has none"),
        ({"equals": "subscribed", "one_of": ["unknown"]}, "it has equals and one_of"),
        ({"equals": "opted_in"}, "Input should be"),
    ):
        with pytest.raises(ValidationError, match=words):
            SubscriptionFilter(subscription="news", **given)
