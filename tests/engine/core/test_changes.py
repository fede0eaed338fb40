"""What changed of a person: only what is listened to, with its values before and after."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from journeys import (
    ActionPath,
    ActionPaths,
    Canvas,
    Conversion,
    Delay,
    Exit,
    Schedule,
    UserUpdate,
    attribute,
    days,
)
from journeys.canvas.change_triggers import IdentifierTrigger, PersonTrigger
from journeys.canvas.events_and_commands import Occurrence
from journeys.canvas.filters import Trigger
from journeys.canvas.plan import compile
from journeys.engine.audience.match import Person, judge
from journeys.engine.core.changes import UNWATCHED, Change, Watched, changes, watched, watched_by
from journeys.engine.core.simulate import Probabilities, Scenario, run, simulate

NOW = datetime(2026, 12, 7, 9, tzinfo=UTC)
LISTENED = watched([
    ("attribute", "plan"), ("attribute", "loyalty.tier"), ("attribute", "loyalty"), ("attribute", '"a.b".c'),
    ("consent", "email"), ("identifier", "email"), ("attribute", "email"), ("person", "created"), ("event", "x"),
    ("purchase", None),
])  # fmt: skip


def person(
    standard: dict[str, Any] | None = None, consents: dict[str, str] | None = None, **custom: Any
) -> Person:
    return Person("mel", standard=standard or {}, custom=custom, consents=consents or {})


def test_only_what_is_listened_to_is_told() -> None:
    """TRK-9: by the paths within what changed; what stays is no change, whatever is beside it."""
    before = person(
        {"email": "a@b.example"}, plan="free", loyalty={"tier": 1, "since": 1}, size=1, **{"a.b": {"c": 1}}
    )
    after = person(
        {"email": "c@b.example"},
        {"email": "opted_in", "push": "opted_in"},
        plan="free",
        loyalty={"tier": 1.0, "since": 2},
        size=2,
    )

    assert changes(LISTENED, before, after) == [
        Change("identifier", "email", "a@b.example", "c@b.example"),
        Change("attribute", '"a.b".c', 1, None),
        Change("attribute", "email", "a@b.example", "c@b.example"),
        Change("attribute", "loyalty", {"tier": 1, "since": 1}, {"tier": 1.0, "since": 2}),
        Change("consent", "email", "subscribed", "opted_in"),
    ]
    assert changes(LISTENED, before, before) == changes(UNWATCHED, before, after) == []
    gone = changes(LISTENED, before, person(plan="free"))
    assert [one for one in gone if one.kind == "identifier"] == [], "an address that goes is not added"
    assert Change("attribute", "email", "a@b.example", None) in gone


def test_a_new_person_is_told_of_with_what_they_are_known_by() -> None:
    assert LISTENED.appeared(person({"email": "a@b.example"}).values) == [
        Change("person", "created"),
        Change("identifier", "email", None, "a@b.example"),
        Change("attribute", "email", None, "a@b.example"),
    ]
    assert Watched(identifiers=frozenset({"phone"})).appeared(person({"email": "a@b.example"}).values) == []


def test_an_occurrence_has_both_values_and_long_ones_are_empty() -> None:
    assert Change("person", "created").occurrence(3, NOW) == Occurrence(
        no=3, kind="person", name="created", at=NOW
    )
    told = Change("attribute", "loyalty", {"text": "x" * 3000}, {"tier": 1}).occurrence(1, NOW)
    assert told.properties == {"before": {}, "after": {"tier": 1}}
    assert Change("attribute", "a", ["x" * 3000], "y" * 3000).properties == {
        "before": [],
        "after": "y" * 3000,
    }


@pytest.mark.parametrize(
    ("trigger", "before", "after", "heard"),
    [
        ({"changes": True}, None, 1, True),
        ({"changes": True}, 1, None, True),
        ({"changes_to": "pro"}, "free", "pro", True),
        ({"changes_to": "pro"}, "pro", "free", False),
        ({"changes_to": "pro"}, ["pro"], "pro", False),  # it was that already
        ({"changes_to": "5"}, None, 5, False),  # of another type
        ({"changes_to": 5}, 4, 5.0, True),
        ({"changes_to": None}, "pro", None, True),
        ({"changes_to": None}, "pro", [], False),
        ({"changes_to": "b"}, ["a"], ["a", "b"], True),
        ({"changes_from": "free"}, "free", "pro", True),
        ({"changes_from": "free"}, "pro", "free", False),
        ({"changes_from": "a"}, ["a"], ["a", "b"], False),
        ({"changes_from": None}, None, "pro", True),
        ({"changes_from": None}, "free", "pro", False),
        ({"changes_from": "free", "changes_to": "pro"}, "free", "pro", True),
        ({"changes_from": "free", "changes_to": "pro"}, "free", "team", False),
        ({"changes_from": "free", "changes_to": "pro"}, "trial", "pro", False),
    ],
)
def test_a_trigger_hears_the_change_that_it_means(
    trigger: dict[str, Any], before: Any, after: Any, *, heard: bool
) -> None:
    """EXT-2, EXT-3: compared as a filter compares."""
    from pydantic import TypeAdapter

    read: Any = TypeAdapter(Trigger).validate_python({"attribute": "plan", **trigger})
    change = Change("attribute", "plan", before, after).occurrence(1, NOW)
    assert judge(read, change, person()) == heard
    assert not judge(read, Change("attribute", "size", before, after).occurrence(1, NOW), person())
    assert not judge(read, Change("consent", "plan", before, after).occurrence(1, NOW), person())


UPGRADE = Canvas(
    name="c",
    schedule=Schedule(attribute="plan", changes_to="pro"),
    exits=[Exit(consent="push", changes_to="opted_in"), Exit(event="stop")],
    conversions=[Conversion(name="known", identifier="phone", added=True, within=days(2))],
    steps=[
        UserUpdate(id="u", attributes={"size": 3, "push_subscribe": "subscribed"}),
        ActionPaths(
            id="a", within=days(3), paths=[ActionPath(name="p", triggers=[attribute("tier").changes()])]
        ),
        Delay(id="d", duration=days(1)),
        Delay(id="e", duration=days(1)),
    ],
)


@pytest.mark.parametrize(
    ("trigger", "kind", "name"),
    [
        (IdentifierTrigger(identifier="email", added=True), "identifier", "email"),
        (PersonTrigger(person="created"), "person", "created"),
    ],
)
def test_an_address_that_is_added_and_a_new_person_are_heard_whatever_they_are(
    trigger: Trigger, kind: Any, name: str
) -> None:
    """TRK-9"""
    assert judge(trigger, Change(kind, name, None, "x").occurrence(1, NOW), person())
    assert not judge(trigger, Change(kind, "other", None, "x").occurrence(1, NOW), person())


def test_all_parts_of_a_canvas_listen() -> None:
    found = watched_by([compile(UPGRADE)])
    assert found == Watched(
        {"plan": frozenset({"plan"}), "tier": frozenset({"tier"})}, frozenset({"push"}), frozenset({"phone"})
    )


def test_made_up_people_change_as_often_as_is_said() -> None:
    """By the name of the attribute, the channel, the identifier."""
    plan = compile(UPGRADE)

    def report(**rates: float) -> Any:
        return simulate(plan, 200, starts=NOW, seed=1, probabilities=Probabilities(rates=rates))

    assert report(push=1, tier=0, stop=0).ended["exit_event"] > 140, (
        "those whose instant lies within the entry"
    )
    assert report(push=0, stop=0).ended == {"completed": 200}
    assert report(push=0, phone=1).converted == {"known": 200}
    assert report(push=0, tier=1, stop=0).took["a", "p"] == 200
    assert report(push=0, tier=0, stop=0).took["a", "otherwise"] == 200


def test_what_an_update_changes_is_heard_in_a_simulation() -> None:
    """UPD-1: of the person who is known, by an exit."""
    plan = compile(
        Canvas(
            name="c",
            schedule=Schedule(api=True),
            exits=[Exit(attribute="size", changes_to=3)],
            steps=[
                UserUpdate(id="u", attributes={"size": 3}),
                Delay(id="d", duration=days(1)),
                Delay(id="e", duration=days(1)),
            ],
        )
    )
    for size, ends in ((1, "exit_event"), (3, "completed")):
        way = list(run(plan, "mel", NOW, Scenario(), profile=person(size=size)))
        assert way[-1][1].ended == ends
