"""Templates that mean harm are cut off, each by the bound that is there for it, and take nothing else with them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from journeys.engine.content import RenderError, Values, compile
from journeys.engine.content.limits import Limits

VALUES = Values(
    profile={"first_name": "Mel"},
    custom_attributes={"list": [f"n{n}" for n in range(50)], "deep": None},
    now=datetime(2026, 12, 7, 9, tzinfo=UTC),
)
UNHURRIED = Limits(seconds=1000)
"""Under these no clock cuts a template off, however slow the machine: only the bound that it runs into."""

TEN = "{% assign s = 'aaaaaaaaaa' %}"
MEGA = TEN + "{% assign s = s | append: s %}" * 16
"""A variable `s` of 655,360 characters."""

RENDERED = [
    ("loops within loops", "{% for a in (1..200) %}{% for b in (1..200) %}{% endfor %}{% endfor %}", "go round"),
    ("loops after loops", "{% for a in (1..4000) %}{% endfor %}" * 3, "go round"),
    ("a table without end", "{% tablerow a in (1..5000) %}{% endtablerow %}" * 3, "go round"),
    ("an empty loop a million times", "{% for a in (1..10000000) %}{% endfor %}", "a range"),
    ("a range backwards", "{% for a in (1..1000000000000) reversed limit: 1 %}{% endfor %}", "a range"),
    ("a range from afar", "{% for a in (1..1000000000000) offset: 999999999999 %}{% endfor %}", "a range"),
    ("a range joined", "{{ (1..3000000) | join }}", "a range"),
    ("a range beyond all numbers", "{{ (1..99999999999999999999999999) | size }}", "a range"),
    ("a range as an argument", "{{ 'a' | split: ',' | concat: (1..3000000) | size }}", "a range"),
    ("output", MEGA + "{{ s }}{{ s }}", "the output"),
    ("output of plain text", "{% for a in (1..9000) %}" + "x" * 300 + "{% endfor %}", "the output"),
    ("output of a list", MEGA + "{% assign l = s | split: ',' %}{% assign l = l | concat: l %}{{ l }}", "the output"),
    ("captures that double", "{% assign s = 'aaaaaaaaaa' %}" + "{% capture s %}{{ s }}{{ s }}{% endcapture %}" * 30, "a text|the output"),
    ("appending to itself", "{% assign s = 'aaaaaaaaaa' %}" + "{% assign s = s | append: s %}" * 30, "a text"),
    ("replacing by much", MEGA + "{{ s | replace: 'a', s }}", "a text"),
    ("replacing nothing by much", MEGA + "{{ s | replace: '', s }}", "a text"),
    ("joining by much", MEGA + "{{ 'a,b,c,d' | split: ',' | join: s }}", "a text"),
    ("escaping much", TEN.replace("a" * 10, "&" * 10) + "{% assign s = s | append: s %}" * 16 + "{{ s | escape }}", "a text"),
    ("a list that doubles", "{% assign l = 'a,b' | split: ',' %}" + "{% assign l = l | concat: l %}" * 30, "a list"),
    ("a list of the same text many times", MEGA + "{% assign l = s | split: ',' %}" + "{% assign l = l | concat: l %}" * 14 + "{{ l }}", "a list|the variables"),
    ("many long texts", MEGA + "{% for a in (1..9999) %}{% assign t = s | append: a | split: ',' %}{% assign l = l | concat: t %}{% endfor %}", "a list|the variables|takes a list"),
    ("many variables", MEGA + "".join(f"{{% assign v{n} = s | append: {n} %}}" for n in range(200)), "the variables"),
    ("cycles with long names", MEGA + "{% for a in (1..9999) %}{% assign t = s | append: a %}{% cycle t: 'x' %}{% endfor %}", "the variables"),
    ("a number that squares itself", "{% assign n = 9999999999 %}{% for a in (1..60) %}{% assign n = n | times: n %}{% endfor %}", "digits"),
    ("a number rounded to a billion places", "{{ 3 | round: -1000000000 }}", "digits"),
    ("a split into a million", MEGA + "{% assign l = s | split: '' %}", "a list"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "words"), [pytest.param(*each[1:], id=each[0]) for each in RENDERED])
def test_a_template_that_uses_too_much_is_cut_off_by_a_bound_that_needs_no_clock(
    source: str, words: str
) -> None:
    """E4"""
    template = compile(source)
    for render in (template.render, template.render_by_tree):
        with pytest.raises(RenderError, match=words):
            render(VALUES, limits=UNHURRIED)


def test_a_bound_is_not_in_the_way_of_what_stays_within_it() -> None:
    for source, wanted in [
        ("{% for a in (1..9999) %}{% endfor %}", ""),
        ("{% for a in (1..5000) %}{% if a > 2 %}{% break %}{% endif %}{{ a }}{% endfor %}" * 3, "121212"),
        (MEGA + "{{ s | size }}", "655360"),
        ("{{ 99999999 | times: 99999999 }}", "9999999800000001"),
        ("{% for a in (1..9000) %}{% assign s = 'a' | append: a %}{% endfor %}{{ s }}", "a9000"),
    ]:
        template = compile(source)
        assert template.render(VALUES) == template.render_by_tree(VALUES) == wanted


def test_a_channel_may_allow_less_output() -> None:
    template = compile("{{ 'äöü' }}")
    assert template.render(VALUES, limits=Limits(output=6)) == "äöü"
    for render in (template.render, template.render_by_tree):
        with pytest.raises(RenderError, match="beyond 5 bytes"):
            render(VALUES, limits=Limits(output=5))
