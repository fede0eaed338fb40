"""The functions of Python make the values that YAML writes; diagrams, schemas and plans of canvases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

import journeys
from journeys import (
    attribute,
    bucket,
    context,
    days,
    event,
    hours,
    message,
    minutes,
    purchase,
    seconds,
    segment,
    weeks,
)
from journeys.canvas.canvas import Canvas, Conversion, Exit, Reentry, Schedule
from journeys.canvas.diagram import mermaid
from journeys.canvas.filters import EventTrigger, Filter, MessageTrigger, PurchaseTrigger, Trigger
from journeys.canvas.loading import load
from journeys.canvas.plan import compile
from journeys.canvas.schema import schema
from journeys.canvas.steps import Delay, Message
from journeys.canvas.times import spell

ADAPTER: TypeAdapter[Any] = TypeAdapter(Filter)
DEFINITIONS = Path(__file__).parents[2] / "definitions"

PAIRS = [
    (attribute("a") == 1, {"attribute": "a", "equals": 1}),
    (attribute("a") != 1, {"attribute": "a", "not_equals": 1}),
    (attribute("a") > 1, {"attribute": "a", "more_than": 1}),
    (attribute("a") < 1, {"attribute": "a", "less_than": 1}),
    (attribute("a") >= 1, {"attribute": "a", "at_least": 1}),
    (attribute("a") <= 1, {"attribute": "a", "at_most": 1}),
    (attribute("a").one_of(1, "b"), {"attribute": "a", "one_of": [1, "b"]}),
    (attribute("a").none_of("b"), {"attribute": "a", "none_of": ["b"]}),
    (attribute("a").between(1, 2), {"attribute": "a", "between": [1, 2]}),
    (attribute("a").contains("b"), {"attribute": "a", "contains": "b"}),
    (attribute("a").starts_with("b"), {"attribute": "a", "starts_with": "b"}),
    (attribute("a").ends_with("b"), {"attribute": "a", "ends_with": "b"}),
    (attribute("a").matches("^b"), {"attribute": "a", "matches": "^b"}),
    (attribute("a").exists(), {"attribute": "a", "exists": True}),
    (attribute("a").before("2026-12-01"), {"attribute": "a", "before": "2026-12-01"}),
    (attribute("a").after("2026-12-01"), {"attribute": "a", "after": "2026-12-01"}),
    (attribute("a").within_last(days(2)), {"attribute": "a", "within_last": "2 days"}),
    (attribute("a").within_next("2 days"), {"attribute": "a", "within_next": "2 days"}),
    (context("c") == True, {"context": "c", "equals": True}),  # noqa: E712 - it makes a filter
    (segment("s") & bucket(0, 9), {"all": [{"segment": "s"}, {"bucket": [0, 9]}]}),
    (
        segment("s") & bucket(0, 9) & segment("t"),
        {"all": [{"segment": "s"}, {"bucket": [0, 9]}, {"segment": "t"}]},
    ),
    (segment("s") | bucket(0, 9), {"any": [{"segment": "s"}, {"bucket": [0, 9]}]}),
    (~segment("s"), {"none": [{"segment": "s"}]}),
    (
        event("e", times={"at_least": 2}, within_last="P1D"),
        {"event": "e", "times": {"at_least": 2}, "within_last": "1 day"},
    ),
    (
        purchase("p", where=[event.property("price") > 5]),
        {"purchase": "p", "where": [{"property": "price", "more_than": 5}]},
    ),
    (message.opened(step="m"), {"message": "opened", "step": "m"}),
]


@pytest.mark.parametrize(("made", "written"), PAIRS, ids=lambda pair: str(pair)[:40])
def test_what_python_makes_is_what_yaml_spells_out(made: Any, written: Any) -> None:
    assert made == ADAPTER.validate_python(written)
    assert made.model_dump(mode="json", exclude_defaults=True) == written


def test_a_filter_on_a_message_serves_as_a_trigger_too() -> None:
    trigger: Any = TypeAdapter(Trigger).validate_python(message.clicked(step="m"))

    assert trigger.model_dump(exclude_defaults=True) == {"message": "clicked", "step": "m"}


def test_a_message_cannot_be_what_no_message_is() -> None:
    with pytest.raises(AttributeError, match="did you mean “opened”"):
        _ = message.openned
    with pytest.raises(AttributeError):
        _ = journeys.Canvass


def test_spans_are_spelled_as_an_author_would() -> None:
    assert [
        spell(span)
        for span in (seconds(90), minutes(90), hours(48), days(1), weeks(2), timedelta(seconds=0.5))
    ] == ["90 seconds", "90 minutes", "2 days", "1 day", "14 days", "0.5 seconds"]


def canvas(**more: Any) -> Canvas:
    return Canvas(
        **{
            "name": "c",
            "schedule": Schedule(api=True),
            "steps": [Delay(id="d", duration=days(2)), Message(id="m", channel="email", template="t")],
            **more,
        }
    )


@pytest.mark.parametrize("more", [
    {"schedule": {"api": True, "event": "x"}},
    {"schedule": {}},
    {"schedule": {"event": "x", "starts": "2026-12-02T00:00", "ends": "2026-12-01T00:00"}},
    {"schedule": {"once": "2026-12-01T09:00", "at": "09:00"}},
    {"reentry": "sometimes"},
    {"reentry": {"afer": "1 day"}},
    {"exits": [{"event": "x", "message": "opened"}]},
    {"exits": [{}]},
    {"exits": [{"audience": {"segment": "s"}, "release": "immediate"}]},
    {"conversions": [{"name": "c", "within": "1 day"}]},
    {"conversions": [{"name": "c", "event": "x", "within": "1 minute"}]},
    {"conversions": [{"name": "c", "event": "x", "within": "31 days"}]},
    {"variants": [{"name": "a", "weight": 100}]},
    {"steps": [], "variants": [{"name": "a", "weight": 50, "control": True}, {"name": "b", "weight": 50, "control": True}]},
    {"steps": [], "variants": [{"name": "a", "weight": 100, "control": True, "steps": [{"type": "delay", "id": "d", "duration": "1 day"}]}]},
    {"send": {"quiet_hours": {"start": "21:00"}}},
    {"existing": "include"},
])  # fmt: skip
def test_a_canvas_that_cannot_be_meant_is_refused(more: Any) -> None:
    """What a later version brings is refused too."""
    with pytest.raises(ValidationError):
        canvas(**more)


NOW = datetime(2026, 12, 7, 9, tzinfo=UTC)


@pytest.mark.parametrize(("within", "fits"), [("299 seconds", False), ("5 minutes", True), ("30 days", True), ("2592001 seconds", False)])  # fmt: skip
def test_the_deadline_of_a_conversion_has_bounds(within: str, fits: bool) -> None:
    """CNV-3: five minutes and thirty days, both included."""
    more = {"conversions": [{"name": "c", "event": "x", "within": within}]}
    if fits:
        assert canvas(**more).conversions[0].name == "c"
        return
    with pytest.raises(ValidationError, match="a conversion's deadline lies between 5 minutes and 30 days"):
        canvas(**more)


@pytest.mark.parametrize(("shares", "controls", "wrong"), [
    ((60, 40), 0, None),
    ((60, 30), 0, "add up to 90, not 100"),
    ((60, 41), 0, "add up to 101, not 100"),
    ((60, 30, 10), 1, None),
    ((60, 40, 10), 1, "add up to 110, not 100"),
    ((60, 30), 1, "add up to 90, not 100"),
    ((40, 30, 30), 2, "at most one control variant"),
])  # fmt: skip
def test_the_shares_of_variants_make_a_hundred(
    shares: tuple[int, ...], controls: int, wrong: str | None
) -> None:
    """VAR-1: control's included, of which there is one at most."""
    variants = [
        {"name": f"v{place}", "weight": share, "control": place >= len(shares) - controls}
        for place, share in enumerate(shares)
    ]
    if wrong is None:
        assert [each.weight for each in canvas(steps=[], variants=variants).variants] == list(shares)
        return
    with pytest.raises(ValidationError, match=wrong):
        canvas(steps=[], variants=variants)


def test_an_exit_is_by_what_people_do_or_by_an_audience_and_takes_effect_at_once_or_later() -> None:
    """EXT-1, EXT-5, EXT-6, X1: several of each kind; at once is the default of events, the end of the step an audience's."""
    one, two = segment("one"), segment("two")
    made = canvas(
        exits=[
            Exit(event="a"),
            Exit(purchase="p"),
            Exit(message="opened", step="m"),
            Exit(event="b", release="immediate"),
            Exit(event="c", release="end_of_step"),
            Exit(audience=one),
            Exit(audience=two, release="end_of_step"),
        ]
    )

    assert [each.trigger for each in made.event_exits] == [
        EventTrigger(event="a"),
        PurchaseTrigger(purchase="p"),
        MessageTrigger(message="opened", step="m"),
        EventTrigger(event="b"),
        EventTrigger(event="c"),
    ]
    assert [each.at_once for each in made.exits] == [True, True, True, True, False, False, False]
    assert made.audience_exits == compile(made).audience_exits == (one, two)


def test_what_a_canvas_says_of_itself() -> None:
    """CTL-6, GEN-3"""
    made = canvas(
        conversions=[
            Conversion(name="c", purchase="p", within=days(1)),
            Conversion(name="d", message="clicked", within=days(1)),
        ],
        reentry=Reentry(after=days(9)),
    )
    plan = compile(made)

    assert made.reentry_after(plan.longest_from(NOW)) == days(9)
    assert (
        canvas(reentry="after_maximum_duration").reentry_after(plan.longest_from(NOW))
        == plan.longest_from(NOW)
        == days(2)
    )
    assert canvas().reentry_after(plan.longest_from(NOW)) is None
    assert plan.exits == {"d": {"next": "m"}, "m": {"next": None}}
    assert [conversion.trigger.model_dump(exclude_defaults=True) for conversion in made.conversions] == [
        {"purchase": "p"},
        {"message": "clicked"},
    ]


@pytest.mark.parametrize("name", ["onboarding", "running-shoes", "new-article"])
def test_a_diagram_shows_every_step_and_every_way(name: str) -> None:
    plan = compile(load([DEFINITIONS]).canvases[name].value)
    text = mermaid(plan, dict.fromkeys(plan.steps, 7))

    assert text.startswith("flowchart TD\n")
    for step in plan.steps.values():
        assert f"s_{step.id}" in text
        for way in step.branches():
            assert f'|"{way}"|' in text
    assert text.count("<br>7") == len(plan.steps)


def test_the_schema_knows_every_kind_and_step_type() -> None:
    found = schema()
    constants = str(found)

    for word in (
        "canvas",
        "segment",
        "template",
        "workspace",
        "message",
        "delay",
        "action_paths",
        "user_update",
    ):
        assert f"'{word}'" in constants
    assert all("kind" in str(each) and "format" in str(each) for each in found["oneOf"])


def _in_python(how: str) -> None:
    eval(how, {"attribute": attribute, "segment": segment, "event": event, "purchase": purchase})


@pytest.mark.parametrize(
    "how",
    [
        "segment('a') and segment('b')", "segment('a') or segment('b')", "not segment('a')", "18 < attribute('age') < 30",
        "attribute('country') in ['FR', 'DE']", "attribute('vip') and segment('a')", "bool(attribute('a') == 1)",
        "1 if purchase('p') else 2", "event.property('a') == 1 and event.property('b') == 2", "all([segment('a')])",
        "(segment('a') & segment('b')) or segment('c')", "not (segment('a') | segment('b'))", "not ~segment('a')",
    ],
)  # fmt: skip
def test_a_filter_is_not_used_as_a_truth_value(how: str) -> None:
    """`and` and chains would keep one side without a word."""
    with pytest.raises(TypeError, match=r"write & for “and”, \| for “or”, ~ for “not”, between\(18, 30\)"):
        _in_python(how)


def test_the_file_that_does_so_is_told_at_its_line(tmp_path: Path) -> None:
    (tmp_path / "c.py").write_text(
        "from journeys import Segment, attribute\n\n"
        "grown = Segment(name='grown', when=18 < attribute('age') < 30)\n"
    )
    [found] = load([tmp_path]).problems
    assert (found.code, found.where.line) == ("J006", 3)
    assert "between(18, 30)" in found.message
