"""Templates are compiled to Python functions, which do exactly what the syntax tree does, and hold no text of theirs."""

from __future__ import annotations

import ast
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from liquid.ast import Node

from bench.liquid import OURS, mail
from journeys.engine.content import Aborted, RenderError, Retry, TemplateError, Values, compile
from journeys.engine.content.files import context_of, services_of
from journeys.engine.content.limits import Limits
from tests.content import readings

UNHURRIED = Limits(seconds=1000)
_KEPT = ("a text grows", "the output grows", "go round")
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


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow]
)
@given(readings.sources, readings.worlds)
def test_both_readings_come_to_the_same_text_abort_or_error(source: str, world: dict[str, Any]) -> None:
    """E3, A2"""
    template = readable(source)
    assert template.function is not None
    found = []
    for render in (template.render, template.render_by_tree):
        try:
            found.append(("text", render(context_of(world), limits=UNHURRIED)))
        except FAILED as error:
            found.append(outcome(error))

    assert found[0] == found[1]


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow]
)
@given(readings.calls, readings.worlds)
async def test_both_readings_of_a_template_that_asks_others_are_the_same(
    source: str, world: dict[str, Any]
) -> None:
    template = readable(source)
    world = world | readings.ANSWERS
    found = []
    for render in (template.render_async, template.render_by_tree_async):
        services = services_of(world)
        try:
            text = await render(context_of(world), services, limits=UNHURRIED)
            found.append(("text", text, dict(services.extras)))
        except FAILED as error:
            found.append(outcome(error))

    assert found[0] == found[1]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow]
)
@given(readings.sources, readings.worlds, st.integers(0, 60), st.integers(0, 8))
def test_both_readings_are_cut_off_by_the_same_bound(
    source: str, world: dict[str, Any], output: int, passes: int
) -> None:
    """E4: whichever bound is passed first."""
    template = readable(source)
    found = []
    for render in (template.render, template.render_by_tree):
        try:
            text = render(context_of(world), limits=Limits(output=output, passes=passes, seconds=1000))
            found.append(("text", text))
        except FAILED as error:
            found.append(outcome(error))

    assert found[0] == found[1]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow]
)
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
