"""A user update whose value would never be written is a problem where it stands, and no surprise on somebody's profile."""

from __future__ import annotations

import pytest

from journeys.canvas.yaml_definitions import Definitions, read_text
from journeys.engine.workspaces.validate import problems_of


def said(update: str) -> list[str]:
    found = Definitions()
    text = f"kind: canvas\nformat: 1\nname: c\nschedule: {{api: true}}\nsteps:\n  - {{type: user_update, id: u, {update}}}\n"
    several, problems = read_text(text, "c.yaml")
    for one in several:
        found.add(one)
    return [str(one) for one in (*problems, *problems_of(found, {}))]


@pytest.mark.parametrize(
    ("update", "what"),
    [
        ("attributes: {a: {increment: ten}}", "J100 an increment is a number, not “ten”"),
        ("attributes: {a: {increment: true}}", "J100 an increment is a number, not “true”"),
        ("attributes: {a: {increment: '5'}}", "J100 an increment is a number, not “5”"),
        (
            "attributes: {a: {decrement: 1}}",
            "J100 “decrement” is no change of a number (write {increment: 1}",
        ),
        (
            "attributes: {first_name: {increment: 1}}",
            "J100 the update would not be written: 'first_name' must",
        ),
        (
            "attributes: {email_subscribe: maybe}",
            "J100 the update would not be written: 'email_subscribe' must",
        ),
        (
            "attributes: {time_zone: Mars/City}",
            "J100 the update would not be written: 'time_zone' has a value",
        ),
        ("attributes: {gender: 7}", "J100 the update would not be written: 'gender' must be one of"),
        ("attributes: {email: nope}", "is not a valid email"),
        ("attributes: {a: {add: {b: 1}}}", "J100 the update would not be written: 'add' must be an array"),
        ("attributes: {a: {b: {$x: 1}}}", "J100 the update would not be written: nested attribute 'a'"),
        ("attributes: {Country: FR}", "J918 'Country' is a custom attribute; did you mean 'country'?"),
        (
            "events: [{name: e, properties: {time: 1}}]",
            "J100 the event would not have it: 'properties' must not",
        ),
        (
            "events: [{name: e, properties: {$a: 1}}]",
            "J100 the event would not have it: property names must not",
        ),
    ],
)
def test_what_is_never_written_is_a_problem_at_its_place(update: str, what: str) -> None:
    """UPD-1, UPD-5, ATT-1, NST-1: as `/users/track` would say it."""
    [problem] = said(update)
    assert what in problem and problem.startswith("c.yaml:6:")


@pytest.mark.parametrize(
    "update",
    [
        "attributes: {a: {increment: -0.5}, b: {inc: 1}, c: {add: [x]}, d: {remove: x}, e: {$add: [{f: 1}]}}",
        "attributes: {a: null, first_name: null, email_subscribe: opted_in, country: France, due: 2027-03-01}",
        'attributes: {gender: "{{context.${g}}}", a: ["{{context.${g}}}", {b: 2027-03-01}]}',
        'events: [{name: e, properties: {a: {increment: 1}, b: 2027-03-01, c: "{{context.${g}}}"}}]',
    ],
)
def test_what_is_written_or_only_known_later_is_none(update: str) -> None:
    """UPD-3: what Liquid makes is judged when it is made."""
    assert said(update) == []
