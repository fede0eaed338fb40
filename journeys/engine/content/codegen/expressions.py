"""Generates Python for expressions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from liquid.builtin.expressions import FilteredExpression, Path
from liquid.builtin.expressions.arguments import KeywordArgument
from liquid.builtin.expressions.filtered import Filter
from liquid.builtin.expressions.logical import (
    BooleanExpression,
    EqExpression,
    GeExpression,
    GtExpression,
    LeExpression,
    LogicalAndExpression,
    LogicalOrExpression,
    LtExpression,
    NeExpression,
)
from liquid.builtin.expressions.primitive import Blank, Empty, Literal, Nil, StringLiteral
from liquid.expression import Expression

from journeys.engine.content.codegen.writer import Writer
from journeys.engine.content.compare import TESTS, Comparison
from journeys.engine.content.grammar import Span
from journeys.engine.content.known_names import BLOCKS

NESTED = 40
"""Expressions within each other; what lies deeper is left to the tree."""

Written = Callable[[Writer, Any, int], str]


def pure(writer: Writer, expression: Expression, depth: int = 0) -> str:
    """A Python expression, without anything written before it: so it may stand in a condition."""
    written = EXPRESSIONS.get(type(expression).evaluate) if depth < NESTED else None
    return (written or _itself)(writer, expression, depth + 1)


def value(writer: Writer, expression: Expression) -> str:
    """As `pure`, and filters are called in statements before it."""
    if type(expression).evaluate is not FilteredExpression.evaluate:
        return pure(writer, expression)
    filtered = cast("FilteredExpression", expression)
    found = value(writer, filtered.left)
    for filter_ in filtered.filters or ():
        found = _called(writer, found, filter_)
    return found


def _called(writer: Writer, left: str, filter_: Filter) -> str:
    given, named = [], []
    env = writer.constants["env"]
    function = env.filters.get(filter_.name)
    if function is None or hasattr(function, "filter_async"):
        raise NotImplementedError(filter_.name)
    result = writer.fresh("v")
    writer.line(f"{result} = {left}")
    for argument in filter_.args:
        expression = argument.value
        found = value(writer, expression)
        if not isinstance(expression, Literal):
            kept = writer.fresh("v")
            writer.line(f"{kept} = {found}")
            found = kept
        if isinstance(argument, KeywordArgument):
            named.append(f"{writer.constant(str(argument.name))}: {found}")
        else:
            given.append(found)
    words = [result, *given]
    if named:
        words.append(f"**{{{', '.join(named)}}}")
    if getattr(function, "with_context", False):
        words.append("context=context")
    if getattr(function, "with_environment", False):
        words.append("environment=env")
    writer.work(1)
    writer.line(f"try: {result} = {writer.constant(function)}({', '.join(words)})")
    writer.line(f"except Exception as error: raise placed(error, {writer.constant(filter_)})")
    return result


def _itself(writer: Writer, expression: Expression, depth: int) -> str:
    """The tree's own reading."""
    del depth
    writer.opaque()
    named = writer.constant(expression)
    if writer.awaits:
        return f"(await {named}.evaluate_async(context))"
    return f"{named}.evaluate(context)"


def _literal(writer: Writer, expression: Literal[Any], depth: int) -> str:
    del depth
    if expression.value is True or expression.value is False:
        return str(expression.value)
    return writer.constant(expression.value)


def _nothing(writer: Writer, expression: Nil, depth: int) -> str:
    del writer, expression, depth
    return "None"


def _word(writer: Writer, expression: Blank | Empty, depth: int) -> str:
    del depth
    return writer.constant(expression)


def _path(writer: Writer, expression: Path, depth: int) -> str:
    head, *rest = expression.path
    if not isinstance(head, str) or head == BLOCKS:
        return _itself(writer, expression, depth)
    found = _head(writer, head)
    if (
        head == "forloop"
        and rest
        and rest[0] in _HELPER
        and found == (writer.loops and writer.loops[-1].helper)
    ):
        found = f"{found}.{_HELPER[_HELPER.index(rest.pop(0))]}"
    for key in rest:
        kept = writer.fresh("t")
        if isinstance(key, Path):
            found = f"step({found}, {pure(writer, key, depth)})"
        elif type(key) is str:
            name = writer.constant(key)
            found = f"({kept}[{name}] if ({kept} := {found}).__class__ is dict and {name} in {kept} else step({kept}, {name}))"
        else:
            found = f"step({found}, {writer.constant(key)})"
    return found


_HELPER = ("index", "index0", "rindex", "rindex0", "first", "last", "length", "name")
"""What `forloop` has: these words may become part of the source, because they are known here."""


def _head(writer: Writer, name: str) -> str:
    for place, loop in enumerate(reversed(writer.loops)):
        if name == loop.name:
            return loop.item
        if name == "forloop":
            for outer in writer.loops[: len(writer.loops) - place]:
                outer.uses_helper = True
            return loop.helper
    return writer.root(name)


def _span(writer: Writer, expression: Span, depth: int) -> str:
    return f"span({pure(writer, expression.start, depth)}, {pure(writer, expression.stop, depth)})"


def _truth(writer: Writer, expression: Expression, depth: int) -> str:
    """Whether it counts as true: comparisons say so themselves."""
    found = pure(writer, expression, depth)
    return found if isinstance(expression, _SAYING) else f"true({found})"


_SAYING = (Comparison, LogicalAndExpression, LogicalOrExpression, BooleanExpression)


def _boolean(writer: Writer, expression: BooleanExpression, depth: int) -> str:
    return _truth(writer, expression.expression, depth)


def _and(writer: Writer, expression: LogicalAndExpression, depth: int) -> str:
    return f"({_truth(writer, expression.left, depth)} and {_truth(writer, expression.right, depth)})"


def _or(writer: Writer, expression: LogicalOrExpression, depth: int) -> str:
    return f"({_truth(writer, expression.left, depth)} or {_truth(writer, expression.right, depth)})"


_SIGNS: Mapping[type[Any], str] = {
    EqExpression: "==", NeExpression: "!=", LtExpression: "<", LeExpression: "<=", GtExpression: ">", GeExpression: ">=",
}  # fmt: skip


def _comparison(writer: Writer, expression: Comparison, depth: int) -> str:
    left, right = pure(writer, expression.left, depth), pure(writer, expression.right, depth)
    test = writer.constant(TESTS[expression.kind])
    token = writer.constant(expression.token)
    given = getattr(expression.right, "value", None) if isinstance(expression.right, Literal) else None
    sign = _SIGNS.get(expression.kind)
    if sign and (given.__class__ is int or (given.__class__ is str and sign in ("==", "!="))):
        kept = writer.fresh("t")
        kind = given.__class__.__name__
        return f"(({kept} {sign} {right}) if ({kept} := {left}).__class__ is {kind} else {test}({kept}, {right}, {token}))"
    return f"{test}({left}, {right}, {token})"


EXPRESSIONS: Mapping[Callable[..., Any], Written] = {
    Literal.evaluate: _literal,
    StringLiteral.evaluate: _literal,
    Nil.evaluate: _nothing,
    Blank.evaluate: _word,
    Empty.evaluate: _word,
    Path.evaluate: _path,
    Span.evaluate: _span,
    BooleanExpression.evaluate: _boolean,
    LogicalAndExpression.evaluate: _and,
    LogicalOrExpression.evaluate: _or,
    Comparison.evaluate: _comparison,
}
"""By the method of the tree that each stands for."""
