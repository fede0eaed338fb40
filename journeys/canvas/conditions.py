"""Conditions: what must hold of a value. Filters on attributes, context and properties are conditions with a subject."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_serializer, model_validator

from journeys.canvas.frozen_model import Frozen
from journeys.canvas.problems import shown, wrong
from journeys.canvas.times import LAST_VALUE_YEAR, LongSpan
from journeys.canvas.written_instants import read

OPERAND = "an operand is a literal, {context: name}, {attribute: name} or {entry: key}"


class FromContext(Frozen):
    """An operand that is read from what the entry carries: `{context: shoe_id}`."""

    context: str
    """The name, with dots into objects, of what the entry carries."""


class FromAttribute(Frozen):
    """An operand that is read from the profile at this moment: `{attribute: favourite.size}`."""

    attribute: str
    """The attribute, with dots into objects."""


class FromEntry(Frozen):
    """An operand that is the entry's own key: `{entry: key}`."""

    entry: Literal["key"]
    """What of the entry: its `key`."""


def _operand(value: Any) -> Any:
    if isinstance(value, Mapping):
        keys = set(value)
        if keys == {"context"}:
            return FromContext(context=_text(value["context"]))
        if keys == {"attribute"}:
            return FromAttribute(attribute=_text(value["attribute"]))
        if keys == {"entry"}:
            if value["entry"] != "key":
                message = f"an entry has no {shown(value['entry'])} to compare with"
                raise wrong("J103", message, "write {entry: key}")
            return FromEntry(entry="key")
        raise wrong("J100", OPERAND)
    if isinstance(value, FromContext | FromAttribute | FromEntry | str | bool | int | float) or value is None:
        return value
    if isinstance(value, date):
        return value.isoformat()
    raise wrong("J100", OPERAND)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise wrong("J100", f"a name was expected, not {shown(value)}")
    return value


Operand = Annotated[
    Any,
    BeforeValidator(_operand),
    WithJsonSchema({"description": "a literal, {context: x}, {attribute: x} or {entry: key}"}),
]
Operands = Annotated[tuple[Operand, ...], Field(min_length=1, max_length=256)]


class Condition(Frozen):
    """What must hold of a value: exactly one operator with its operand."""

    equals: Operand = None
    """The value is this; `null`: there is none. Of a list, one of its elements is."""
    not_equals: Operand = None
    """The value is not this, and none of a list is."""
    one_of: Operands | None = None
    """The value is one of these."""
    none_of: Operands | None = None
    """The value is none of these."""
    more_than: Operand = None
    """A number above, or a time after."""
    less_than: Operand = None
    """A number below, or a time before."""
    at_least: Operand = None
    """A number or a time not below this."""
    at_most: Operand = None
    """A number or a time not above this."""
    between: tuple[Operand, Operand] | None = None
    """Not below the first and not above the second."""
    contains: Operand = None
    """A text within the text, in any case; or an element of the list."""
    starts_with: Operand = None
    """How the text begins, in any case."""
    ends_with: Operand = None
    """How the text ends, in any case."""
    matches: Annotated[str, Field(max_length=2000)] | None = None
    """A pattern of RE2 that is found in the text."""
    exists: bool | None = None
    """Whether there is a value."""
    before: Operand = None
    """The time lies before this instant."""
    after: Operand = None
    """The time lies after this instant."""
    within_last: LongSpan | None = None
    """The time lies in the past, no longer ago than this."""
    within_next: LongSpan | None = None
    """The time lies ahead, no further than this."""

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
    if isinstance(operand, FromContext | FromAttribute | FromEntry):
        return
    found = read(operand) if isinstance(operand, str) else None
    if found is None:
        if needed:
            hint = "write 2027-03-01 or 2027-03-01T09:00Z"
            raise wrong("J107", f"{shown(operand)} is not an instant", hint, at=(operator,))
        return
    if found.year > LAST_VALUE_YEAR:
        hint = f"years go to {LAST_VALUE_YEAR}"
        raise wrong("J405", f"the year of “{operand}” is out of bounds", hint, at=(operator,))
