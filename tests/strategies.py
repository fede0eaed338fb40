"""Made-up canvases, filters and people."""

from __future__ import annotations

import os
from datetime import datetime, time, timedelta
from typing import Any

from hypothesis import strategies as st

from journeys.canvas.canvas import Canvas, Conversion, Exit, Reentry, Schedule, Variant
from journeys.canvas.change_triggers import AttributeTrigger, ConsentTrigger, IdentifierTrigger, PersonTrigger
from journeys.canvas.entry_rules import EntryLimit
from journeys.canvas.filters import (
    AllOf,
    AnyOf,
    AttributeFilter,
    BucketFilter,
    ConsentFilter,
    ContextFilter,
    EventFilter,
    EventTrigger,
    MessageTrigger,
    NoneOf,
    PropertyFilter,
    PurchaseFilter,
    SegmentFilter,
    SubscriptionFilter,
    Times,
)
from journeys.canvas.steps import (
    ActionPath,
    ActionPaths,
    AudiencePath,
    AudiencePaths,
    Context,
    DecisionSplit,
    Delay,
    ExperimentControl,
    ExperimentPath,
    ExperimentPaths,
    Increment,
    LoggedEvent,
    Message,
    UserUpdate,
    Variable,
)


def examples(count: int) -> int:
    """So many examples; fewer where `JOURNEYS_EXAMPLES` says so, as for mutants."""
    return max(5, int(count * float(os.environ.get("JOURNEYS_EXAMPLES", "1"))))


texts = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=12)
words = st.sampled_from(
    ["signed_up", "order_completed", "article_liked", "session_start", "no", "on", "18:00"]
)
spans = st.one_of(
    st.integers(1, 400).map(lambda n: timedelta(minutes=n)),
    st.integers(1, 30).map(lambda n: timedelta(days=n)),
    st.integers(1, 9999).map(lambda n: timedelta(seconds=n)),
)
clocks = st.times().map(lambda at: time(at.hour, at.minute))
scalars = st.one_of(st.booleans(), st.integers(-1000, 1000), texts)


def conditions(kind: Any, **subject: str) -> st.SearchStrategy[Any]:
    operators: list[st.SearchStrategy[Any]] = [
        scalars.map(lambda value: kind(**subject, equals=value)),
        scalars.map(lambda value: kind(**subject, not_equals=value)),
        st.lists(scalars, min_size=1, max_size=3).map(lambda values: kind(**subject, one_of=tuple(values))),
        st.integers(-50, 50).map(lambda value: kind(**subject, more_than=value)),
        st.booleans().map(lambda value: kind(**subject, exists=value)),
        spans.map(lambda value: kind(**subject, within_last=value)),
        st.tuples(st.integers(0, 5), st.integers(6, 9)).map(lambda pair: kind(**subject, between=pair)),
    ]
    return st.one_of(*operators)


properties = conditions(PropertyFilter, property="category")
leaves = st.one_of(
    conditions(AttributeFilter, attribute="loyalty.tier"),
    conditions(ContextFilter, context="shoe_id"),
    st.builds(
        EventFilter,
        event=words,
        where=st.lists(properties, max_size=2).map(tuple),
        times=st.one_of(st.none(), st.integers(0, 5).map(lambda n: Times(at_least=n))),
        within_last=st.one_of(st.none(), spans),
    ),
    st.just(SegmentFilter(segment="runners")),
    st.just(BucketFilter(bucket=(0, 4999))),
    st.just(PurchaseFilter(purchase=True)),
    st.sampled_from(
        [
            ConsentFilter(consent="email", equals="opted_in"),
            ConsentFilter(consent="push", none_of=("subscribed",)),
            SubscriptionFilter(subscription="news", not_equals="unknown"),
        ]
    ),
)
filters = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda several: AllOf(all=tuple(several))),
        st.lists(inner, min_size=1, max_size=3).map(lambda several: AnyOf(any=tuple(several))),
        inner.map(lambda one: NoneOf(none=(one,))),
    ),
    max_leaves=4,
)
triggers = st.one_of(
    st.builds(EventTrigger, event=words, where=st.lists(properties, max_size=1).map(tuple)),
    st.just(MessageTrigger(message="opened")),
    st.sampled_from(
        [
            AttributeTrigger(attribute="loyalty.tier", changes=True),
            AttributeTrigger(attribute="plan", changes_from=None, changes_to="pro"),
            ConsentTrigger(consent="email", changes_to="unsubscribed"),
            IdentifierTrigger(identifier="email", added=True),
            PersonTrigger(person="created"),
        ]
    ),
)


class Ids:
    """Hands out step ids that are unique within a canvas."""

    def __init__(self) -> None:
        self.count = 0

    def next(self) -> str:
        self.count += 1
        return f"s{self.count}"


@st.composite
def sequences(draw: Any, ids: Ids, depth: int) -> tuple[Any, ...]:
    return tuple(draw(steps(ids, depth)) for _ in range(draw(st.integers(0 if depth < 2 else 1, 3))))


@st.composite
def steps(draw: Any, ids: Ids, depth: int) -> Any:
    kinds = ["message", "delay", "weekday", "until_time", "context", "update"]
    if depth > 0:
        kinds += ["split", "audience", "action", "experiment"]
    identity = ids.next()
    match draw(st.sampled_from(kinds)):
        case "message":
            at = draw(st.one_of(st.sampled_from(["now", "best_time"]), clocks))
            fallback = draw(st.one_of(st.none(), clocks)) if at == "best_time" else None
            return Message(
                id=identity,
                channel="email",
                template="a/b",
                at=at,
                fallback=fallback,
                on_fail=draw(st.sampled_from(["advance", "exit"])),
            )
        case "delay":
            return Delay(
                id=identity,
                duration=draw(spans),
                at=draw(st.one_of(st.none(), clocks)),
                zone=draw(st.sampled_from(["company", "local", "Asia/Tokyo"])),
            )
        case "weekday":
            days = draw(
                st.lists(st.sampled_from(["monday", "friday", "sunday"]), min_size=1, max_size=3, unique=True)
            )
            return Delay(
                id=identity,
                weekdays=tuple(days),
                at=draw(clocks),
                when_passed=draw(st.sampled_from(["next_week", "advance"])),
            )
        case "until_time":
            return Delay(
                id=identity, calendar_days=draw(st.integers(0, 20)), at=draw(st.one_of(st.none(), clocks))
            )
        case "context":
            asks = st.just("{% connected_content https://a.example :save r %}{{ r.x }}")
            return Context(
                id=identity, set=(Variable(name="x", type="text", value=draw(st.one_of(texts, asks))),)
            )
        case "update":
            changes = draw(
                st.dictionaries(
                    st.sampled_from(["a", "b c", "no"]),
                    st.one_of(
                        scalars,
                        st.integers(1, 3).map(lambda n: Increment(increment=n)),
                        st.just(["{% connected_content https://a.example %}"]),
                    ),
                    max_size=2,
                )
            )
            return UserUpdate(id=identity, attributes=changes, events=(LoggedEvent(name=draw(words)),))
        case "split":
            return DecisionSplit(
                id=identity,
                when=draw(filters),
                steps=draw(sequences(ids, depth - 1)),
                otherwise=draw(sequences(ids, depth - 1)),
            )
        case "audience":
            paths = tuple(
                AudiencePath(name=f"p{n}", when=draw(filters), steps=draw(sequences(ids, depth - 1)))
                for n in range(draw(st.integers(1, 2)))
            )
            return AudiencePaths(id=identity, paths=paths, otherwise=draw(sequences(ids, depth - 1)))
        case "action":
            paths_ = tuple(
                ActionPath(
                    name=f"p{n}",
                    triggers=(draw(triggers),),
                    exit_when=draw(st.sampled_from([None, None, "window_end", "immediately"])),
                    steps=draw(sequences(ids, depth - 1)),
                    then=draw(st.sampled_from([None, None, "end"])),
                )
                for n in range(draw(st.integers(1, 2)))
            )
            return ActionPaths(
                id=identity, within=draw(spans), paths=paths_, otherwise=draw(sequences(ids, depth - 1))
            )
    control = draw(st.booleans())
    return ExperimentPaths(
        id=identity,
        paths=(
            ExperimentPath(name="a", weight=40 if control else 50, steps=draw(sequences(ids, depth - 1))),
            ExperimentPath(name="b", weight=50),
        ),
        control=ExperimentControl(weight=10, behaviour=draw(st.sampled_from(["continue", "exit"])))
        if control
        else None,
    )


@st.composite
def canvases(draw: Any) -> Canvas:
    """A canvas with everything in it."""
    ids = Ids()
    body = draw(sequences(ids, 2))
    more: dict[str, Any] = {"steps": body}
    if draw(st.booleans()):
        more = {
            "variants": (
                Variant(name="control", weight=20, control=True),
                Variant(name="main", weight=80, steps=body),
            )
        }
    schedule = draw(
        st.one_of(
            st.just(Schedule(api=True)),
            st.builds(
                Schedule,
                event=words,
                where=st.lists(properties, max_size=1).map(tuple),
                starts=st.one_of(st.none(), st.just(datetime(2026, 12, 1))),
            ),
        )
    )
    return Canvas(
        name="made-up",
        description=draw(st.one_of(st.just(""), texts)),
        tags=tuple(draw(st.lists(texts, max_size=2))),
        schedule=schedule,
        audience=draw(st.one_of(st.none(), st.just(SegmentFilter(segment="runners")))),
        key=draw(
            st.sampled_from([None, "context.shoe_id" if schedule.api else "event.category", "context.a.b"])
        ),
        reentry=draw(
            st.sampled_from(
                [
                    "never",
                    "after_maximum_duration",
                    Reentry(after=timedelta(days=3)),
                    Reentry(after=timedelta(hours=2), overlap=False),
                ]
            )
        ),
        entry_limit=draw(
            st.sampled_from(
                [None, EntryLimit(entries=1000, per="day"), EntryLimit(entries=1, per="lifetime")]
            )
        ),
        exits=tuple(
            draw(
                st.lists(
                    st.sampled_from(
                        [
                            Exit(event="stop"),
                            Exit(event="later", release="end_of_step"),
                            Exit(audience=SegmentFilter(segment="runners")),
                        ]
                    ),
                    max_size=2,
                )
            )
        ),
        conversions=(
            Conversion(name="bought", event="order_completed", within=timedelta(days=7), revenue="total"),
        ),
        **more,
    )
