"""The one language of audiences, splits, exits, triggers, validations and segments, as values.

A filter is a subject with what must hold of it, or `all`, `any`, `none` of filters. A trigger is what exits, action
paths and schedules listen to. The small functions (`attribute`, `event`, `message`, …) make in Python the values that
YAML spells out.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BeforeValidator, Discriminator, Field, Tag, WithJsonSchema, model_serializer, model_validator

from journeys.canvas.problems import meant, wrong
from journeys.canvas.times import Instant, LongSpan
from journeys.canvas.values import Frozen

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
    if isinstance(value, datetime):
        return value.isoformat()
    raise wrong("J100", "an operand is a literal, {context: name} or {attribute: name}")


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise wrong("J100", f"a name was expected, not “{value}”")
    return value


Operand = Annotated[Any, BeforeValidator(_operand), WithJsonSchema({"description": "a literal, {context: x} or {attribute: x}"})]
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
            raise wrong("J104", f"a condition has exactly one operator; {said}", "one of " + ", ".join(OPERATORS))
        if self.matches is not None:
            _check_pattern(self.matches)
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
    from journeys.canvas.patterns import compiled

    try:
        compiled(pattern)
    except ValueError as error:
        raise wrong("J100", f"the pattern cannot be used: {error}") from error


class Logic:
    """Filters combine: `&` for all, `|` for any, `~` for none."""

    def __and__(self, other: Any) -> AllOf:
        mine = self.all if isinstance(self, AllOf) else (self,)
        return AllOf(all=(*mine, *(other.all if isinstance(other, AllOf) else (other,))))

    def __or__(self, other: Any) -> AnyOf:
        mine = self.any if isinstance(self, AnyOf) else (self,)
        return AnyOf(any=(*mine, *(other.any if isinstance(other, AnyOf) else (other,))))

    def __invert__(self) -> NoneOf:
        return NoneOf(none=(self,))


class AttributeFilter(Logic, Condition):
    """A profile's attribute, standard or custom, nested by dots; `[]` stands for any element (CTX-25)."""

    attribute: Annotated[str, Field(min_length=1, max_length=500)]


class ContextFilter(Logic, Condition):
    """What the entry carries (CTX-14)."""

    context: Annotated[str, Field(min_length=1, max_length=500)]


class PropertyFilter(Condition):
    """A property of an event, nested by dots (CTX-25)."""

    property: Annotated[str, Field(min_length=1, max_length=500)]


class Times(Frozen):
    """How often: one comparison with a number."""

    equals: int | None = None
    more_than: int | None = None
    less_than: int | None = None
    at_least: int | None = None
    at_most: int | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len([value for value in self.model_dump().values() if value is not None]) != 1:
            raise wrong("J104", "`times` has exactly one comparison", "one of " + ", ".join(type(self).model_fields))
        return self


class Past(Logic, Frozen):
    """What the two filters on what she did have in common."""

    where: tuple[PropertyFilter, ...] = ()
    times: Times | None = None
    within_last: LongSpan | None = None


class EventFilter(Past):
    """She did it: with such properties, so often, lately."""

    event: Annotated[str, Field(min_length=1, max_length=255)]


class PurchaseFilter(Past):
    """She bought it: with such properties, so often, lately."""

    purchase: Annotated[str, Field(min_length=1, max_length=255)]


Engagement = Literal["sent", "delivered", "opened", "clicked", "bounced", "unsubscribed"]


class MessageFilter(Logic, Frozen):
    """What became of a message to her: of any, or of those of a step, a canvas, a campaign."""

    message: Engagement
    step: str | None = None
    canvas: str | None = None
    campaign: str | None = None
    within_last: LongSpan | None = None


class SegmentFilter(Logic, Frozen):
    """She is in a segment."""

    segment: Annotated[str, Field(min_length=1)]


class BucketFilter(Logic, Frozen):
    """Her random bucket, 0 to 9999, lies between these two, both included (IDN-10)."""

    bucket: tuple[Annotated[int, Field(ge=0, le=9999)], Annotated[int, Field(ge=0, le=9999)]]


class AllOf(Logic, Frozen):
    """All of these hold."""

    all: Annotated[tuple[Filter, ...], Field(min_length=1)]


class AnyOf(Logic, Frozen):
    """At least one of these holds."""

    any: Annotated[tuple[Filter, ...], Field(min_length=1)]


class NoneOf(Logic, Frozen):
    """None of these holds."""

    none: Annotated[tuple[Filter, ...], Field(min_length=1)]


LATER_SUBJECTS = ("subscription", "in_canvas", "near")
_FILTERS: dict[str, type[Any]] = {
    "attribute": AttributeFilter,
    "context": ContextFilter,
    "event": EventFilter,
    "purchase": PurchaseFilter,
    "message": MessageFilter,
    "segment": SegmentFilter,
    "bucket": BucketFilter,
    "all": AllOf,
    "any": AnyOf,
    "none": NoneOf,
}


class EventTrigger(Frozen):
    """An event of this name, with such properties."""

    event: Annotated[str, Field(min_length=1, max_length=255)]
    where: tuple[PropertyFilter, ...] = ()


class PurchaseTrigger(Frozen):
    """A purchase of this product, with such properties."""

    purchase: Annotated[str, Field(min_length=1, max_length=255)]
    where: tuple[PropertyFilter, ...] = ()


class MessageTrigger(Frozen):
    """An engagement with a message: any, or of a step, a canvas, a campaign."""

    message: Engagement
    step: str | None = None
    canvas: str | None = None
    campaign: str | None = None


_TRIGGERS: dict[str, type[Any]] = {"event": EventTrigger, "purchase": PurchaseTrigger, "message": MessageTrigger}


def _name_of(kinds: Mapping[str, type[Any]]) -> Discriminator:
    def of(value: Any) -> str:
        if isinstance(value, Mapping):
            return next(name for name in kinds if name in value)
        return next(name for name, kind in kinds.items() if isinstance(value, kind))

    return Discriminator(of)


def _known(kinds: Mapping[str, type[Any]], what: str) -> BeforeValidator:
    """Refuse what has no subject, or several, before the subject decides which model reads it."""

    def check(value: Any) -> Any:
        if isinstance(value, tuple(kinds.values())):
            return value
        if not isinstance(value, Mapping):
            raise wrong("J109", f"{what} is a mapping such as {{event: signed_up}}, not “{value}”")
        found = [name for name in kinds if name in value]
        if len(found) == 1:
            return value
        later = [name for name in LATER_SUBJECTS if name in value]
        if later:
            raise wrong("J108", f"`{later[0]}` comes with a later version")
        if len(found) > 1:
            hint = "combine several with all, any, none"
            raise wrong("J109", f"{what} has one subject, not {' and '.join(found)}", hint)
        keys = [str(key) for key in value]
        hint = meant(keys[0], kinds) if keys else f"allowed: {', '.join(kinds)}"
        raise wrong("J109", f"{what} has no subject that is known: {', '.join(keys) or 'it is empty'}", hint)

    return BeforeValidator(check)


Filter = Annotated[
    Annotated[AttributeFilter, Tag("attribute")]
    | Annotated[ContextFilter, Tag("context")]
    | Annotated[EventFilter, Tag("event")]
    | Annotated[PurchaseFilter, Tag("purchase")]
    | Annotated[MessageFilter, Tag("message")]
    | Annotated[SegmentFilter, Tag("segment")]
    | Annotated[BucketFilter, Tag("bucket")]
    | Annotated[AllOf, Tag("all")]
    | Annotated[AnyOf, Tag("any")]
    | Annotated[NoneOf, Tag("none")],
    _name_of(_FILTERS),
    _known(_FILTERS, "a filter"),
]
def _as_trigger(value: Any) -> Any:
    """In Python a trigger may be written with the functions that make filters."""
    return value.model_dump(exclude_unset=True) if isinstance(value, Past | MessageFilter) else value


Trigger = Annotated[
    Annotated[EventTrigger, Tag("event")] | Annotated[PurchaseTrigger, Tag("purchase")] | Annotated[MessageTrigger, Tag("message")],
    _name_of(_TRIGGERS),
    _known(_TRIGGERS, "a trigger"),
    BeforeValidator(_as_trigger),
]
for _kind in (AllOf, AnyOf, NoneOf):
    _kind.model_rebuild()


# In Python ------------------------------------------------------------------------------------------------------


class Subject:
    """`attribute("country")` and the like: compare it, and a filter comes out."""

    def __init__(self, kind: type[Any], **subject: str) -> None:
        self._kind = kind
        self._subject = subject

    def _make(self, **operator: Any) -> Any:
        return self._kind(**self._subject, **operator)

    def __eq__(self, other: object) -> Any:  # type: ignore[override]
        return self._make(equals=other)

    def __ne__(self, other: object) -> Any:  # type: ignore[override]
        return self._make(not_equals=other)

    def __gt__(self, other: Any) -> Any:
        return self._make(more_than=other)

    def __lt__(self, other: Any) -> Any:
        return self._make(less_than=other)

    def __ge__(self, other: Any) -> Any:
        return self._make(at_least=other)

    def __le__(self, other: Any) -> Any:
        return self._make(at_most=other)

    __hash__ = object.__hash__

    def one_of(self, *values: Any) -> Any:
        """It equals one of these."""
        return self._make(one_of=values)

    def none_of(self, *values: Any) -> Any:
        """It equals none of these."""
        return self._make(none_of=values)

    def between(self, low: Any, high: Any) -> Any:
        """It lies between these two, both included."""
        return self._make(between=(low, high))

    def contains(self, part: Any) -> Any:
        """A text contains this text, a list this element."""
        return self._make(contains=part)

    def starts_with(self, part: Any) -> Any:
        """A text begins so."""
        return self._make(starts_with=part)

    def ends_with(self, part: Any) -> Any:
        """A text ends so."""
        return self._make(ends_with=part)

    def matches(self, pattern: str) -> Any:
        """A text contains a match of this regular expression."""
        return self._make(matches=pattern)

    def exists(self, there: bool = True) -> Any:  # noqa: FBT001, FBT002 - reads as a sentence
        """It has a value (or has none)."""
        return self._make(exists=there)

    def before(self, instant: Any) -> Any:
        """A time lies before this one."""
        return self._make(before=instant)

    def after(self, instant: Any) -> Any:
        """A time lies after this one."""
        return self._make(after=instant)

    def within_last(self, span: timedelta | str) -> Any:
        """A time lies in the past, at most so far back."""
        return self._make(within_last=span)

    def within_next(self, span: timedelta | str) -> Any:
        """A time lies in the future, at most so far ahead."""
        return self._make(within_next=span)


def attribute(name: str) -> Subject:
    """A profile's attribute: `attribute("country").one_of("FR", "DE")`."""
    return Subject(AttributeFilter, attribute=name)


def context(name: str) -> Subject:
    """What the entry carries: `context("visits") >= 3`."""
    return Subject(ContextFilter, context=name)


def segment(name: str) -> SegmentFilter:
    """She is in a segment."""
    return SegmentFilter(segment=name)


def bucket(low: int, high: int) -> BucketFilter:
    """Her random bucket lies between these two, both included."""
    return BucketFilter(bucket=(low, high))


class Events:
    """`event("order_completed", times={"at_least": 5})`, and `event.property("category") == "running"`."""

    def __call__(self, name: str, **more: Any) -> EventFilter:
        """She did it."""
        return EventFilter(event=name, **more)

    def property(self, name: str) -> Subject:
        """A property of an event, for `where`."""
        return Subject(PropertyFilter, property=name)


event = Events()


def purchase(product: str, **more: Any) -> PurchaseFilter:
    """She bought it."""
    return PurchaseFilter(purchase=product, **more)


class Messages:
    """`message.opened(step="hello")` and the like: as a filter; where a trigger is wanted it is read as one."""

    def __getattr__(self, name: str) -> Any:
        if name not in get_args(Engagement):
            raise AttributeError(f"a message cannot be “{name}”: {meant(name, get_args(Engagement))}")

        def made(**more: Any) -> MessageFilter:
            return MessageFilter(message=name, **more)

        return made


message = Messages()
