"""Made-up people of a simulation match audiences, do what exits and conversions listen to, and remember their updates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter

from journeys.canvas.events_and_commands import Update
from journeys.canvas.filters import Filter
from journeys.canvas.plan import Plan, compile
from journeys.canvas.steps import UserUpdate
from journeys.canvas.yaml_definitions import read_text
from journeys.engine.audience.match import Person, Said
from journeys.engine.core.made_up_people import updated
from journeys.engine.core.simulate import Probabilities, Scenario, run, simulate

NOW = datetime(2026, 12, 7, 9, tzinfo=UTC)
MAIL = "{type: message, id: m, channel: email, template: t}"
DELAY = "{type: delay, id: d, duration: 4 days}"
WAIT = DELAY + ", {type: user_update, id: w, attributes: {waited: true}}"
FILTER: TypeAdapter[Any] = TypeAdapter(Filter)


def plan_of(steps: str, more: str = "") -> Plan:
    text = f"kind: canvas\nformat: 1\nname: c\nschedule: {{api: true}}\n{more}\nsteps: [{steps}]\n"
    [found], problems = read_text(text)
    assert problems == []
    return compile(found.value)


def of(plan: Plan, people: Any = 200, segments: Any = None, **rates: float) -> Any:
    return simulate(
        plan, people, starts=NOW, seed=1, probabilities=Probabilities(rates=rates), segments=segments
    )


@pytest.mark.parametrize(
    ("leaving", "name"),
    [
        ("{event: bought}", "bought"),
        ("{event: bought, where: [{property: total, more_than: 5}]}", "bought"),
        ("{purchase: shoe}", "shoe"),
        ("{purchase: true}", "purchase"),
        ("{message: clicked}", "clicked"),
        ("{message: clicked, step: m}", "clicked"),
    ],
)
def test_as_many_leave_by_an_exit_as_its_rate_says(leaving: str, name: str) -> None:
    """EXT-1: at an instant of the entry; of a message after it was sent."""
    plan = plan_of(f"{MAIL}, {WAIT}", f"exits: [{leaving}]")

    assert of(plan, **{name: 1}).ended == {"exit_event": 200}
    assert of(plan, **{name: 0}).ended == {"completed": 200}
    assert 30 < of(plan, **{name: 0.25}).ended["exit_event"] < 70
    assert 40 < of(plan).ended["exit_event"] < 80, "three in ten"


def test_nobody_reacts_to_a_message_that_was_not_sent() -> None:
    for leaving in ("{message: clicked}", "{message: clicked, step: m}"):
        plan = plan_of(f"{WAIT}, {MAIL}", f"exits: [{leaving}]")
        assert of(plan, clicked=1).ended == {"completed": 200}
    opened = "{type: decision_split, id: s, when: {message: opened, step: m}}"
    assert of(plan_of(f"{opened}, {MAIL}"), opened=1).took == {("s", "otherwise"): 200}
    assert of(plan_of(f"{MAIL}, {opened}"), opened=1).took == {("s", "yes"): 200}


def test_an_exit_at_the_end_of_the_step_lets_the_step_end() -> None:
    """EXT-5, X1"""
    plan = plan_of(f"{WAIT}, {MAIL}", "exits: [{event: bought, release: end_of_step}]")
    report = of(plan, bought=1)

    assert (report.ended, report.messages) == ({"exit_event": 200}, 0)
    assert report.longest == timedelta(days=4)


def test_an_exit_and_a_path_are_told_in_the_order_in_which_they_happen() -> None:
    steps = "{type: action_paths, id: a, within: 4 days, paths: [{name: liked, triggers: [{event: liked}]}]}, {type: user_update, id: w, attributes: {waited: true}}"
    report = of(plan_of(steps, "exits: [{event: bought}]"), liked=1, bought=1)

    assert report.took["a", "liked"] + report.ended["exit_event"] == 200
    assert 60 < report.ended["exit_event"] < 140
    assert of(plan_of(steps), liked=0).took == {("a", "otherwise"): 200}


def test_conversions_are_counted_within_their_windows() -> None:
    """CNV-4: whoever did not enter makes none."""
    goals = "conversions: [{name: soon, event: bought, within: 1 day}, {name: late, event: bought, within: 30 days}, {name: read, message: opened, within: 30 days}]"
    plan = plan_of(MAIL, goals)
    report = of(plan, bought=1, opened=0)

    assert (report.converted["late"], report.converted["read"]) == (200, 0)
    assert 0 < report.converted["soon"] < 30
    report = of(plan_of(MAIL, goals + "\naudience: {attribute: vip, equals: true}"), bought=1, vip=0)
    assert (report.converted, report.refused) == ({}, {"audience": 200})


def test_an_audience_keeps_out_as_many_as_its_rate_says_and_the_report_counts_them() -> None:
    plan = plan_of(MAIL, "audience: {segment: runners}")

    assert of(plan, runners=0.0).refused == {"audience": 200}
    assert of(plan, runners=1.0).sent == {"m": 200}
    assert 70 < of(plan).refused["audience"] < 130, "one in two"
    half = of(plan_of(MAIL, "audience: {bucket: [0, 4999]}"), 400)
    assert 150 < half.sent["m"] < 250
    assert of(plan_of(MAIL, "audience: {purchase: true}"), purchase=0.0).sent == {}
    assert of(plan_of(MAIL, "audience: {any: [{event: a}, {event: b}]}"), a=0.0).people == 200


def test_an_exit_by_audience_takes_whoever_comes_to_match() -> None:
    """EXT-6: at a boundary between steps, once they do."""
    steps = f"{WAIT}, {MAIL}, {{type: delay, id: e, duration: 4 days}}, {{type: message, id: n, channel: email, template: t}}"
    plan = plan_of(steps, "exits: [{audience: {segment: churned}}, {audience: {bucket: [0, 0]}}]")
    report = of(plan, churned=1.0)

    assert report.ended == {"exit_audience": 200}, "at the last boundary, all of them do"
    assert 60 < report.sent["m"] < 140
    assert of(plan, churned=0.0).ended["completed"] >= 195
    real = [Person("a", custom={"gone": True}), Person("b")]
    gone = plan_of(steps, "exits: [{audience: {attribute: gone, equals: true}}]")
    assert of(gone, real).ended == {"exit_audience": 1, "completed": 1}


UPDATE = "{type: user_update, id: u, attributes: {reader: true, opens: {increment: 2}, email_subscribe: unsubscribed, subscription_groups: [{subscription_group_id: news, subscription_state: subscribed}]}, events: [{name: marked}]}"


@pytest.mark.parametrize("real", [True, False])
@pytest.mark.parametrize(
    ("when", "way"),
    [
        ("{attribute: reader, equals: true}", "yes"),
        ("{attribute: reader, equals: false}", "otherwise"),
        ("{attribute: opens, equals: 2}", "yes"),
        ("{consent: email, equals: unsubscribed}", "yes"),
        ("{subscription: news, equals: subscribed}", "yes"),
        ("{subscription: news, equals: unsubscribed}", "otherwise"),
        ("{all: [{attribute: reader, equals: true}, {attribute: opens, more_than: 1}]}", "yes"),
        ("{all: [{attribute: reader, equals: false}, {event: x}]}", "otherwise"),
        ("{any: [{attribute: reader, equals: true}, {event: x}]}", "yes"),
        ("{none: [{attribute: reader, equals: true}]}", "otherwise"),
        ("{segment: readers}", "yes"),
    ],
)
def test_what_an_update_has_set_is_known(when: str, way: str, real: bool) -> None:
    """UPD-2"""
    plan = plan_of(f"{UPDATE}, {{type: decision_split, id: s, when: {when}}}")
    segments = {"readers": FILTER.validate_python({"attribute": "reader", "equals": True})}
    people: Any = [Person("mel")] if real else 1

    assert of(plan, people, segments).took == {("s", way): 1}


def test_what_is_not_known_is_drawn_and_a_segment_that_leads_to_itself_ends() -> None:
    for when in (
        "{none: [{event: x}]}",
        "{all: [{event: x}, {bucket: [0, 9999]}]}",
        "{segment: round}",
        "{consent: email, equals: opted_in}",
        "{subscription: news, equals: subscribed}",
        "{context: c, equals: 1}",
    ):
        plan = plan_of(f"{{type: decision_split, id: s, when: {when}}}")
        found = of(plan, 200, {"round": FILTER.validate_python({"any": [{"segment": "round"}]})}).took
        assert 60 < found["s", "yes"] < 140, when


def test_a_group_of_which_a_person_said_something_is_known() -> None:
    """CNS-1"""
    plan = plan_of("{type: decision_split, id: s, when: {subscription: news, equals: subscribed}}")
    mel = Person("mel", subscriptions={"news": Said("email", "subscribed")})

    assert of(plan, [mel]).took == {("s", "yes"): 1}


def test_an_event_that_an_update_logs_is_heard() -> None:
    plan = plan_of(f"{UPDATE}, {WAIT}", "exits: [{event: marked}]")

    assert of(plan, marked=0.0).ended == {"exit_event": 200}
    assert [command for _, _, command in run(plan, "mel", NOW, Scenario())][-1].data["reason"] == "exit_event"  # type: ignore[union-attr]


def test_an_update_of_a_person_follows_its_step() -> None:
    """UPD-1, UPD-3: what holds Liquid is written where its text is known."""
    step = UserUpdate.model_validate(
        {
            "id": "u",
            "attributes": {
                "first_name": "Mel",
                "old": None,
                "text": {"increment": 1},
                "known": "{{ a }}",
                "unknown": "{{ b }}",
                "new": [1],
            },
        }
    )
    person = Person("mel", standard={"first_name": "M"}, custom={"old": 1, "text": "x"})
    found = updated(person, step, Update(step="u", key="k", at=NOW, texts={"{{ a }}": "A"}))

    assert found.standard == {"first_name": "Mel"}
    assert found.custom == {"text": "x", "known": "A", "new": [1]}
