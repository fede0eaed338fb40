"""Functions that build filters in Python as YAML writes them: `attribute`, `event`, `message` …"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, Literal, TypedDict, TypeVar, Unpack, cast, get_args

from journeys.canvas.change_triggers import (
    AttributeTrigger,
    ConsentTrigger,
    IdentifierTrigger,
    PersonTrigger,
)
from journeys.canvas.filters import (
    AttributeFilter,
    BucketFilter,
    ConsentFilter,
    ContextFilter,
    Engagement,
    EventFilter,
    MessageFilter,
    NoTruth,
    PropertyFilter,
    PurchaseFilter,
    SegmentFilter,
    SubscriptionFilter,
    Times,
)
from journeys.canvas.problems import meant

Made = TypeVar("Made")
Trigger = TypeVar("Trigger")

ANYTHING: Any = object()
"""Where a change may be to whatever it is."""


class OfPast(TypedDict, total=False):
    """What may be said of an event or a purchase: with which properties, how often, how lately."""

    where: Sequence[PropertyFilter]
    times: Times | Mapping[str, int]
    within_last: timedelta | str


class OfMessage(TypedDict, total=False):
    """Which message is meant, and how lately."""

    step: str
    canvas: str
    campaign: str
    within_last: timedelta | str


class Subject(NoTruth, Generic[Made]):
    """`attribute("country")` and the like: compare it, and a filter comes out."""

    def __init__(self, kind: Callable[..., Made], **subject: str) -> None:
        self._kind = kind
        self._subject = subject

    def _make(self, **operator: Any) -> Made:
        return self._kind(**self._subject, **operator)

    def __eq__(self, other: object) -> Made:  # type: ignore[override]
        return self._make(equals=other)

    def __ne__(self, other: object) -> Made:  # type: ignore[override]
        return self._make(not_equals=other)

    def __gt__(self, other: Any) -> Made:
        return self._make(more_than=other)

    def __lt__(self, other: Any) -> Made:
        return self._make(less_than=other)

    def __ge__(self, other: Any) -> Made:
        return self._make(at_least=other)

    def __le__(self, other: Any) -> Made:
        return self._make(at_most=other)

    __hash__ = object.__hash__

    def one_of(self, *values: Any) -> Made:
        """It equals one of these."""
        return self._make(one_of=values)

    def none_of(self, *values: Any) -> Made:
        """It equals none of these."""
        return self._make(none_of=values)

    def between(self, low: Any, high: Any) -> Made:
        """It lies between these two, both included."""
        return self._make(between=(low, high))

    def contains(self, part: Any) -> Made:
        """A text contains this text, a list this element."""
        return self._make(contains=part)

    def starts_with(self, part: Any) -> Made:
        """A text begins so."""
        return self._make(starts_with=part)

    def ends_with(self, part: Any) -> Made:
        """A text ends so."""
        return self._make(ends_with=part)

    def matches(self, pattern: str) -> Made:
        """A text contains a match of this regular expression."""
        return self._make(matches=pattern)

    def exists(self, there: bool = True) -> Made:  # noqa: FBT001, FBT002 - reads as a sentence
        """It has a value (or has none)."""
        return self._make(exists=there)

    def before(self, instant: Any) -> Made:
        """A time lies before this one."""
        return self._make(before=instant)

    def after(self, instant: Any) -> Made:
        """A time lies after this one."""
        return self._make(after=instant)

    def within_last(self, span: timedelta | str) -> Made:
        """A time lies in the past, at most so far back."""
        return self._make(within_last=span)

    def within_next(self, span: timedelta | str) -> Made:
        """A time lies in the future, at most so far ahead."""
        return self._make(within_next=span)


class Changing(Subject[Made], Generic[Made, Trigger]):
    """A subject that changes as well: its changes are triggers."""

    def __init__(self, kind: Callable[..., Made], trigger: Callable[..., Trigger], **subject: str) -> None:
        super().__init__(kind, **subject)
        self._trigger = trigger

    def changes(self) -> Trigger:
        """It becomes another; the first value counts, too."""
        return self._trigger(**self._subject, changes=True)

    def changes_to(self, after: Any) -> Trigger:
        """It becomes this; None: it has no value any more."""
        return self._trigger(**self._subject, changes_to=after)

    def changes_from(self, before: Any, *, to: Any = ANYTHING) -> Trigger:
        """It was this, and becomes another: `attribute("plan").changes_from("free", to="pro")`. None: it had no value."""
        after = {} if to is ANYTHING else {"changes_to": to}
        return self._trigger(**self._subject, changes_from=before, **after)


def attribute(name: str) -> Changing[AttributeFilter, AttributeTrigger]:
    """A profile's attribute: `attribute("country").one_of("FR", "DE")`, `attribute("plan").changes_to("pro")`."""
    return Changing(AttributeFilter, AttributeTrigger, attribute=name)


def context(name: str) -> Subject[ContextFilter]:
    """What the entry carries: `context("visits") >= 3`."""
    return Subject(ContextFilter, context=name)


def consent(channel: str) -> Changing[ConsentFilter, ConsentTrigger]:
    """The person's state on a channel: `consent("email") == "subscribed"`, `consent("email").changes()`."""
    return Changing(ConsentFilter, ConsentTrigger, consent=channel)


class identifier:  # noqa: N801 - a word of the language
    """An address or number: `identifier("email").added()` is a trigger."""

    def __init__(self, name: Literal["email", "phone"]) -> None:
        self._name = name

    def added(self) -> IdentifierTrigger:
        """The person has one that they did not have."""
        return IdentifierTrigger(identifier=self._name, added=True)


class person:  # noqa: N801 - a word of the language
    """`person.created()` is a trigger."""

    @staticmethod
    def created() -> PersonTrigger:
        """There is a new person."""
        return PersonTrigger(person="created")


def subscription(group: str) -> Subject[SubscriptionFilter]:
    """The person's state in a subscription group: `subscription("newsletter") == "subscribed"`."""
    return Subject(SubscriptionFilter, subscription=group)


def segment(name: str) -> SegmentFilter:
    """The person is in a segment."""
    return SegmentFilter(segment=name)


def bucket(low: int, high: int) -> BucketFilter:
    """The person's random bucket lies between these two, both included."""
    return BucketFilter(bucket=(low, high))


class Events:
    """`event("order_completed", times={"at_least": 5})`, and `event.property("category") == "running"`."""

    def __call__(self, name: str, **more: Unpack[OfPast]) -> EventFilter:
        """The person did it."""
        return EventFilter(event=name, **cast("Any", more))

    def property(self, name: str) -> Subject[PropertyFilter]:
        """A property of an event, for `where`."""
        return Subject(PropertyFilter, property=name)


event = Events()


def purchase(product: str | Literal[True] = True, **more: Unpack[OfPast]) -> PurchaseFilter:  # noqa: FBT002 - as in YAML
    """They bought this product; anything at all where none is named."""
    return PurchaseFilter(purchase=product, **cast("Any", more))


class Messages:
    """`message.opened(step="hello")` and the like: as a filter; where a trigger is wanted it is read as one."""

    if TYPE_CHECKING:

        def sent(self, **which: Unpack[OfMessage]) -> MessageFilter:
            """It left."""

        def delivered(self, **which: Unpack[OfMessage]) -> MessageFilter:
            """It arrived."""

        def opened(self, **which: Unpack[OfMessage]) -> MessageFilter:
            """They opened it."""

        def clicked(self, **which: Unpack[OfMessage]) -> MessageFilter:
            """They clicked on a link of it."""

        def bounced(self, **which: Unpack[OfMessage]) -> MessageFilter:
            """It came back."""

        def unsubscribed(self, **which: Unpack[OfMessage]) -> MessageFilter:
            """They unsubscribed by it."""

    else:

        def __getattr__(self, name: str) -> Any:
            if name not in get_args(Engagement):
                raise AttributeError(f"a message cannot be “{name}”: {meant(name, get_args(Engagement))}")

            def made(**more: Any) -> MessageFilter:
                return MessageFilter(message=name, **more)

            return made


message = Messages()
