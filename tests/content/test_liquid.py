"""The Liquid dialect, as far as it goes today: rules by their numbers."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from liquid.exceptions import LiquidSyntaxError

from journeys.engine.content import (
    Aborted,
    RenderError,
    TemplateError,
    Values,
    compile,
    problems,
)
from journeys.engine.content.context_files import context_of
from journeys.engine.content.scanner import scan

NOW = datetime(2026, 12, 7, 9, 5, 3, tzinfo=UTC)
VALUES = Values(
    profile={"first_name": "Mel", "n": 3, "language": "en"},
    custom_attributes={
        "zip code": "75011", "blank": "  ", "empty": "", "zero": 0, "no": False, "yes": True, "list": [1, None, True, [2, 3]],
        "cart": [{"name": "shoe"}, {"name": "sock"}], "object": {"a": 1, "b": ["x"]}, "html": "<b> & 'q' \"", "pi": 3.5, "at": NOW,
    },
    context={"shoe": {"size": 38}},
    event_properties={"songs": [{"album": {"name": "Blue"}}]},
    campaign={"name": "hello"},
    canvas={"name": "story"},
    now=NOW,
)  # fmt: skip

CASES = [
    ("L3", "{{${first_name}}}", "Mel"),
    ("L3", "{{custom_attribute.${zip code}}}", "75011"),
    ("L3", "{{ event_properties.${songs}[0].album.name }}", "Blue"),
    ("L4", "{% if {{custom_attribute.${yes}}} %}y{% endif %}", "y"),
    ("L4", "{% assign n = {{${n} | plus: 50}} %}{{n}}", "53"),
    ("L4", "{{ ${n} | plus: {{${n}}}}}", "6"),
    ("L4", "{% for x in {{custom_attribute.${cart}}} %}{{x.name}},{% endfor %}", "shoe,sock,"),
    ("L5", "{{ ${first_name} | default: 'x' }}", "Mel"),
    ("L5", "{%if ${n}>2%}big{%else%}small{%endif%}", "big"),
    ("L5", "{% if ${first_name}=='Mel' %}yes{% endif %}", "yes"),
    ("L5", "{{ ${first_name}\n | upcase\n | downcase }}", "mel"),
    ("L6", "{{custom_attribute.${cart[1]}.name}}", "sock"),
    ("L11", "a ${first_name} b", "a ${first_name} b"),
    ("L12", "{% assign language = 'fr' %}{{${language}}}", "en"),
    ("namespaces", "{{context.${shoe}.size}} {{canvas_entry_properties.${shoe}.size}} {{campaign.${name}}} {{canvas.${name}}}", "38 38 hello story"),
    ("E2", "{{${nobody}}}{{custom_attribute.${a}.b.c}}{{nothing}}", ""),
    ("V1", "{% if '' %}a{% endif %}{% if custom_attribute.${zero} %}b{% endif %}{% if custom_attribute.${no} %}c{% endif %}", "ab"),
    ("V2", "{% if custom_attribute.${missing} == nil %}a{% endif %}{% if custom_attribute.${empty} == nil %}b{% endif %}", "a"),
    ("V3", "{% if custom_attribute.${missing} == blank %}a{% endif %}{% if custom_attribute.${blank} == blank %}b{% endif %}{% if custom_attribute.${no} == blank %}c{% endif %}{% if custom_attribute.${zero} == blank %}d{% endif %}", "abc"),
    ("V3", "{% if custom_attribute.${empty} == empty %}a{% endif %}{% if custom_attribute.${missing} == empty %}b{% endif %}", "a"),
    ("V3", "{% unless custom_attribute.${missing} != blank %}none{% endunless %}", "none"),
    ("V4", "{% if true or false and false %}a{% endif %}{% if false and true or true %}b{% endif %}", "a"),
    ("V5", "{% if 'Hertz Gold' contains 'Gold' %}a{% endif %}{% if custom_attribute.${list} contains 1 %}b{% endif %}{% if custom_attribute.${object} contains 'a' %}c{% endif %}{% if 5 contains 5 %}d{% endif %}{% if custom_attribute.${x} contains 'a' %}e{% endif %}", "abc"),
    ("V6", "{% if custom_attribute.${yes} > 0 %}a{% endif %}{% if nil < 1 %}b{% endif %}{% if 1 == 1.0 %}c{% endif %}{% if '10' == 10 %}d{% endif %}{% if 'b' > 'a' %}e{% endif %}", "ce"),
    ("V8", "{{custom_attribute.${list}}}|{{custom_attribute.${yes}}}|{{custom_attribute.${pi}}}|{{12.0}}", "1true23|true|3.5|12.0"),
    ("V8", "{{custom_attribute.${object}}}", '{"a":1,"b":["x"]}'),
    ("N6", "{{custom_attribute.${at}}}", "2026-12-07 09:05:03 UTC"),
    ("T3", "{% for x in custom_attribute.${missing} %}a{% else %}none{% endfor %}", "none"),
    ("4", "{% assign reversed = 'a,b' | split: ',' %}{% for limit in reversed %}{{limit}}{% endfor %}", "ab"),
    ("4", "{% for x in (1..5) reversed limit:2 %}{{x}}{% endfor %}", "21"),
    ("4", "{% raw %}{{ x }}{% endraw %}{% comment %}{{ y }}{% endcomment %}", "{{ x }}"),
    ("4", "a {%- if true -%} b {%- endif -%} c", "abc"),
    ("F1", "{{ custom_attribute.${empty} | default: 'd' }}{{ custom_attribute.${blank} | default: 'd' }}{{ custom_attribute.${no} | default: 'd' }}{{ custom_attribute.${zero} | default: 'd' }}", "d  d0"),
    ("F2", "{{ 'abc' | split: '' | join: '-' }} {{ ' a  b ' | split: ' ' | size }} {{ 'a*b*' | split: '*' | size }} {{ '' | split: ',' | size }}", "a-b-c 2 2 0"),
    ("F3", "{{ 'x' | append: custom_attribute.${missing} }}{{ 'x' | prepend: custom_attribute.${yes} }}", "xtruex"),
    ("F4", "{{ custom_attribute.${html} | escape }}", "&lt;b&gt; &amp; &#39;q&#39; &quot;"),
    ("F5", "{{ custom_attribute.${html} }}", "<b> & 'q' \""),
    ("DT1", "{{ 'now' | date: '%Y-%m-%d %H:%M' }} {{ 0 | date: '%Y' }} {{ 'soon' | date: '%Y' }}{{ nil | date: '%Y' }}", "2026-12-07 09:05 1970 soon"),
    ("DT2", "{{ '2025-08-05T08:15:30:250-0800' | date: '%H:%M %z' }} {{ 'March 14, 2016' | date: '%F' }} {{ '14/03/2016' | date: '%F' }} {{ '2020-01-01T24:00' | date: '%F %R' }}", "08:15 -0800 2016-03-14 2016-03-14 2020-01-02 00:00"),
    ("DT3", "{{ 'now' | date: '%-d|%e|%l|%P|%p|%s|%:z|%3N|%q' }}", "7| 7| 9|am|AM|1796634303|+00:00|000|%q"),
    ("DT4", "{{ 'now' | time_zone: 'America/New_York' | date: '%H:%M %Z' }} {{ 'now' | time_zone: 'Mars' }}", "04:05 EST now"),
    ("DT5", "{{ 'now' | date: '%H' | plus: 0 }}", "9"),
    ("5", "{{ 'a b&c=é' | url_param_escape }} {{ 'hey<>hi' | url_escape }} {{ 'a\"b' | json_escape }} {{ custom_attribute.${object} | as_json_string }}", 'a%20b%26c%3D%C3%A9 hey%3C%3Ehi a\\"b {"a":1,"b":["x"]}'),
    ("5", "{{ 'a' | md5 }} {{ 'a' | sha1 }} {{ 'a' | sha2 | slice: 0, 8 }}", "0cc175b9c0f1b6a831c399e269772661 86f7e437faa5a7fce15d1ddcb9eaeaea377667b8 ca978112"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "source", "wanted"), CASES)
def test_what_a_template_comes_to(rule: str, source: str, wanted: str) -> None:
    assert compile(source).render(VALUES) == wanted, rule


WRONG = [
    ("{{ a", 1, 1, "never closed"),
    ("x\n  {% if a %}", 2, 6, "endif"),
    ("{% foo %}", 1, 4, "no tag “foo”"),
    ("a\n{{ b | foo }}", 2, 8, "no filter “foo”"),
    ("{{ “a” }}", 1, 4, "curly quotes"),
    ("{% if a && b %}{% endif %}", 1, 9, "write “and”"),
    ("{% include 'x' %}", 1, 4, "no tag “include”"),
    ("{{ ${} }}", 1, 4, "no name"),
    ("{% comment %} never", 1, 1, "never closed"),
]


@pytest.mark.parametrize(("source", "line", "column", "words"), WRONG)
def test_what_cannot_be_read_is_refused_at_its_place(source: str, line: int, column: int, words: str) -> None:
    """E1, L10"""
    with pytest.raises(TemplateError) as refused:
        compile(source)

    assert (refused.value.line, refused.value.column) == (line, column), str(refused.value)
    assert words in refused.value.message


def test_a_message_can_be_aborted_where_the_branch_is_taken() -> None:
    """A1, A3, A4"""
    source = "{% if ${first_name} == 'Mel' %}{% abort_message('no Mels') %}{% endif %}Hi"
    with pytest.raises(Aborted, match="no Mels"):
        compile(source).render(VALUES)
    assert compile(source).render(Values(profile={"first_name": "Zoe"}, now=NOW)) == "Hi"
    with pytest.raises(Aborted, match="abort_message %} called"):
        compile("{% abort_message() %}").render(VALUES)


@pytest.mark.parametrize("source", [
    "{% if 'a' > 1 %}x{% endif %}",
    "{{ 1 | divided_by: 0 }}",
    "{% for i in (1..20000) %}x{% endfor %}",
    "{% assign x = 'aaaaaaaaaa' %}{% for i in (1..9000) %}{{ x }}{{ x }}{{ x }}{{ x }}{{ x }}{{ x }}{{ x }}{{ x }}{{ x }}{{ x }}{{ x }}{{ x }}{% endfor %}",
])  # fmt: skip
def test_what_goes_wrong_while_rendering_cancels_the_message_and_is_never_printed(source: str) -> None:
    """E3; loops and output are bounded."""
    with pytest.raises(RenderError):
        compile(source).render(VALUES)


def test_the_values_that_a_template_asks_for_are_known() -> None:
    assert compile(
        "{{${first_name}}} {% if custom_attribute.${a} %}{{ context.${b}.c }}{% endif %}"
    ).needs == {"profile.first_name", "custom_attribute.a", "context.b"}


@given(st.text(alphabet="{}%$ab.|-'\" \n[]()0", max_size=60))
def test_any_text_compiles_or_is_refused_at_a_place_within_it(source: str) -> None:
    lines = source.split("\n")
    for error in problems(source):
        assert 1 <= error.line <= len(lines)
        assert 1 <= error.column <= len(lines[error.line - 1]) + 1


def test_refusing_a_broken_template_looks_at_each_character_a_bounded_number_of_times() -> None:
    """An unclosed output followed by many spaces or braces: linear, counted in regular-expression steps by length."""
    for tail in (" " * 200_000, "{{ " * 60_000, "${" * 90_000):
        with pytest.raises(LiquidSyntaxError):
            list(scan("{{ a" + tail))


def test_a_template_is_shared_by_threads() -> None:
    """Compiled templates hold no state."""
    template = compile("{% assign x = ${n} %}{% for i in (1..50) %}{{ x | plus: i }},{% endfor %}")
    wanted = {n: "".join(f"{n + i}," for i in range(1, 51)) for n in range(8)}
    wrong: list[Any] = []

    def render(n: int) -> None:
        for _ in range(20):
            if template.render(Values(profile={"n": n}, now=NOW)) != wanted[n]:
                wrong.append(n)

    threads = [threading.Thread(target=render, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


def test_a_context_file_names_what_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="did you mean “profile”"):
        context_of({"profil": {}})
    assert context_of({"now": "2026-12-07T09:00:00Z", "profile": {"a": 1}}).profile == {"a": 1}
