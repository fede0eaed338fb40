"""Hostile templates are stopped by the limit for their kind, and affect nothing else."""

from __future__ import annotations

import asyncio
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from time import thread_time
from typing import Any

import pytest

from bench.hostile import MEGA, TEN, VALUES
from bench.liquid import BROKEN
from journeys.engine.content import (
    Call,
    RenderError,
    Reply,
    Services,
    TemplateError,
    Values,
    compile,
    rendering,
)
from journeys.engine.content.content_blocks import BLOCKS_KEPT
from journeys.engine.content.limits import SOURCE, Limits
from journeys.engine.content.render import parse
from journeys.engine.content.size_limited_cache import Cache
from tests.content.work import work

UNHURRIED = Limits(seconds=1000)
"""Under these no clock cuts a template off, however slow the machine: only the bound that it runs into."""

RENDERED = [
    ("loops within loops", "{% for a in (1..200) %}{% for b in (1..200) %}{% endfor %}{% endfor %}", "the loops make"),
    ("loops after loops", "{% for a in (1..4000) %}{% endfor %}" * 3, "the loops make"),
    ("a table without end", "{% tablerow a in (1..5000) %}{% endtablerow %}" * 3, "the loops make"),
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
    ("replacing by what stands around", MEGA + "{{ s | replace: 'a', '\\`' }}", "a text"),
    ("replacing by much that stands around", MEGA + "{% assign t = s | slice: 0, 300000 | replace: 'a', \"-'\" | replace: '-', '\\' %}{{ s | replace_first: 'a', t }}", "a text"),
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


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """A clock of processor time that goes on a hundredth of a second each time it is looked at."""
    made = Clock()
    monkeypatch.setattr(rendering, "thread_time", made)
    return made


class Clock:
    def __init__(self) -> None:
        self.looks = 0
        self.elsewhere = 0.0

    def __call__(self) -> float:
        self.looks += 1
        return self.looks / 100 + self.elsewhere


LONG = [
    ("loops", "{% for a in (1..9999) %}{{ a }}{% endfor %}"),
    ("loops without a word", "{% for a in (1..9999) %}{% endfor %}"),
    ("loops within loops", "{% for a in (1..90) %}{% for b in (1..90) %}{% endfor %}{% endfor %}"),
    ("tables", "{% tablerow a in (1..9999) %}{% endtablerow %}"),
    ("filters in a row", "{{ 'x' | upcase | downcase }}" * 1900),
    ("filters in one output", "{{ 'x' " + "|upcase" * 2000 + "}}"),
    ("filters in captures", "{% capture x %}{{ 'x' | upcase | downcase | append: 'y' }}{% endcapture %}" * 900),
    ("filters in branches", "{% if true %}{{ 'x' | upcase | downcase | append: 'y' }}{% endif %}" * 600),
    ("filters in branches that are not taken in between", "{{ 'x' | upcase | append: 'y' }}{% if false %}{{ 'x' | upcase }}{% endif %}" * 500 * 2),
    ("filters in loops in captures", "{% capture x %}{% for a in (1..900) %}{{ a | plus: 1 | times: 2 | minus: 3 | append: 'x' }}{% endfor %}{% endcapture %}"),
    ("cycles", "{% for a in (1..9000) %}{% cycle 'a', 'b' %}{% endfor %}"),
    ("content of blocks", "{% for a in (1..300) %}{% case a %}{% when 1 %}x{% else %}{{ a | plus: 1 | plus: 2 | plus: 3 | plus: 4 | plus: 5 | plus: 6 | plus: 7 | plus: 8 | plus: 9 | plus: 10 }}{% endcase %}{% endfor %}"),
]  # fmt: skip


@pytest.mark.parametrize("source", [pytest.param(each[1], id=each[0]) for each in LONG])
def test_the_clock_is_looked_at_again_and_again_while_a_template_is_rendered(
    source: str, clock: Clock
) -> None:
    """E4: by both readings, so that none of these gets through half a second that is fifty looks long."""
    template = compile(source)
    for render in (template.render, template.render_by_tree):
        clock.looks = 0
        with pytest.raises(RenderError, match="Liquid rendering timeout"):
            render(VALUES, limits=Limits(passes=10**6, seconds=0.5))
        assert clock.looks <= 60


def test_a_rendering_that_waits_is_not_charged_for_what_others_do_meanwhile(clock: Clock) -> None:
    """E4: waiting for Connected Content does not count, the template's own work before and after does."""

    class Slow(Services):
        async def connected(self, call: Call) -> Reply:
            await asyncio.sleep(0)
            clock.elsewhere += 50  # others work for fifty seconds on this thread
            await asyncio.sleep(0)
            return Reply(200, '{"a": 1}')

    ask = "{% connected_content https://a.example :save b %}"
    template = compile(ask * 3 + "{{ b.a }}")
    busy = compile(ask + "{% for a in (1..9000) %}{{ a }}{% endfor %}")

    async def render() -> None:
        for reading in (template.render_async, template.render_by_tree_async):
            assert await reading(VALUES, Slow()) == "1"
        for reading in (busy.render_async, busy.render_by_tree_async):
            with pytest.raises(RenderError, match="Liquid rendering timeout"):
                await reading(VALUES, Slow())

    asyncio.run(render())


def test_the_clock_of_production_is_that_of_the_processor() -> None:
    assert rendering.thread_time is thread_time


UNREAD = [
    ("more than may be read", "x" * (SOURCE + 1), "more than 1,048,576 characters"),
    ("outputs without end", "{{ a }}" * 20_001, "more than 20,000 outputs and tags"),
    ("ifs within ifs", "{% if a %}" * 5000 + "{% endif %}" * 5000, "nest"),
    ("loops within loops", "{% for a in b %}" * 50 + "{% endfor %}" * 50, "nest"),
    ("captures within captures", "{% capture a %}" * 50 + "{% endcapture %}" * 50, "nest"),
    ("liquid within liquid", "{% liquid " + "if a\n" * 100 + "endif\n" * 100 + "%}", "nest"),
    ("brackets within brackets", "{{ a" + "[a" * 1500 + "]" * 1500 + " }}", "nested too deeply"),
    ("a condition without end", "{% if " + "a and " * 1500 + "a %}{% endif %}", "nested too deeply"),
    ("a cycle without end", "{% cycle " + "'a'," * 60_000 + "'b' %}", "words and signs"),
    ("a when without end", "{% case a %}{% when " + "'a'," * 60_000 + "'b' %}{% endcase %}", "words and signs"),
    ("wrapped values without end", "{{ a | plus: " + "{{a|plus:" * 1000 + "1" + "}}" * 1001, "nested too deeply"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "words"), [pytest.param(*each[1:], id=each[0]) for each in UNREAD])
def test_a_template_that_is_too_much_to_read_is_refused(source: str, words: str) -> None:
    """E1"""
    with pytest.raises(TemplateError, match=words) as refused:
        compile(source)
    assert (refused.value.line, refused.value.column) >= (1, 1)


@pytest.mark.parametrize("kind", BROKEN)
def test_refusing_a_broken_template_is_work_in_proportion_to_its_length(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """E1: lines of Python that run and characters that are passed over; were it quadratic, sixteen times as much."""

    def refuse(source: str) -> None:
        with pytest.raises(TemplateError):
            parse(source)

    small, large = (work(refuse, BROKEN[kind](size), monkeypatch) for size in (8_000, 32_000))
    assert small >= 8_000
    assert large <= 4.6 * small


@pytest.mark.parametrize("kind", BROKEN)
def test_refusing_a_large_broken_template_never_takes_long(kind: str) -> None:
    """E1: what no counting sees (a pattern that tries again and again) would take minutes."""
    begun = thread_time()
    with pytest.raises(TemplateError):
        parse(BROKEN[kind](200_000))
    assert thread_time() - begun < 30


def test_work_that_grows_with_the_square_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test's own test."""

    def seek(source: str) -> None:
        for place in range(0, len(source), 100):
            source.find("x", place)

    small, large = (work(seek, "a" * size, monkeypatch) for size in (8_000, 32_000))
    assert large > 12 * small


HEAVY = [
    ("texts that are stripped of tags", MEGA + "{{ s | replace: 'a', '<' | strip_html | size }}"),
    ("scripts that never end", MEGA + "{% assign t = s | slice: 0, 90000 | replace: 'a', '<script' %}{{ t | strip_html | size }}"),
    ("comments that never end", MEGA + "{% assign t = s | slice: 0, 90000 | replace: 'a', '<!--' %}{{ t | strip_html | size }}"),
    ("a date of digits", MEGA + "{{ s | replace: 'a', '1' | date: '%Y' | size }}"),
    ("a date of spaces", MEGA + "{% assign t = s | replace: 'a', ' ' | prepend: '2026-01-01' | append: 'x' %}{{ t | date: '%Y' | size }}"),
    ("a date of names", MEGA + "{% assign t = s | replace: 'a', 'May ' %}{{ t | date: '%Y' | size }}"),
    ("a long format", MEGA + "{{ 0 | date: s | size }}"),
    ("a format of directives", MEGA + "{% assign t = s | slice: 0, 300000 | replace: 'a', '%Y' %}{{ 0 | date: t | size }}"),
    ("a wide directive", "{{ 0 | date: '%999999999Y%-99999999999999d' | size }}"),
    ("a number of digits", MEGA + "{{ s | replace: 'a', '9' | plus: 1 }}"),
    ("a fraction of digits", MEGA + "{{ s | replace: 'a', '9' | append: '.5' | plus: 1 }}"),
    ("money of digits", MEGA + "{{ s | replace: 'a', '9' | append: '.5' | money }}"),
    ("delimiters", MEGA + "{{ s | replace: 'a', '9' | number_with_delimiter | size }}"),
    ("words", MEGA + "{{ s | replace: 'a', ' a ' | truncatewords: 5 }}"),
    ("spaces", MEGA + "{{ s | replace: 'a', ' ' | append: 'x' | rstrip | truncatewords: 5 | size }}"),
    ("unlike elements", "{% assign l = (1..9999) | map: 'x' | concat: l %}{{ (1..9999) | uniq | size }}"),
    ("elements sorted", MEGA + "{% assign l = s | slice: 0, 99999 | split: '' %}{{ l | sort | uniq | sort_natural | size }}"),
    ("lists that are unlike", MEGA + "{% assign l = s | slice: 0, 40000 | replace: 'a', '[],' | prepend: '[' | append: '1]' | json_parse %}{{ l | uniq | size }}"),
    ("data within data", MEGA + "{{ s | replace: 'a', '[' | json_parse | size }}"),
    ("objects within objects", MEGA + "{{ s | slice: 0, 50000 | replace: 'a', '{\"a\":' | json_parse | as_json_string | size }}"),
    ("base64", MEGA + "{{ s | base64_encode | base64_decode | size }}"),
    ("addresses", MEGA + "{{ s | slice: 0, 100000 | replace: 'a', 'é' | url_encode | size }}"),
    ("containing", MEGA + "{% assign t = s | append: 'b' %}{% if s contains t %}x{% endif %}"),
    ("replacing by references to nothing", MEGA + "{% assign t = s | slice: 0, 300000 | replace: 'a', '-1' | replace: '-', '\\' %}{{ s | replace: '', t | size }}"),
    ("replacing one", MEGA + "{{ s | replace_first: 'b', s | remove: 'ab' | size }}"),
]  # fmt: skip


@pytest.mark.parametrize("source", [pytest.param(each[1], id=each[0]) for each in HEAVY])
def test_no_single_filter_takes_long_whatever_it_is_given(source: str) -> None:
    """Nothing interrupts a filter, so each must be done soon: within thirty seconds of the slowest machine."""
    template = compile(source)
    begun = thread_time()
    for render in (template.render, template.render_by_tree):
        with suppress(RenderError):
            render(VALUES, limits=UNHURRIED)
    assert thread_time() - begun < 30


def test_what_is_cut_off_leaves_no_memory_behind_and_took_little() -> None:
    sources = [each[1] for each in RENDERED]
    for source in sources:
        compile(source)
    tracemalloc.start()
    try:
        for source in sources:
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            with pytest.raises(RenderError):
                compile(source).render(VALUES, limits=UNHURRIED)
            assert tracemalloc.get_traced_memory()[1] - before < 64 * 1024 * 1024, source[:200]
    finally:
        tracemalloc.stop()


def test_others_are_rendered_meanwhile_as_if_nothing_were() -> None:
    """In threads of one process, and on one event loop."""
    good = compile("{% assign x = ${first_name} %}{% for a in (1..20) %}{{ x | append: a }},{% endfor %}")
    wanted = "".join(f"Mel{n}," for n in range(1, 21))
    done = threading.Event()
    wrong: list[Any] = []

    def harm() -> None:
        for turn in count():
            if done.is_set():
                return
            try:
                compile(RENDERED[turn % len(RENDERED)][1]).render(VALUES, limits=UNHURRIED)
                wrong.append(turn)
            except RenderError:
                pass

    threads = [threading.Thread(target=harm) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(200):
            assert good.render(VALUES, limits=UNHURRIED) == wanted
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert wrong == []

    async def both() -> list[Any]:
        tasks: list[Any] = []
        for each in RENDERED:
            tasks += [compile(each[1]).render_async(VALUES, Services(), limits=UNHURRIED)]
            tasks += [good.render_async(VALUES, Services(), limits=UNHURRIED)]
        return await asyncio.gather(*tasks, return_exceptions=True)

    found = asyncio.run(both())
    assert all(isinstance(each, RenderError) for each in found[::2])
    assert found[1::2] == [wanted] * len(RENDERED)


def test_templates_are_kept_until_there_is_no_room() -> None:
    cache: Cache[int] = Cache(100, "test")
    for n in range(10):
        cache.keep(f"t{n}", n, 20)
        cache.get("t0")
    assert [name for name in (f"t{n}" for n in range(10)) if cache.get(name) is not None] == [
        "t0",
        "t6",
        "t7",
        "t8",
        "t9",
    ]
    assert (cache.used, len(cache)) == (100, 5)
    cache.keep("t9", 9, 60)
    assert cache.used == 100
    cache.keep("huge", 1, 101)
    assert cache.get("huge") is None
    assert cache.used == 100


def test_a_compiled_template_is_weighed_at_about_what_it_takes() -> None:
    """Between half and three times: the room of the cache bounds memory, not a count of templates."""
    from bench.liquid import (
        OURS,
        mail,  # the mail of the bench, in our language
    )
    from journeys.engine.content.render import weight

    sources = [mail(OURS) + f"<!-- {n} -->" for n in range(20)] + [
        f"Hello {{{{${{first_name}}}}}} {n}" for n in range(20)
    ]
    parse(sources[0]).render(VALUES)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        templates = [parse(source) for source in sources]
        for template in templates:
            assert template.function is not None
        took = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert took / 2 < sum(map(weight, sources)) < 3 * took


async def test_blocks_are_kept_by_their_bytes_not_by_their_number() -> None:
    """B1: many large ones take no more room than a few."""
    blocks = {f"b{no}": f"{no}" + "{{a}}" * 5_000 for no in range(8)}

    class Shelf(Services):
        def block(self, name: str) -> str | None:
            return blocks.get(name)

    for name in blocks:
        compile("{{content_blocks.${" + name + "}}}").render(VALUES, Shelf())
    assert BLOCKS_KEPT.used <= 32 * 1024 * 1024
    assert 0 < len(BLOCKS_KEPT) < 8


@pytest.mark.parametrize(
    "name", ["ceil", "floor", "round", "plus: 1", "times: 2", "money", "abs", "at_least: 3"]
)
def test_a_text_of_half_a_million_digits_is_no_long_work(name: str) -> None:
    """V9: its processor time is bounded by what is read of it."""
    for text in ("9" * 500_000, "9" * 250_000 + "." + "9" * 250_000, "1." + "9" * 500_000):
        values = Values(context={"n": text})
        began = thread_time()
        with suppress(RenderError):
            compile("{{ context.${n} | " + name + " }}").render(values)
        assert thread_time() - began < 0.5


async def test_each_text_that_is_rendered_again_is_counted() -> None:
    """4.3: ten thousand of them are cut off, as loops are."""

    class Server(Services):
        async def connected(self, call: Call) -> Reply:
            return Reply(200, "[" + ",".join(f'"{no} {{{{x}}}}"' for no in range(10_001)) + "]")

    template = compile("{% connected_content https://a.example :save x :rerender %}")
    with pytest.raises(RenderError, match="more than 10,000 passes"):
        await template.render_async(Values(), Server(), limits=UNHURRIED)
