"""Conditions: what must hold of a value. Filters on attributes, context and properties are conditions with a subject."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_serializer, model_validator

from journeys.canvas.frozen_model import Frozen
from journeys.canvas.problems import shown, wrong
from journeys.canvas.times import LAST_VALUE_YEAR, LongSpan
from journeys.canvas.written_instants import read

Scalar = bool | int | float | str | None


class FromContext(Frozen):
    """An operand that is read from what the entry carries: `{context: shoe_id}`."""

    context: str


class FromAttribute(Frozen):
    """An operand that is read from the profile at this moment: `{attribute: favourite.size}`."""

    attribute: str


def _operand(value: Any) -> Any:
    if isinstance(value, Mapping):
        keys = set(value)
        if keys == {"context"}:
            return FromContext(context=_text(value["context"]))
        if keys == {"attribute"}:
            return FromAttribute(attribute=_text(value["attribute"]))
        raise wrong("J100", "an operand is a literal, {context: name} or {attribute: name}")
    if isinstance(value, FromContext | FromAttribute | str | bool | int | float) or value is None:
        return value
    if isinstance(value, date):
        return value.isoformat()
    raise wrong("J100", "an operand is a literal, {context: name} or {attribute: name}")


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise wrong("J100", f"a name was expected, not {shown(value)}")
    return value


Operand = Annotated[
    Any,
    BeforeValidator(_operand),
    WithJsonSchema({"description": "a literal, {context: x} or {attribute: x}"}),
]
Many = Annotated[tuple[Operand, ...], Field(min_length=1, max_length=256)]
Number = Annotated[float | int, Field(strict=True)]


class Condition(Frozen):
    """What must hold of a value: exactly one operator with its operand."""

    equals: Operand = None
    not_equals: Operand = None
    one_of: Many | None = None
    none_of: Many | None = None
    more_than: Operand = None
    less_than: Operand = None
    at_least: Operand = None
    at_most: Operand = None
    between: tuple[Operand, Operand] | None = None
    contains: Operand = None
    starts_with: Operand = None
    ends_with: Operand = None
    matches: Annotated[str, Field(max_length=2000)] | None = None
    exists: bool | None = None
    before: Operand = None
    after: Operand = None
    within_last: LongSpan | None = None
    within_next: LongSpan | None = None

    @model_validator(mode="after")
    def _one_operator(self) -> Self:
        used = [name for name in OPERATORS if name in self.model_fields_set]
        if len(used) != 1:
            said = f"it has {' and '.join(used)}" if used else "it has none"
            raise wrong(
                "J104",
                f"a condition has exactly one operator; {said}",
                "one of " + ", ".join(OPERATORS),
                at=used[1:2],
            )
        if self.operand is None and used[0] not in ("equals", "not_equals"):
            hint = "`equals: null` asks whether there is no value"
            raise wrong("J104", f"`{used[0]}` has no operand", hint, at=used[:1])
        if self.matches is not None:
            _check_pattern(self.matches)
        if used[0] in ("before", "after"):
            _check_instant(used[0], self.operand, needed=True)
        for bound in self.between or ():
            _check_instant("between", bound)
        return self

    @property
    def operator(self) -> str:
        """The name of its operator."""
        return next(name for name in OPERATORS if name in self.model_fields_set)

    @property
    def operand(self) -> Any:
        """The operand of its operator."""
        return getattr(self, self.operator)

    @model_serializer(mode="wrap")
    def _written(self, handler: Any) -> dict[str, Any]:
        written = handler(self)
        kept = {name: value for name, value in written.items() if name not in OPERATORS}
        return {**kept, self.operator: written.get(self.operator)}


OPERATORS = tuple(Condition.model_fields)


def _check_pattern(pattern: str) -> None:
    from journeys.canvas.regular_expressions import compiled

    try:
        compiled(pattern)
    except ValueError as error:
        raise wrong("J100", f"the pattern cannot be used: {error}", at=("matches",)) from error


def _check_instant(operator: str, operand: Any, *, needed: bool = False) -> None:
    """What is written is an instant, if one is needed, and of a year that attributes may have."""
    if isinstance(operand, FromContext | FromAttribute):
        return
    found = read(operand) if isinstance(operand, str) else None
    if found is None:
        if needed:
            hint = "write 2027-03-01 or 2027-03-01T09:00Z"
            raise wrong("J107", f"“{operand}” is not an instant", hint, at=(operator,))
        return
    if found.year > LAST_VALUE_YEAR:
        hint = f"years go to {LAST_VALUE_YEAR}"
        raise wrong("J405", f"the year of “{operand}” is out of bounds", hint, at=(operator,))
