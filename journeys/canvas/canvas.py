"""The canvas: its schedule, audience, steps, exits and conversions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    model_serializer,
    model_validator,
)

from journeys.canvas.change_triggers import (
    Added,
    AttributePath,
    Value,
    change_trigger,
    check_change,
    without_unsaid,
)
from journeys.canvas.entry_rules import EntryLimit, Key
from journeys.canvas.filters import (
    EventTrigger,
    Filter,
    MessageTrigger,
    Product,
    PropertyFilter,
    PurchaseTrigger,
    Trigger,
)
from journeys.canvas.frozen_model import Frozen, Later, Many, not_yet
from journeys.canvas.occurrences import BY_CLOCK, Timetable
from journeys.canvas.problems import wrong
from journeys.canvas.steps import AnyStep
from journeys.canvas.steps.base import Id, Weight
from journeys.canvas.times import LongSpan, SomeSpan

AWAITED = ("event", "purchase", "message", "attribute", "consent", "identifier", "person")
"""What can be waited for; of these a schedule, an exit or a conversion has one at most."""

ENTRY_WAYS = (*AWAITED, "api", *BY_CLOCK)
"""The ways of letting people in; a schedule has one of them."""

MOST_CONVERSIONS = 4
SHORTEST_DEADLINE, LONGEST_DEADLINE = timedelta(minutes=5), timedelta(days=30)
"""The deadline of a conversion lies between these (CNV-3)."""


def _trigger(owner: Any) -> Trigger | None:
    """The trigger that is written out in a schedule, an exit or a conversion."""
    if owner.event is not None:
        return EventTrigger(event=owner.event, where=owner.where)  # EXT-1
    if owner.purchase is not None:
        return PurchaseTrigger(purchase=owner.purchase, where=owner.where)  # EXT-1
    if owner.message is not None:
        return MessageTrigger(message=owner.message, step=owner.step, canvas=owner.canvas)  # EXT-1
    return change_trigger(owner)  # EXT-2


class Awaited(Frozen):
    """What is waited for: an event, a purchase, an engagement with a message, or a change (EXT-2)."""

    event: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    """The name of an event."""
    purchase: Product | None = None
    """A product; `true` for any purchase."""
    message: Literal["sent", "delivered", "opened", "clicked", "bounced", "unsubscribed"] | None = None
    """What happens to a message."""
    step: str | None = None
    """Of a message: the step that sent it."""
    canvas: str | None = None
    """Of a message: the canvas that sent it."""
    where: Many[PropertyFilter] = ()
    """Conditions on properties, which all must hold."""
    attribute: AttributePath | None = None
    """An attribute that changes; `a.b` leads into objects."""
    changes: Literal[True] | None = None
    """Of an attribute or a consent: any change."""
    changes_to: Value = None
    """Of an attribute or a consent: it is this now; `null`: it has no value any more."""
    changes_from: Value = None
    """Of an attribute or a consent: it was this before; `null`: it had no value."""
    consent: Literal["email", "push"] | None = None
    """A channel on which the person's consent changes."""
    identifier: Added | None = None
    """`email` or `phone`: an address or number that the person did not have."""
    added: Literal[True] | None = None
    """Of an identifier: it is added."""
    person: Literal["created"] | None = None
    """`created`: there is a new person."""

    @model_validator(mode="after")
    def _changing(self) -> Self:
        check_change(self)
        subject = next((name for name in AWAITED[3:] if getattr(self, name) is not None), None)
        beside = next((name for name in ("where", "step") if getattr(self, name)), None)
        if subject and beside and not any(getattr(self, name) is not None for name in AWAITED[:3]):
            raise wrong("J104", f"`{beside}` cannot be used with `{subject}`", "remove it", at=(beside,))
        return self

    @model_serializer(mode="wrap")
    def _without_unsaid(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return without_unsaid(self, handler(self))


class Schedule(Timetable, Awaited):
    """Who comes in, and when: by an event (or purchase, or engagement), by API, or by the clock.

    By the clock: `at_launch`, `once`, or `every` day, week or month (ENT-1), by the clock of the company or by each
    person's own (ENT-2). Of a month that lacks a day it is the last (ENT-3). A time of day that a change of the clock
    skips is the first valid instant after it, and one that comes twice is the first of the two (ENT-10).
    """

    api: Literal[True] | None = None
    """People are let in by calls of the API."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        ways = [name for name in ENTRY_WAYS if getattr(self, name) is not None]
        if len(ways) != 1:
            said = " and ".join(ways) if ways else "none"
            message = f"a schedule has exactly one of {', '.join(ENTRY_WAYS)}; it has {said}"
            raise wrong("J104", message, at=ways[1:2])
        return self

    @property
    def trigger(self) -> Trigger | None:
        """What lets in; None where the API or the clock does."""
        return _trigger(self)

    @property
    def runs(self) -> bool:
        """Whether it lets people in at its own instants, many at once."""
        return self.trigger is None and self.api is None


class Reentry(Frozen):
    """How long after the last entry a person may enter again; at once if it is zero (CTL-2, CTL-3).

    With `overlap: false` they must have left as well: two gates, and both must let them through (CTL-5).
    """

    after: SomeSpan
    """How long after the last entry."""
    overlap: bool = True
    """Whether they may enter again while they are still inside."""

    @model_serializer(mode="wrap")
    def _written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = handler(self)
        if self.overlap:  # a canvas without the word keeps the plan that it had before there was one
            written.pop("overlap", None)
        return written


def _reentry(value: Any) -> Any:
    if value in ("never", "after_maximum_duration"):
        return value
    if isinstance(value, str):
        raise wrong(
            "J103",
            f"“{value}” is not a re-entry rule",
            "never, after_maximum_duration, or {after: 30 days}",
        )
    return value if isinstance(value, Reentry) else Reentry.model_validate(value)


Again = Annotated[
    Literal["never", "after_maximum_duration"] | Reentry,
    BeforeValidator(_reentry),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": ["never", "after_maximum_duration"]},
                {
                    "type": "object",
                    "properties": {"after": {"type": "string"}, "overlap": {"type": "boolean"}},
                },
            ]
        }
    ),
]


class Exit(Awaited):
    """When an entry leaves before its end: by an event, or by an audience that the person matches.

    `release` says when it takes effect: `immediate` (the default for events) or `end_of_step` (for audiences; X1).
    """

    audience: Filter | None = None
    """Who matches this leaves, at the end of the step."""
    release: Literal["immediate", "end_of_step"] | None = None
    """When it takes effect."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        ways = [name for name in (*AWAITED, "audience") if getattr(self, name) is not None]
        if len(ways) != 1:
            said = " and ".join(ways) if ways else "none"
            message = f"an exit has exactly one of {', '.join(AWAITED)}, audience; it has {said}"
            raise wrong("J104", message, at=ways[1:2])
        if self.audience is not None and self.release == "immediate":
            message = "`release: immediate` is not supported for an audience yet"
            raise wrong("J108", message, "remove it", at=("release",))
        return self

    @property
    def trigger(self) -> Trigger | None:
        """The event; None for an audience."""
        return _trigger(self)

    @property
    def at_once(self) -> bool:
        """Whether the exit takes effect at once."""
        return self.audience is None and self.release != "end_of_step"  # EXT-5, X1


def _deadline(within: timedelta) -> timedelta:
    if not SHORTEST_DEADLINE <= within <= LONGEST_DEADLINE:  # CNV-3
        raise wrong("J403", "a conversion's deadline lies between 5 minutes and 30 days")
    return within


class Conversion(Awaited):
    """What counts as success, within how long of the entry (CNV-3, CNV-4). `revenue` names the property that adds up."""

    name: Id
    """The name, by which reports speak of it."""
    within: Annotated[LongSpan, AfterValidator(_deadline)]
    """How long after the entry it counts: between 5 minutes and 30 days."""
    revenue: str | None = None
    """The property whose numbers are added up."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        ways = [name for name in AWAITED if getattr(self, name) is not None]
        if len(ways) != 1:
            raise wrong("J104", f"a conversion has exactly one of {', '.join(AWAITED)}", at=ways[1:2])
        return self

    @property
    def trigger(self) -> Trigger:
        """The event."""
        found = _trigger(self)
        assert found is not None, "a conversion awaits exactly one thing"
        return found


class Sending(Frozen):
    """For all messages of the canvas: whom they may reach (SUB-1). Quiet hours, caps and rates are not supported yet."""

    subscription: Literal["opted_in", "subscribed", "all"] = "subscribed"
    """Whom messages may reach, by their consent."""
    quiet_hours: Later = None
    """Hours in which nothing leaves. Not supported yet."""
    caps: Annotated[Literal["obey"], not_yet("ignore")] = "obey"
    """Whether the caps of the workspace are obeyed; `ignore` is not supported yet."""
    rate: Later = None
    """How many may leave in a minute. Not supported yet."""


class Variant(Frozen):
    """One of a canvas' parallel sequences of steps, and its share in per cent (VAR-1)."""

    name: Id
    """The name of the variant."""
    weight: Weight = 100
    """Its share in per cent."""
    control: bool = False
    """Whether it is the group that gets no messages."""
    steps: Many[AnyStep] = ()
    """Its steps."""

    @model_validator(mode="after")
    def _agreed(self) -> Self:
        self.agree()
        return self

    def agree(self) -> None:
        """Raises where its parts do not go together."""
        if self.control and self.steps:
            raise wrong(
                "J104", "the control variant has no steps: its people get no messages (VAR-4)", at=("steps",)
            )


class Canvas(Frozen):
    """What should happen to a person. One value, whether it was written in YAML or in Python.

    Example:
        >>> from journeys import Canvas, Delay, Message, Schedule, days
        >>> welcome = Canvas(
        ...     name="welcome",
        ...     schedule=Schedule(event="signed_up"),
        ...     steps=[Delay(id="settle", duration=days(1)), Message(id="hello", channel="email", template="welcome/hello")],
        ... )
    """

    name: Id
    """The name, once in the workspace."""
    description: str = ""
    """What it is for."""
    tags: Many[str] = ()
    """Tags of the workspace."""
    schedule: Schedule
    """What lets people in."""
    audience: Filter | None = None
    """Who may enter."""
    existing: Annotated[Literal["skip"], not_yet("include")] = "skip"
    """Of schedules by segment: whether those enter who are in it already; `include` is not supported yet."""
    key: Key | None = None
    """Several entries of one person side by side, one for each value of this: `event.article_id`, or `context.…` by API."""
    workflow: Literal["always", "when_waiting"] | None = None
    """Whether each entry has a workflow of its own at once, or only where it waits."""
    reentry: Again = "never"
    """Whether a person may enter again, and when."""
    entry_limit: EntryLimit | None = None
    """How many may enter, in each run, hour or day, or in all."""
    exits: Many[Exit] = ()
    """What ends entries early."""
    conversions: Many[Conversion] = ()
    """What counts as success."""
    send: Sending = Sending()
    """What holds of all its messages."""
    variants: Many[Variant] = ()
    """Parallel sequences of steps, instead of `steps`."""
    steps: Many[AnyStep] = ()
    """The steps, from top to bottom."""

    @model_validator(mode="after")
    def _agreed(self) -> Self:
        self.agree()
        return self

    def agree(self) -> None:
        """Raises where its parts do not go together."""
        if self.variants and self.steps:
            raise wrong("J104", "a canvas has either `variants` or `steps`", at=("steps",))
        if len(self.conversions) > MOST_CONVERSIONS:
            raise wrong(
                "J402",
                f"a canvas has at most {MOST_CONVERSIONS} conversions; this has {len(self.conversions)}",
                at=("conversions", MOST_CONVERSIONS),
            )
        if self.variants and abs(sum(variant.weight for variant in self.variants) - 100) > 0.001:  # VAR-1
            total = sum(variant.weight for variant in self.variants)
            raise wrong("J205", f"the weights of the variants add up to {total:g}, not 100", at=("variants",))
        if self.entry_limit and self.entry_limit.per == "run" and not self.schedule.runs:
            message = "a canvas that people enter by an event or by API has no runs"
            raise wrong("J103", message, "write hour, day or lifetime", at=("entry_limit", "per"))
        if self.key and self.key.startswith("event.") and self.schedule.trigger is None:
            hint = f"write {self.key.replace('event.', 'context.', 1)}"
            raise wrong("J103", "no event brings people into this canvas", hint, at=("key",))
        controls = [place for place, variant in enumerate(self.variants) if variant.control]
        if len(controls) > 1:  # VAR-1
            message = "a canvas has at most one control variant"
            raise wrong("J206", message, at=("variants", controls[1], "control"))

    @property
    def arms(self) -> Sequence[Variant]:
        """Its variants; the one that `steps` alone implies is called `main`."""
        return self.variants or (Variant.model_construct(name="main", weight=100, steps=self.steps),)

    @property
    def event_exits(self) -> Sequence[Exit]:
        """The exits by events."""
        return [each for each in self.exits if each.audience is None]  # EXT-1

    @property
    def audience_exits(self) -> tuple[Filter, ...]:
        """The filters of the exits by audience, which are judged at the boundaries between steps (EXT-6)."""
        return tuple(each.audience for each in self.exits if each.audience is not None)  # EXT-1, EXT-6

    @property
    def workflow_mode(self) -> Literal["always", "when_waiting"]:
        """Whether every entry gets a workflow; the default depends on the schedule."""
        return self.workflow or ("when_waiting" if self.schedule.by_clock else "always")

    @property
    def overlaps(self) -> bool:
        """Whether a person may enter again while they are still inside (CTL-4, CTL-5); with a key, with the same one."""
        return self.key is None and (not isinstance(self.reentry, Reentry) or self.reentry.overlap)

    @property
    def key_path(self) -> str | None:
        """Where the key lies in the first context of an entry, which the properties of the event are (CTX-1)."""
        return None if self.key is None else self.key.partition(".")[2]

    def reentry_after(self, maximum: timedelta) -> timedelta | None:
        """So long after their last entry a person may enter again; None: never. `maximum`: the longest of that entry (CTL-6)."""
        if self.reentry == "never":  # CTL-1
            return None
        return maximum if self.reentry == "after_maximum_duration" else self.reentry.after  # CTL-3, CTL-6
