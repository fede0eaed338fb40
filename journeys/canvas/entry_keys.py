"""Where filters and triggers compare with the key of an entry, `{entry: key}`, and where there is none to compare with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from journeys.canvas.canvas import Canvas
from journeys.canvas.conditions import Condition, FromEntry
from journeys.canvas.filters import AllOf, AnyOf, NoneOf

Path = tuple[str | int, ...]


def asks_key(what: Any) -> bool:
    """Whether a filter or trigger compares with the key of the entry."""
    return next(key_operands(what, ()), None) is not None


def key_operands(what: Any, path: Path) -> Iterator[Path]:
    """Where a filter or trigger, which is written at this path, compares with the key of the entry."""
    match what:
        case AllOf(all=several) | AnyOf(any=several) | NoneOf(none=several):
            for place, each in enumerate(several):
                yield from key_operands(each, (*path, next(iter(type(what).model_fields)), place))
        case Condition():
            operand, here = what.operand, (*path, what.operator)
            parts = enumerate(operand) if isinstance(operand, tuple) else [(None, operand)]
            for where, part in parts:
                if isinstance(part, FromEntry):
                    yield here if where is None else (*here, where)
        case _:
            for place, condition in enumerate(getattr(what, "where", ())):
                yield from key_operands(condition, (*path, "where", place))


def key_faults(canvas: Canvas, written: Iterable[tuple[Path, Any]]) -> Iterator[tuple[str, Path, str, str]]:
    """J209 and J211: of the filters and triggers of a canvas, with their paths, those that compare with a key in vain."""
    for path, what in written:
        for where in key_operands(what, path):
            if path[0] in ("audience", "schedule"):
                yield (
                    "J209",
                    where,
                    f"`{{entry: key}}` cannot be used here: the {path[0]} is judged before the entry",
                    "",
                )
            elif canvas.key is None:
                hint = "write key: event.cart_id on the canvas"
                yield "J211", where, "`{entry: key}` in a canvas whose entries have no key", hint
