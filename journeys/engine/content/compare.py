"""Comparison as Ruby's Liquid does it: `blank`, `empty`, nil, booleans, and types that do not compare (V2 to V6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from liquid import RenderContext
from liquid.builtin.expressions.logical import (
    BooleanExpression,
    ContainsExpression,
    EqExpression,
    GeExpression,
    GtExpression,
    LeExpression,
    LogicalAndExpression,
    LogicalNotExpression,
    LogicalOrExpression,
    LtExpression,
    NeExpression,
)
from liquid.builtin.expressions.primitive import Blank, Empty
from liquid.exceptions import LiquidTypeError
from liquid.expression import Expression
from liquid.undefined import is_undefined


def plain(value: Any) -> Any:
    """nil for what is not defined."""
    return None if is_undefined(value) else value


def is_number(value: Any) -> bool:
    """Whether it is a number; true and false are not."""
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def is_blank(value: Any) -> bool:
    """nil, false, white space and what is empty are blank; 0 is not (V3)."""
    if value is None or value is False:
        return True
    if isinstance(value, str):
        return not value.strip()
    return isinstance(value, list | tuple | Mapping) and not value


def is_empty(value: Any) -> bool:
    """`""`, `[]` and `{}` are empty; nil is not (V3)."""
    return isinstance(value, str | list | tuple | Mapping) and not value


def equal(left: Any, right: Any) -> bool:
    """Whether two values are equal (V2, V3, V6)."""
    left, right = plain(left), plain(right)
    for one, other in ((left, right), (right, left)):
        if isinstance(one, Blank):
            return isinstance(other, Blank) or is_blank(other)
        if isinstance(one, Empty):
            return isinstance(other, Empty) or is_empty(other)
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if is_number(left) and is_number(right):
        return bool(left == right)
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(equal(a, b) for a, b in zip(left, right, strict=True))
    return type(left) is type(right) and bool(left == right)


def less(left: Any, right: Any, test: Callable[[Any, Any], bool], token: Any) -> bool:
    """An order holds between numbers, texts and times; with nil or a boolean it does not; else it is an error (E3)."""
    left, right = plain(left), plain(right)
    if (
        left is None
        or right is None
        or isinstance(left, bool | Blank | Empty)
        or isinstance(right, bool | Blank | Empty)
    ):
        return False
    if is_number(left) and is_number(right):
        return test(left, right)
    for kind in (str, datetime):
        if isinstance(left, kind) and isinstance(right, kind):
            return test(left, right)
    names = {str: "a text", int: "a number", float: "a number", list: "a list", dict: "an object"}
    said = " with ".join(names.get(type(each), type(each).__name__) for each in (left, right))
    raise LiquidTypeError(f"cannot compare {said}", token=token)


def contains(left: Any, right: Any) -> bool:
    """A text contains a text, a list an equal element, an object a key (V5)."""
    left, right = plain(left), plain(right)
    if left is None or right is None:
        return False
    if isinstance(left, str):
        from journeys.engine.content.stringify import stringify

        return stringify(right) in left
    if isinstance(left, list | tuple):
        return any(equal(each, right) for each in left)
    return isinstance(left, Mapping) and right in left


class Comparison(Expression):
    """A comparison by our rules; `kind` is the stock one's class."""

    __slots__ = ("kind", "left", "right")

    def __init__(self, stock: Any) -> None:
        super().__init__(stock.token)
        self.kind = type(stock)
        self.left = stock.left
        self.right = stock.right

    def evaluate(self, context: RenderContext) -> object:
        """See base class."""
        return TESTS[self.kind](self.left.evaluate(context), self.right.evaluate(context), self.token)

    async def evaluate_async(self, context: RenderContext) -> object:
        """See base class."""
        left, right = await self.left.evaluate_async(context), await self.right.evaluate_async(context)
        return TESTS[self.kind](left, right, self.token)

    def children(self) -> list[Expression]:
        """See base class."""
        return [self.left, self.right]


TESTS: Mapping[type[Any], Callable[[Any, Any, Any], bool]] = {
    EqExpression: lambda left, right, _token: equal(left, right),
    NeExpression: lambda left, right, _token: not equal(left, right),
    LtExpression: lambda left, right, token: less(left, right, lambda a, b: bool(a < b), token),
    LeExpression: lambda left, right, token: less(left, right, lambda a, b: bool(a <= b), token),
    GtExpression: lambda left, right, token: less(left, right, lambda a, b: bool(a > b), token),
    GeExpression: lambda left, right, token: less(left, right, lambda a, b: bool(a >= b), token),
    ContainsExpression: lambda left, right, _token: contains(left, right),
}


def ruby(expression: Any) -> Any:
    """The condition with its comparisons replaced by ours."""
    if isinstance(expression, BooleanExpression):
        return BooleanExpression(expression.token, ruby(expression.expression))
    if isinstance(expression, LogicalAndExpression | LogicalOrExpression):
        return type(expression)(expression.token, ruby(expression.left), ruby(expression.right))
    if isinstance(expression, LogicalNotExpression):
        return LogicalNotExpression(expression.token, ruby(expression.right))
    return Comparison(expression) if type(expression) in TESTS else expression
