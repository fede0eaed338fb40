"""Subscription groups as files: what they are called, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

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
