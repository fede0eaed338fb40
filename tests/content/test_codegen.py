"""Templates are compiled to Python functions, which do exactly what the syntax tree does, and hold no text of theirs.

`make readings` tries tens of thousands of made-up templates instead of hundreds.
"""

from __future__ import annotations

import ast
import inspect
import os
import re
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from liquid.ast import Node

from bench.liquid import OURS, mail
from journeys.engine.content import Aborted, RenderError, Retry, TemplateError, Values, compile
from journeys.engine.content.context_files import context_of, services_of
from journeys.engine.content.limits import Limits
from journeys.engine.content.liquid_dialect import DIALECT
from tests.content import readings

UNHURRIED = Limits(seconds=1000)
EXAMPLES = int(os.environ.get("JOURNEYS_READINGS", "0"))
"""So many made-up templates for each property; 0: as many as each says."""
_KEPT = ("a text grows", "the output grows", "the loops make")
"""Bounds that a function notices a little later than the tree, so that the place may be another."""


def outcome(error: Exception) -> tuple[Any, ...]:
    """What a failed rendering comes to."""
    if isinstance(error, RenderError):
        late = any(words in error.message for words in _KEPT)
        return ("error", error.message, *(() if late else (error.line, error.column)))
    return type(error).__name__, str(error)


FAILED = (RenderError, Aborted, Retry)


def readable(source: str) -> Any:
    """The template; made-up ones that cannot be read are passed over."""
    try:
        return compile(source)
    except TemplateError:
        assume(False)


def made_up(examples: int) -> settings:
    """So many examples."""
    unhealthy = [HealthCheck.filter_too_much, HealthCheck.too_slow]
    return settings(max_examples=EXAMPLES or examples, deadline=None, suppress_health_check=unhealthy)


def readings_of(template: Any, world: dict[str, Any], limits: Limits) -> list[tuple[Any, ...]]:
    """What both readings of a template that asks nobody come to."""
    found = []
    for render in (template.render, template.render_by_tree):
        values, services = replace(context_of(world), draw=Random(7).random), services_of(world)
        try:
            found.append(("text", render(values, services, limits=limits), dict(services.extras)))
        except FAILED as error:
            found.append(outcome(error))
    return found


async def readings_that_ask(template: Any, world: dict[str, Any], limits: Limits) -> list[tuple[Any, ...]]:
    """What both readings of a template that asks somebody come to."""
    found = []
    for render in (template.render_async, template.render_by_tree_async):
        values, services = replace(context_of(world), draw=Random(7).random), services_of(world)
        try:
            found.append(("text", await render(values, services, limits=limits), dict(services.extras)))
        except FAILED as error:
            found.append(outcome(error))
    return found


bounds = st.builds(
    lambda output, passes: Limits(output=output, passes=passes, seconds=1000),
    st.integers(0, 60),
    st.integers(0, 8),
)


@pytest.mark.slow
@made_up(150)
@given(readings.sources, readings.worlds)
def test_both_readings_come_to_the_same_text_abort_or_error(source: str, world: dict[str, Any]) -> None:
    """E3, A2"""
    template = readable(source)
    assert template.function is not None
    by_function, by_tree = readings_of(template, world, UNHURRIED)

    assert by_function == by_tree


@pytest.mark.slow
@made_up(200)
@given(readings.calls, readings.worlds)
async def test_both_readings_of_a_template_that_asks_others_are_the_same(
    source: str, world: dict[str, Any]
) -> None:
    template = readable(source)
    by_function, by_tree = await readings_that_ask(template, world | readings.ANSWERS, UNHURRIED)

    assert by_function == by_tree


@made_up(60)
@given(readings.sources, readings.worlds, bounds)
def test_both_readings_are_cut_off_by_the_same_bound(
    source: str, world: dict[str, Any], limits: Limits
) -> None:
    """E4: whichever bound is passed first."""
    by_function, by_tree = readings_of(readable(source), world, limits)

    assert by_function == by_tree


A_SERVICE_THAT_IS_BUSY = " {% connected_content https://api.example.com/word :method post :retry %}"


@example(A_SERVICE_THAT_IS_BUSY, {"now": "2026-12-07T09:05:03Z"}, Limits(output=0, passes=0, seconds=1000))
@made_up(60)
@given(readings.calls, readings.worlds, bounds)
async def test_both_readings_of_a_template_that_asks_others_are_cut_off_by_the_same_bound(
    source: str, world: dict[str, Any], limits: Limits
) -> None:
    """E4"""
    by_function, by_tree = await readings_that_ask(readable(source), world | readings.ANSWERS, limits)

    assert by_function == by_tree


def test_made_up_templates_use_every_tag_of_the_dialect() -> None:
    """And every filter, since these are drawn from the dialect's own table."""
    written = set(re.findall(r"\{%+-?\s*(#|\w+)", inspect.getsource(readings)))
    known = set(DIALECT.tags) - {"content", "output", "illegal"}

    assert known - written == set()
    assert readings.FILTERS.keys() == DIALECT.filters.keys()


GIVEN = (
    None, True, False, 0, -3, 2.5, 12, "", "Mel", " a b ", "a,b,c", "12.50", "2026-12-07T09:00:00Z", "<b>&", "name",
    [], ["b", None, "a", 3], [{"name": "Ann", "n": 1}, {"name": "Bea"}], {"name": "Ann"},
)  # fmt: skip
"""One value of each sort."""


@pytest.mark.parametrize("name", sorted(DIALECT.filters))
def test_both_readings_of_each_filter_are_the_same_for_values_of_each_sort(name: str) -> None:
    wanted = readings.takes(name)
    for count in range(wanted.least, wanted.most + 1):
        called = f"{name}: " + ", ".join(f"x{place}" for place in range(count)) if count else name
        template = compile(f"[{{{{ a | {called} }}}}]{{% assign y = a | {called} | size %}}{{{{ y }}}}")
        assert template.function is not None
        assert template.function.left == ()
        texts = 0
        for turn, value in enumerate(GIVEN):
            for step in (1, 3, 8):
                more = {
                    f"x{place}": GIVEN[(turn + step * (place + 1)) % len(GIVEN)] for place in range(count)
                }
                world = {"now": "2026-12-07T09:05:03Z", "vars": {"a": value, **more}}
                by_function, by_tree = readings_of(template, world, UNHURRIED)
                assert by_function == by_tree, world
                texts += by_function[0] == "text"
        assert texts, "some of them can be worked with"


@made_up(60)
@given(readings.sources)
def test_nothing_of_a_template_becomes_part_of_the_source_that_is_compiled(source: str) -> None:
    """Names of our own, a few words, and signs: no text, no number, no name that the template brought."""
    template = readable(source)
    written = template.function.source
    for node in ast.walk(ast.parse(written)):
        if isinstance(node, ast.Constant):
            assert node.value in (None, True, False, "forloop", "break", "continue") or isinstance(
                node.value, int
            )
        if isinstance(node, ast.Name):
            assert node.id in OWN or (node.id[0] in "akpvtrxfin" and node.id[1:].isdigit())
        if isinstance(node, ast.Attribute):
            assert node.attr in OUR_ATTRIBUTES


OWN = {
    "context", "parts", "put", "spend", "turn", "assign", "look", "stringify", "step", "true", "placed", "error", "str",
    "int", "dict", "Exception", "Parts", "TEXT", "too_long", "ForLoop", "BreakLoop", "ContinueLoop", "nowhere", "env", "span", "equal",
}  # fmt: skip
OUR_ATTRIBUTES = {
    "__class__", "append", "text", "measure", "render_to_output", "render_to_output_async", "evaluate", "evaluate_async",
    "items", "_index", "enter", "leave", "parentloop", "spend", "turn", "assign", "reader", "span",
    "index", "index0", "rindex", "rindex0", "first", "last", "length", "name", "any",
}  # fmt: skip


@pytest.mark.parametrize(("source", "text"), [
    ("{{ 0.0 }} {{ -0.0 }} {{ 0 }} {{ 1.0 }} {{ 1 }}", "0.0 -0.0 0 1.0 1"),
    ("{{ -0.0 }} {{ 0.0 }}{% assign a = -0.0 %} {{ a }} {{ 0.0 | append: '' }}", "-0.0 0.0 -0.0 0.0"),
    ("{% for forloop in (1..2) %}{{ forloop }}{{ forloop.index }}{% if forloop.first %}f{% endif %};{% endfor %}", "1;2;"),
    ("{% for forloop in (1..2) %}{% for b in (7..8) %}{{ forloop.index }}{% endfor %}{{ forloop }} {% endfor %}", "121 122 "),
    ("{% for a in (5..5) %}{% for forloop in (7..8) %}{{ forloop }}{{ a }}{% cycle 'x' %}{% endfor %}{{ forloop.index }}{% endfor %}", "75x85x1"),
    ("{% for a in (1..1) %}{{ forloop }}{% endfor %}", '{"first":true,"index":1,"index0":0,"last":true,"length":1,"name":"a-(1..1)","parentloop":null,"rindex":1,"rindex0":0}'),
    ("{{ nothing }}{{ nothing.at.all[3] }}{% if nothing == nil %}nil{% endif %}", "nil"),
    ("{{ ['@draw'] }}{{ ['@now'] }}{% assign a = '@draw' %}{{ [a] }}{{ a }}{{ ['@draw'].x }}", "@draw"),
])  # fmt: skip
def test_both_readings_print_the_same_and_nothing_of_pythons(source: str, text: str) -> None:
    """V2, V8, L12, E2: signs of nothing, loops whose variable is called like the loop itself, what only we name."""
    template = compile(source)
    assert template.function is not None
    assert (template.render(Values()), template.render_by_tree(Values())) == (text, text)


@pytest.mark.parametrize("source", [
    "{{ a'''\"\"\"\\n }}", "{{ '''; import os; os.abort() # ' }}", "{% assign __class__ = 1 %}{{ __class__.x }}",
    "{% for render in (1..2) %}{{ render }}{{ forloop.__init__ }}{{ forloop.step }}{% endfor %}",
    '{{ custom_attribute.${a"]; exit() #} }}', "text with \"\"\" quotes ''' and \\ \n{# #}", "{{ context.parts.append }}{{ env }}{{ k1 }}",
])  # fmt: skip
def test_what_looks_like_python_stays_text(source: str) -> None:
    try:
        template = compile(source)
    except TemplateError:
        return
    values = Values(custom_attributes={"a": 1}, context={"x": 2})
    assert template.render(values) == template.render_by_tree(values)


def test_a_node_that_the_generator_does_not_know_is_rendered_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So a tag that is added, or changed, is right at once, and fast later."""
    kinds = {
        type(node)
        for node in compile("{% if a %}{% for b in (1..2) %}{{ b }}{% endfor %}{% endif %}")._bound.nodes
    }
    kind = next(iter(kinds))

    class Changed(kind):  # type: ignore[misc,valid-type]
        def render_to_output(self, context: Any, buffer: Any) -> int:
            return int(buffer.write("changed"))

    template = compile("{% for c in (1..2) %}{% if c %}{% endif %}{{ c }}{% endfor %}  ")
    _swap(template._bound.nodes, kind, Changed)
    template.__dict__.pop("function", None)

    values = Values()
    assert template.render(values) == template.render_by_tree(values) == "changed1changed2  "


def _swap(nodes: list[Node], kind: type[Any], by: type[Any]) -> None:
    for node in nodes:
        if type(node) is kind:
            node.__class__ = by
        if hasattr(node, "block"):
            node.block.blank = False
            node.blank = False
            _swap(node.block.nodes, kind, by)


@pytest.mark.parametrize("source", [
    "{% if a %}" * 29 + "x" + "{% endif %}" * 29,
    "{% for a in (1..1) %}" * 29 + "{{ a }}" + "{% endfor %}" * 29,
    "{% capture a %}y" * 20 + "x" + "{{ a }}{% endcapture %}" * 20 + "{{ a }}",
    "{% if b %}" + "{% elsif b %}" * 400 + "{% else %}x{% endif %}",
    "{% if " + "a or " * 100 + "true %}x{% endif %}",
    "{{ a" + "[a" * 60 + "]" * 60 + " }}x",
    "{{ a }}x" * 5000,
    "{{ 'x' " + "| append: 'x' " * 500 + "}}",
])  # fmt: skip
def test_what_python_could_not_take_is_left_to_the_tree(source: str) -> None:
    template = compile(source)
    values = Values(namespaces={"a": "a"})
    assert template.render(values) == template.render_by_tree(values) != ""


def test_nothing_of_an_ordinary_mail_is_left_to_the_tree() -> None:
    """The mail of the bench: should a tag or an expression in it lose its generator, its figures would be worth nothing."""
    template = compile(mail(OURS))
    assert template.function is not None
    assert template.function.left == ()
    assert ".evaluate(" not in template.function.source
    assert "render_to_output" not in template.function.source
