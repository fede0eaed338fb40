"""A filter or trigger that can never match is a problem, wherever it is written, with what to write instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from journeys import attribute, consent, message, purchase
from journeys.canvas.loading import load
from journeys.canvas.never_matching import never_matching
from tests.canvas.test_check import HEAD, TEMPLATE, said

DELAY = "{type: delay, id: w, duration: 1 day}"
NEARLY = ["Country", "first-name", "firstName", "DOB", '"Country".x']
FILTERS: dict[str, tuple[str, str, str]] = {
    "a consent as an attribute": ("{attribute: email_subscribe, equals: opted_in}", "J111", "{consent: email, equals: subscribed}"),
    "a consent that is missing": ("{attribute: push_subscribe, exists: false}", "J111", "{consent: push, equals: subscribed}"),
    "a consent within a name": ('{attribute: "\\"email_subscribe\\".x", exists: true}', "J111", "{consent: email"),
    "a consent as an operand": ("{attribute: a, equals: {attribute: email_subscribe}}", "J111", "{consent: email"),
    "a consent as a bound": ("{attribute: a, between: [1, {attribute: email_subscribe}]}", "J111", "{consent: email"),
    "what only requests say": ("{attribute: braze_id, equals: x}", "J111", "external_id"),
    "any as a product": ("{purchase: any}", "J111", "purchase: true"),
    "a star as a product": ("{purchase: '*'}", "J111", "purchase: true"),
    "an engagement that nothing reports": ("{message: delivered}", "J108", "not supported yet"),
    "another one": ("{message: bounced}", "J108", "not supported yet"),
    "a campaign": ("{message: opened, campaign: spring}", "J108", "not supported yet"),
    "a country by its name": ("{attribute: country, equals: France}", "J111", "such as FR"),
    "a country among others": ("{attribute: country, one_of: [FR, fra]}", "J111", "“fra”"),
    "a language with its region": ("{attribute: language, not_equals: pt-BR}", "J111", "such as fr"),
    "a gender in words": ("{attribute: gender, none_of: [female]}", "J111", "M, F, O, N or P"),
    "an address in capitals": ("{attribute: email, equals: Mel@example.com}", "J111", "lower case"),
    "a number as the beginning of a text": ("{attribute: zip, starts_with: 10}", "J111", '"10"'),
    "an order of truths": ("{attribute: vip, more_than: true}", "J111", "equals: true"),
    "bounds in the wrong order": ("{attribute: age, between: [30, 18]}", "J111", "[18, 30]"),
    "bounds of a property": ("{event: x, where: [{property: p, between: [2, 1]}]}", "J111", "[1, 2]"),
    "a name and a number": ("{attribute: first_name, more_than: 5}", "J111", "“first_name” is a text, and 5 is none"),
    "a birthday and a number": ("{attribute: dob, between: [5, {context: c}]}", "J111", "“dob” is a text"),
    "a phone number without quotes": ("{attribute: phone, equals: 33612345678}", "J111", '"33612345678" in quotes'),
    "a phone number among others": ("{attribute: phone, one_of: ['+33612345678', 33612345678]}", "J111", "in quotes"),
    "a truth in words": ("{attribute: email_open_tracking_disabled, equals: 'yes'}", "J111", "equals: true"),
    "a zone that does not exist": ("{attribute: time_zone, equals: Mars/City}", "J111", "such as Europe/Paris"),
    "bounds of two types": ("{attribute: a, between: [b, 5]}", "J111", "two numbers, or two texts"),
    "bounds of truths": ("{attribute: a, between: [false, true]}", "J111", "no order"),
    "days in the wrong order": ("{attribute: a, between: [2026-01-01, 2025-01-01]}", "J111", "[2025-01-01, 2026-01-01]"),
    "something within a text": ("{attribute: first_name.x, equals: 1}", "J111", "nothing lies within “first_name”"),
    "something within a truth": ("{attribute: 'email_open_tracking_disabled[0]', equals: 1}", "J111", "nothing lies within"),
    "the beginning of a country": ("{attribute: country, starts_with: FRA}", "J111", "never the beginning of “country”"),
    "the end of a gender": ("{attribute: gender, ends_with: male}", "J111", "never the end of “gender”"),
    "a name as in Liquid": ("{attribute: 'custom_attribute.${a}', equals: 1}", "J111", "write the name alone: `a`"),
    "a property as in Liquid": ("{event: x, where: [{property: 'event_properties.${p}', equals: 1}]}", "J111", "alone: `p`"),
    "an operand as in Liquid": ("{attribute: a, equals: {attribute: '${b}'}}", "J111", "write the name alone: `b`"),
    "less often than never": ("{event: x, times: {less_than: 0}}", "J111", "equals: 0"),
    "a price in words": ("{purchase: true, where: [{property: price, more_than: ten}]}", "J111", "write a number, without quotes"),
    "a quantity in quotes": ("{purchase: shoe, where: [{property: quantity, one_of: [1, '2']}]}", "J111", "“2” is none"),
    "minus one times": ("{event: x, times: {equals: -1}}", "J111", "equals: 0"),
    "at most minus one times": ("{purchase: true, times: {at_most: -1}}", "J111", "equals: 0"),
}  # fmt: skip
PLACES = {
    "an audience": (HEAD + "audience: {}\nsteps: [" + DELAY + "]\n"),
    "an exit": (HEAD + "exits: [{{audience: {}}}]\nsteps: [" + DELAY + "]\n"),
    "a split": (HEAD + "steps: [{{type: decision_split, id: s, when: {}}}]\n"),
    "a path": (HEAD + "steps: [{{type: audience_paths, id: s, paths: [{{name: a, when: {}}}]}}]\n"),
    "a message": (HEAD + "steps: [{{type: message, id: m, channel: email, template: hello, only_when: {}}}]\n" + TEMPLATE.replace("{", "{{").replace("}", "}}")),
    "a segment": "kind: segment\nformat: 1\nname: s\nwhen: {}\n",
    "all of several": "kind: segment\nformat: 1\nname: s\nwhen: {{all: [{{bucket: [0, 1]}}, {}]}}\n",
    "any of several": "kind: segment\nformat: 1\nname: s\nwhen: {{any: [{{bucket: [0, 1]}}, {}]}}\n",
    "none of several": "kind: segment\nformat: 1\nname: s\nwhen: {{none: [{{none: [{}]}}]}}\n",
}  # fmt: skip
TRIGGERS = {
    "any as a product": ("purchase: any", "J111"),
    "an engagement that nothing reports": ("message: delivered", "J108"),
    "a consent as an operand": ("event: x, where: [{property: p, equals: {attribute: push_subscribe}}]", "J111"),
}  # fmt: skip
LISTENING = {
    "a schedule": "kind: canvas\nformat: 1\nname: c\nschedule: {{{}}}\nsteps: [" + DELAY + "]\n",
    "an exit": HEAD + "exits: [{{{}}}]\nsteps: [" + DELAY + "]\n",
    "a conversion": HEAD + "conversions: [{{name: a, within: 1 day, {}}}]\nsteps: [" + DELAY + "]\n",
    "an action path": HEAD
    + "steps: [{{type: action_paths, id: a, paths: [{{name: p, triggers: [{{{}}}]}}]}}]\n",
}


def within(place: str, written: str) -> str:
    return place.replace("{{", "{").replace("}}", "}").replace("{}", written)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_that_never_matches_is_a_problem_wherever_it_stands(
    name: str, place: str, tmp_path: Path
) -> None:
    written, code, words = FILTERS[name]
    text = within(PLACES[place], written)
    [found] = said(tmp_path, text)

    assert (found[0], words in found[3]) == (code, True), found
    line = text.split("\n")[found[1] - 1]
    begin = line.index(written)
    assert begin < found[2] <= begin + len(written), "it points into the filter"


@pytest.mark.parametrize("place", LISTENING)
@pytest.mark.parametrize("name", TRIGGERS)
def test_a_trigger_that_never_matches_is_a_problem_wherever_it_stands(
    name: str, place: str, tmp_path: Path
) -> None:
    written, code = TRIGGERS[name]
    found = said(tmp_path, within(LISTENING[place], written))

    assert [one[0] for one in found] == [code], found


RIGHT = [
    "{consent: email, equals: subscribed}", "{consent: push, none_of: [unsubscribed]}", "{purchase: true}",
    "{purchase: true, where: [{property: price, more_than: 5}], times: {at_least: 2}, within_last: 30 days}",
    "{purchase: anything}", "{attribute: external_id, equals: mel}", "{attribute: email_subscribed, equals: true}",
    "{attribute: a, between: [18, 30]}", "{attribute: a, between: ['z', 'a']}", "{attribute: country, one_of: [FR, DE]}",
    "{attribute: country, equals: {context: c}}", "{attribute: country, contains: France}", "{event: x, times: {equals: 0}}",
    "{message: sent}", "{context: country, equals: France}",
    "{attribute: a, between: [1, {attribute: b}]}", "{attribute: vip, equals: true}",
]  # fmt: skip


@pytest.mark.parametrize("written", RIGHT)
def test_what_may_match_is_no_problem(written: str, tmp_path: Path) -> None:
    assert said(tmp_path, within(PLACES["a split"], written)) == []


@pytest.mark.parametrize(
    ("written", "code", "words"),
    [
        ("{consent: email}", "J104", "it has none"),
        ("{consent: email, equals: subscribed, one_of: [opted_in]}", "J104", "equals and one_of"),
        ("{consent: email, equals: yes}", "J103", "“yes” is not allowed"),
        ("{consent: mail, equals: subscribed}", "J103", "did you mean “email”"),
        ("{purchase: false}", "J100", "write `true` for any"),
        ("{purchase: ''}", "J100", "write `true` for any"),
        ("{consent: email, exists: true}", "J101", "there is no key “exists”"),
    ],
)
def test_a_consent_and_a_purchase_say_what_they_take(
    written: str, code: str, words: str, tmp_path: Path
) -> None:
    found = said(tmp_path, within(PLACES["a segment"], written))

    assert code in [one[0] for one in found]
    assert any(words in one[3] for one in found), found


def test_python_makes_the_same_filters_and_is_told_the_same(tmp_path: Path) -> None:
    made = [consent("email") == "subscribed", consent("push").one_of("opted_in"), purchase(), purchase("any")]
    assert [each.model_dump(mode="json", exclude_defaults=True) for each in made] == [
        {"consent": "email", "equals": "subscribed"},
        {"consent": "push", "one_of": ["opted_in"]},
        {"purchase": True},
        {"purchase": "any"},
    ]
    assert [len(list(never_matching(each))) for each in made] == [0, 0, 0, 1]
    assert [each.code for each in never_matching(message.bounced())] == ["J108"]
    assert [each.path for each in never_matching(attribute("email_subscribe").exists())] == [("attribute",)]

    (tmp_path / "c.py").write_text(
        "from journeys import Canvas, Exit, Schedule, attribute, Delay, days\n"
        "c = Canvas(\n    name='c',\n    schedule=Schedule(purchase=True),\n"
        "    audience=attribute('email_subscribe') == 'opted_in',\n"
        "    exits=[Exit(purchase='any')],\n    steps=[Delay(id='d', duration=days(1))],\n)\n"
    )
    found = load([tmp_path]).problems
    assert [(one.code, one.where.line) for one in found] == [("J111", 5), ("J111", 6)]


def test_a_canvas_that_was_published_with_such_a_filter_still_loads() -> None:
    """It is a problem of what is written now, and no reason to lose what runs."""
    from journeys.canvas.definition_kinds import parse

    body: Any = msgspec.json.decode(
        b'{"name": "c", "schedule": {"message": "delivered"}, "audience": {"purchase": "any"}, "exits": [{"message": "bounced"}]}'
    )
    assert parse("canvas", body).exits[0].message == "bounced"


@pytest.mark.parametrize(
    ("operand", "told"),
    [("ten", True), ("10", True), ("2027-03-01", False), ("2027-03-01T09:00Z", False), (10, False)],
)
def test_an_order_that_is_asked_of_a_text_is_a_warning(operand: Any, told: bool) -> None:
    """It is compared letter by letter, so no number is more than it; a time is a time."""
    found = list(never_matching(attribute("visits") > operand))
    assert [(one.code, one.warning, one.path) for one in found] == [("J919", True, ("more_than",))] * told


@pytest.mark.parametrize("name", NEARLY)
def test_a_name_that_is_nearly_that_of_a_standard_attribute_is_a_warning(name: str) -> None:
    """It may be a custom attribute: the definition runs, and an audience by API is judged."""
    [found] = never_matching(attribute(name) == "FR")
    assert (found.code, found.warning) == ("J918", True)
    assert found.hint in ("did you mean “country”?", "did you mean “first_name”?", "did you mean “dob”?")
