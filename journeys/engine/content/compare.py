"""Comparison as Ruby's Liquid does it: `blank`, `empty`, nil, booleans, and types that do not compare (V2 to V6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from liquid import RenderContext
from liquid.builtin.expressions.logical import (
    ContainsExpression,
    EqExpression,
    GeExpression,
    GtExpression,
    LeExpression,
    LtExpression,
    NeExpression,
)
from liquid.builtin.expressions.primitive import Blank, Empty
from liquid.exceptions import LiquidTypeError
from liquid.expression import Expression
from liquid.undefined import is_undefined

from journeys.engine.content.stringify import as_text


def plain(value: Any) -> Any:
    """nil for what is not defined."""
    return None if is_undefined(value) else value


def is_number(value: Any) -> bool:
    """Whether it is a number; true and false are not."""
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def truthy(value: Any) -> bool:
    """Everything is true but nil and false (V1)."""
    return value is not None and value is not False and not is_undefined(value)


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
        if isinstance(one, Blank):  # V3
            return is_blank(other)
        if isinstance(one, Empty):  # V3
            return is_empty(other)
    if isinstance(left, bool) or isinstance(right, bool):  # V6
        return left is right
    if is_number(left) and is_number(right):
        return bool(left == right)
    if isinstance(left, str) or isinstance(right, str):
        return isinstance(left, str) and isinstance(right, str) and str.__eq__(left, right)
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(equal(a, b) for a, b in zip(left, right, strict=True))
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left is right or (
            left.keys() == right.keys() and all(equal(left[name], right[name]) for name in left)
        )
    return type(left) is type(right) and bool(left == right)


def order(left: Any, right: Any) -> int | None:
    """-1, 0 or 1; None where there is no order between the two."""
    if is_number(left) and is_number(right):  # V6
        return int(left > right) - int(left < right)
    if isinstance(left, str) and isinstance(right, str):  # V6
        return (left > right) - (left < right)
    if isinstance(left, datetime) and isinstance(right, datetime):  # V6
        return (left > right) - (left < right)
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        for one, other in zip(left, right, strict=False):
            found = order(one, other)
            if found != 0:
                return found
        return (len(left) > len(right)) - (len(left) < len(right))
    return 0 if equal(left, right) else None


_ORDERED = (int, float, Decimal, str, datetime)


def less(left: Any, right: Any, test: Callable[[Any, Any], bool], token: Any) -> bool:
    """An order holds between numbers, texts and times. Between two of these kinds it is an error (E3), with all else it
    does not hold; nor between a time and an empty text (E6)."""
    if (
        not isinstance(left, _ORDERED)
        or not isinstance(right, _ORDERED)
        or isinstance(left, bool)
        or isinstance(right, bool)
    ):
        return False
    found = order(left, right)
    if found is not None:
        return test(found, 0)
    kinds = {type(left), type(right)}
    if kinds & {str} and (is_empty(left) or is_empty(right)) and not kinds - {str, datetime}:  # E6
        return False
    said = " with ".join(_kind(each) for each in (left, right))
    raise LiquidTypeError(f"cannot compare {said}", token=token)  # V6, E3


def _kind(value: Any) -> str:
    return "a text" if isinstance(value, str) else "a time" if isinstance(value, datetime) else "a number"


def contains(left: Any, right: Any) -> bool:
    """A text contains a text, a list an equal element, an object a key (V5)."""
    left, right = plain(left), plain(right)
    if left is None or right is None or right is False:
        return False
    if isinstance(left, str):
        return as_text(right) in left  # V5
    if isinstance(left, list | tuple):
        return any(equal(each, right) for each in left)  # V5
    if isinstance(left, range):
        return is_number(right) and left.start <= right < left.stop
    return isinstance(left, Mapping) and isinstance(right, str) and right in left  # V5


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
