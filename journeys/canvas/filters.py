"""Filters and triggers: the one language of audiences, splits, exits, triggers, validations and segments.

A filter is a subject with what must hold of it, or `all`, `any`, `none` of filters. A trigger is what exits, action
paths and schedules listen to. The small functions (`attribute`, `event`, `message`, …) make in Python the values that
YAML spells out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    PlainValidator,
    Tag,
    WithJsonSchema,
    model_validator,
)

from journeys.canvas.change_triggers import (
    CHANGE_TRIGGERS,
    AttributeTrigger,
    ChangeTrigger,
    ConsentTrigger,
    IdentifierTrigger,
    PersonTrigger,
)
from journeys.canvas.conditions import Condition
from journeys.canvas.frozen_model import Frozen, Many
from journeys.canvas.problems import meant, shown, wrong
from journeys.canvas.state_comparisons import OneState
from journeys.canvas.times import LongSpan


class NoTruth:
    """What is neither true nor false: where Python asks, something was written that keeps one side only."""

    def __bool__(self) -> bool:
        """Refuse `and`, `or`, `not`, `if`, `in` and chains such as `18 < x < 30`."""
        raise TypeError(
            "a filter is neither true nor false: write & for “and”, | for “or”, ~ for “not”, "
            "between(18, 30) for “18 <= … <= 30”, one_of(…) for “in”"
        )


class Logic(NoTruth):
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
    """The attribute, standard or custom; `a.b` leads into objects, `a[].b` to any element."""


class ContextFilter(Logic, Condition):
    """What the entry carries (CTX-14)."""

    context: Annotated[str, Field(min_length=1, max_length=500)]
    """The name of what the entry carries."""


class PropertyFilter(NoTruth, Condition):
    """A property of an event, nested by dots (CTX-25)."""

    property: Annotated[str, Field(min_length=1, max_length=500)]
    """The property of the event; `a.b` leads into objects."""


class Times(Frozen):
    """How often: one comparison with a number."""

    equals: Annotated[int, Field(strict=True)] | None = None
    """Exactly so often."""
    more_than: Annotated[int, Field(strict=True)] | None = None
    """More often."""
    less_than: Annotated[int, Field(strict=True)] | None = None
    """Less often."""
    at_least: Annotated[int, Field(strict=True)] | None = None
    """So often or more."""
    at_most: Annotated[int, Field(strict=True)] | None = None
    """So often or less."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len([value for value in self.model_dump().values() if value is not None]) != 1:
            raise wrong(
                "J104", "`times` has exactly one comparison", "one of " + ", ".join(type(self).model_fields)
            )
        return self


class Past(Logic, Frozen):
    """What the filters on events and purchases have in common."""

    where: Many[PropertyFilter] = ()
    """Conditions on properties, which all must hold."""
    times: Times | None = None
    """How often; at least once where it is left out."""
    within_last: LongSpan | None = None
    """How long ago at most; ever where it is left out."""


class EventFilter(Past):
    """The person did it: with such properties, so often, lately."""

    event: Annotated[str, Field(min_length=1, max_length=255)]
    """The name of the event."""


def _product(value: Any) -> Any:
    if value is True or (isinstance(value, str) and 0 < len(value) <= 255):
        return value
    raise wrong("J100", f"a purchase is of a product, not of {shown(value)}", "write `true` for any")


Product = Annotated[
    str | Literal[True],
    PlainValidator(_product),
    WithJsonSchema({"anyOf": [{"type": "string", "minLength": 1, "maxLength": 255}, {"const": True}]}),
]
"""The product of a purchase; true stands for any."""


class PurchaseFilter(Past):
    """They bought it, or anything at all: with such properties, so often, lately."""

    purchase: Product
    """The product; `true` for any."""


Engagement = Literal["sent", "delivered", "opened", "clicked", "bounced", "unsubscribed"]


class MessageFilter(Logic, Frozen):
    """The engagement of the person with a message: any, or one of a step, a canvas, a campaign."""

    message: Engagement
    """What happened to the message."""
    step: str | None = None
    """The step that sent it; of this canvas where no other is named."""
    canvas: str | None = None
    """The canvas that sent it."""
    campaign: str | None = None
    """The campaign that sent it. Not supported yet."""
    within_last: LongSpan | None = None
    """How long ago at most; ever where it is left out."""


Consented = Literal["opted_in", "subscribed", "unsubscribed"]
Subscribed = Literal["subscribed", "unsubscribed", "unknown"]


class ConsentFilter(Logic, OneState):
    """The state of the person on a channel: exactly one comparison. Who said nothing is subscribed (SUB-1)."""

    consent: Literal["email", "push"]
    """The channel."""
    equals: Consented | None = None
    """The state is this."""
    not_equals: Consented | None = None
    """The state is not this."""
    one_of: Annotated[Many[Consented], Field(min_length=1)] | None = None
    """The state is one of these."""
    none_of: Annotated[Many[Consented], Field(min_length=1)] | None = None
    """The state is none of these."""


class SubscriptionFilter(Logic, OneState):
    """The state of the person in a subscription group: exactly one comparison. Who said nothing of it is unknown (CNS-1).

    Who has unsubscribed from the channel of the group is unsubscribed from it, as long as that lasts (CNS-2).
    """

    subscription: Annotated[str, Field(min_length=1)]
    """The name of the subscription group."""
    equals: Subscribed | None = None
    """The state is this."""
    not_equals: Subscribed | None = None
    """The state is not this."""
    one_of: Annotated[Many[Subscribed], Field(min_length=1)] | None = None
    """The state is one of these."""
    none_of: Annotated[Many[Subscribed], Field(min_length=1)] | None = None
    """The state is none of these."""


class SegmentFilter(Logic, Frozen):
    """The person is in a segment."""

    segment: Annotated[str, Field(min_length=1)]
    """The name of the segment."""


class BucketFilter(Logic, Frozen):
    """The person's random bucket, 0 to 9999, lies between these two, both included (IDN-10)."""

    bucket: tuple[Annotated[int, Field(ge=0, le=9999)], Annotated[int, Field(ge=0, le=9999)]]
    """The lowest and the highest number of the random bucket."""

    @model_validator(mode="after")
    def _upwards(self) -> Self:
        low, high = self.bucket
        if low > high:
            raise wrong(
                "J100",
                f"“bucket” has its bounds in the wrong order: {low} is above {high}",
                f"write [{high}, {low}]",
                at=("bucket",),
            )
        return self


class AllOf(Logic, Frozen):
    """All of these hold."""

    all: Annotated[Many[Filter], Field(min_length=1)]
    """Filters that all must hold."""


class AnyOf(Logic, Frozen):
    """At least one of these holds."""

    any: Annotated[Many[Filter], Field(min_length=1)]
    """Filters of which one must hold."""


class NoneOf(Logic, Frozen):
    """None of these holds."""

    none: Annotated[Many[Filter], Field(min_length=1)]
    """Filters of which none may hold."""


LATER_SUBJECTS = ("in_canvas", "near")
_FILTERS: dict[str, type[Any]] = {
    "attribute": AttributeFilter,
    "context": ContextFilter,
    "event": EventFilter,
    "purchase": PurchaseFilter,
    "message": MessageFilter,
    "consent": ConsentFilter,
    "subscription": SubscriptionFilter,
    "segment": SegmentFilter,
    "bucket": BucketFilter,
    "all": AllOf,
    "any": AnyOf,
    "none": NoneOf,
}


class EventTrigger(Frozen):
    """An event of this name, with such properties."""

    event: Annotated[str, Field(min_length=1, max_length=255)]
    """The name of the event."""
    where: Many[PropertyFilter] = ()
    """Conditions on properties, which all must hold."""


class PurchaseTrigger(Frozen):
    """A purchase of this product, or of any, with such properties."""

    purchase: Product
    """The product; `true` for any."""
    where: Many[PropertyFilter] = ()
    """Conditions on properties, which all must hold."""


class MessageTrigger(Frozen):
    """An engagement with a message: any, or of a step, a canvas, a campaign."""

    message: Engagement
    """What happens to the message."""
    step: str | None = None
    """The step that sent it; of this canvas where no other is named."""
    canvas: str | None = None
    """The canvas that sent it."""
    campaign: str | None = None
    """The campaign that sent it. Not supported yet."""


_TRIGGERS: dict[str, type[Any]] = {
    "event": EventTrigger,
    "purchase": PurchaseTrigger,
    "message": MessageTrigger,
    **CHANGE_TRIGGERS,
}


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
            hint = "several go under all, any or none" if isinstance(value, list | tuple) else ""
            message = f"{what} is a mapping such as {{event: signed_up}}, not {shown(value)}"
            raise wrong("J109", message, hint)
        found = [name for name in kinds if name in value]
        if len(found) == 1:
            return value
        later = [name for name in LATER_SUBJECTS if name in value]
        if later:
            raise wrong("J108", f"`{later[0]}` is not supported yet", "remove it", at=later[:1])
        if len(found) > 1:
            hint = "combine several with all, any, none"
            raise wrong("J109", f"{what} has one subject, not {' and '.join(found)}", hint, at=found[1:2])
        keys = [str(key) for key in value]
        hint = meant(keys[0], kinds) if keys else f"allowed: {', '.join(kinds)}"
        said = ", ".join(keys) or "it is empty"
        raise wrong("J109", f"{what} has no known subject: {said}", hint, at=keys[:1])

    return BeforeValidator(check)


Filter = Annotated[
    Annotated[AttributeFilter, Tag("attribute")]
    | Annotated[ContextFilter, Tag("context")]
    | Annotated[EventFilter, Tag("event")]
    | Annotated[PurchaseFilter, Tag("purchase")]
    | Annotated[MessageFilter, Tag("message")]
    | Annotated[ConsentFilter, Tag("consent")]
    | Annotated[SubscriptionFilter, Tag("subscription")]
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
    Annotated[EventTrigger, Tag("event")]
    | Annotated[PurchaseTrigger, Tag("purchase")]
    | Annotated[MessageTrigger, Tag("message")]
    | Annotated[AttributeTrigger, Tag("attribute")]
    | Annotated[ConsentTrigger, Tag("consent")]
    | Annotated[IdentifierTrigger, Tag("identifier")]
    | Annotated[PersonTrigger, Tag("person")],
    _name_of(_TRIGGERS),
    _known(_TRIGGERS, "a trigger"),
    BeforeValidator(_as_trigger),
]
if TYPE_CHECKING:
    GivenTrigger = (
        EventTrigger
        | PurchaseTrigger
        | MessageTrigger
        | ChangeTrigger
        | EventFilter
        | PurchaseFilter
        | MessageFilter
    )
else:
    GivenTrigger = Trigger
"""A trigger as it may be given: in Python by the functions that make filters, too."""
for _kind in (AllOf, AnyOf, NoneOf):
    _kind.model_rebuild()
