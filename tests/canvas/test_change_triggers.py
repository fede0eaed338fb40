"""Triggers on changes: how they are written in YAML and in Python, what is wrong with them, and how they are told."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from journeys import (
    ActionPath,
    ActionPaths,
    Conversion,
    Delay,
    Exit,
    Schedule,
    attribute,
    consent,
    days,
    identifier,
    person,
)
from journeys.canvas.canvas import Canvas
from journeys.canvas.change_triggers import AttributeTrigger
from journeys.canvas.filters import EventTrigger
from journeys.canvas.in_words import comes_in, in_words, leaves, succeeds
from journeys.canvas.loading import checked
from journeys.canvas.plan import canonical, compile
from journeys.canvas.yaml_definitions import Definitions, read_text, write

TEXT = """
kind: canvas
format: 1
name: upgrade
schedule: {attribute: loyalty.tier, changes_from: null, changes_to: gold}
exits:
  - {consent: email, changes_to: unsubscribed}
  - {attribute: plan, changes: true, release: end_of_step}
conversions:
  - {name: known, identifier: email, added: true, within: 7 days}
  - {name: new, person: created, within: 7 days}
steps:
  - type: action_paths
    id: paid
    within: 3 days
    paths:
      - name: up
        triggers:
          - {attribute: plan, changes_from: free, changes_to: pro}
          - {attribute: visits, changes_to: 5}
          - {consent: push, changes: true}
          - {identifier: phone, added: true}
          - {person: created}
  - {type: delay, id: rest, duration: 1 day}
"""
SAME = Canvas(
    name="upgrade",
    schedule=Schedule(attribute="loyalty.tier", changes_from=None, changes_to="gold"),
    exits=[
        Exit(consent="email", changes_to="unsubscribed"),
        Exit(attribute="plan", changes=True, release="end_of_step"),
    ],
    conversions=[
        Conversion(name="known", identifier="email", added=True, within=days(7)),
        Conversion(name="new", person="created", within=days(7)),
    ],
    steps=[
        ActionPaths(
            id="paid",
            within=days(3),
            paths=[
                ActionPath(
                    name="up",
                    triggers=[
                        attribute("plan").changes_from("free", to="pro"),
                        attribute("visits").changes_to(5),
                        consent("push").changes(),
                        identifier("phone").added(),
                        person.created(),
                    ],
                )
            ],
        ),
        Delay(id="rest", duration=days(1)),
    ],
)


def problems_in(text: str) -> list[Any]:
    read, problems = read_text(text)
    found = Definitions()
    for one in read:
        found.add(one)
    return problems + checked(found)


def test_yaml_and_python_say_the_same() -> None:
    """EXT-2: in a schedule, exits, conversions and action paths; what is written reads back as one plan."""
    [found], problems = read_text(TEXT)
    assert problems == [] and found.value == SAME
    [again], problems = read_text(write(SAME))
    assert problems == [] and compile(again.value).id == compile(found.value).id == compile(SAME).id
    assert problems_in(TEXT) == []


def test_null_is_kept_apart_from_nothing_said() -> None:
    """In the plan that is stored, too: `changes_from: null` is the first setting."""
    first, any_ = attribute("plan").changes_from(None), attribute("plan").changes_from("free")

    assert first.model_dump(mode="json") == {"attribute": "plan", "changes_from": None}
    assert any_.model_dump(mode="json") == {"attribute": "plan", "changes_from": "free"}
    assert AttributeTrigger.model_validate(first.model_dump()).model_fields_set == {
        "attribute",
        "changes_from",
    }
    assert Schedule(attribute="plan", changes_to=None).model_dump(exclude_defaults=True) == {
        "attribute": "plan",
        "changes_to": None,
    }


def test_a_canvas_without_these_words_keeps_its_plan() -> None:
    """None of them is in the plan of a canvas that was written before there were any."""
    written = canonical(
        Canvas(
            name="old",
            schedule=Schedule(event="x"),
            exits=[Exit(event="y")],
            steps=[Delay(id="d", duration=days(1))],
        )
    )

    assert not any(
        f'"{word}"' in written for word in ("attribute", "changes", "consent", "identifier", "person")
    )


def test_changes_are_told_in_words() -> None:
    assert comes_in(SAME) == "loyalty.tier changes from nothing to gold"
    assert leaves(SAME) == ["consent email changes to unsubscribed", "plan changes"]
    assert succeeds(SAME) == ["known: email added within 7 days", "new: a new person within 7 days"]
    assert in_words(attribute("plan").changes_from("free")) == "plan changes from free"
    assert in_words(attribute("visits").changes_to(5)) == "visits changes to 5"
    assert in_words(EventTrigger(event="x")) == "event x"


HEAD = "kind: canvas\nformat: 1\nname: c\n"
TAIL = "steps: [{type: delay, id: d, duration: 1 day}, {type: delay, id: e, duration: 1 day}]\n"
WRONG: list[tuple[str, str, str, str]] = [
    ("attribute: plan", "J104", "a trigger on an attribute says how it changes", "changes_to: pro"),
    ("consent: email", "J104", "says how it changes", "changes: true"),
    ("event: x, changes_to: pro", "J104", "none is named", "attribute: plan"),
    ("attribute: plan, changes: true, changes_to: pro", "J104", "`changes` is any change", "remove changes"),
    ("attribute: 'pets[].name', changes: true", "J100", "a change within a list", "part of an object"),
    ("attribute: plan, changes_to: [pro, team]", "J100", "not a list", "loyalty.tier"),
    ("attribute: plan, changes_to: {context: plan}", "J100", "not a mapping", "loyalty.tier"),
    ("consent: email, changes_to: unsubscribd", "J103", "is not allowed for “changes_to”", "unsubscribed"),
    ("consent: email, changes_from: null", "J103", "nothing is not allowed", "opted_in"),
    ("consent: sms, changes: true", "J103", "“sms” is not allowed", "email"),
    ("identifier: email", "J104", "as it is added", "added: true"),
    ("event: x, added: true", "J104", "`added` is said of an identifier", "identifier: email"),
    ("person: deleted", "J103", "“deleted” is not allowed", "created"),
    (
        "attribute: plan, changes: true, where: [{property: a, equals: 1}]",
        "J104",
        "`where` cannot be used",
        "remove it",
    ),
    (
        "identifier: email, added: true, step: d",
        "J104",
        "`step` cannot be used with `identifier`",
        "remove it",
    ),
    ("event: x, attribute: plan, changes: true", "J104", "exactly one of", ""),
    (
        "attribute: email_subscribe, changes: true",
        "J111",
        "a consent is asked for",
        "{consent: email, changes: true}",
    ),
    ("attribute: external_id, changes: true", "J111", "never changes", "{person: created}"),
    (
        "attribute: country, changes_to: France",
        "J111",
        "is never the value of “country”",
        "code of the country",
    ),
    ("attribute: first_name, changes_from: 5", "J111", "is a text", "in quotes"),
    (
        "attribute: plan, changes_from: pro, changes_to: pro",
        "J111",
        "changes to what it was",
        "changes: true",
    ),
    ("consent: email, changes_from: opted_in, changes_to: opted_in", "J111", "changes to what it was", ""),
    ("attribute: first_name.a, changes: true", "J111", "nothing lies within", "first_name"),
    ("attribute: plan, equals: pro", "J101", "there is no key “equals” here", "write changes_to"),
]


@pytest.mark.parametrize("place", ["schedule", "exits", "conversions", "triggers"])
def test_what_is_wrong_is_said_with_what_to_write(place: str) -> None:
    """EXT-2, case 42: in each place, at the line of it."""
    for said, code, message, hint in WRONG:
        text = {
            "schedule": f"{HEAD}schedule: {{{said}}}\n{TAIL}",
            "exits": f"{HEAD}schedule: {{api: true}}\nexits: [{{{said}}}]\n{TAIL}",
            "conversions": f"{HEAD}schedule: {{api: true}}\nconversions: [{{name: c, within: 7 days, {said}}}]\n{TAIL}",
            "triggers": f"{HEAD}schedule: {{api: true}}\nsteps: [{{type: action_paths, id: a, paths: [{{name: p, triggers: [{{{said}}}]}}]}}]\n",
        }[place]
        problems = problems_in(text)
        if place == "triggers" and said.startswith("event: x"):
            assert [one.code for one in problems] in (["J101"], ["J109"])
            continue
        if place == "triggers" and ("where" in said or "step" in said):
            assert [one.code for one in problems] == ["J101"]
            continue
        if place == "triggers" and said == "identifier: email":
            assert [one.message for one in problems] == ["the key “added” is missing"]
            continue
        assert [one.code for one in problems] == [code], (said, problems)
        [one] = problems
        assert message in one.message, (said, one.message)
        assert hint in one.hint, (said, one.hint)
        assert one.where.line == (4 if place == "schedule" else 5)


def test_a_filter_is_no_trigger_in_python() -> None:
    with pytest.raises(Exception, match="a trigger is a mapping"):
        ActionPath(name="p", triggers=[attribute("plan") == "pro"])  # type: ignore[list-item]


def test_dates_of_yaml_are_values() -> None:
    found: Any = AttributeTrigger.model_validate({"attribute": "renews", "changes_to": date(2027, 3, 1)})
    assert found.changes_to == "2027-03-01"
