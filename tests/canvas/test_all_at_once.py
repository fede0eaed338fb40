"""All problems of a file are reported at once: none hides another, and none follows from another."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from journeys.channels.base import kinds
from journeys.engine.workspaces.validate import validate

RIGHT = """\
kind: canvas
format: 1
name: c
schedule:
  event: signed_up
audience:
  bucket: [0, 99]
reentry: {after: 1 day}
exits:
  - {message: unsubscribed}
  - {audience: {segment: churned}}
conversions:
  - {name: bought, event: order, within: 7 days}
variants:
  - name: main
    weight: 60
    steps:
      - {type: message, id: hello, channel: email, template: hello}
      - type: delay
        id: rest
        duration: 2 days
      - {type: context, id: pick, set: [{name: x, type: text, value: "{{ 1 | plus: 2 }}"}]}
      - type: action_paths
        id: reaction
        within: 3 days
        paths:
          - name: liked
            triggers: [{event: liked}]
            steps:
              - {type: message, id: thanks, channel: email, template: thanks}
          - name: read
            triggers: [{message: clicked, step: hello}]
        otherwise:
          - {type: user_update, id: quiet, attributes: {quiet: true}}
      - type: decision_split
        id: split
        when: {segment: runners}
        steps:
          - {type: delay, id: wait, calendar_days: 1, at: "09:00", zone: Europe/Paris}
      - type: experiment_paths
        id: offer
        paths:
          - {name: ten, weight: 50, steps: [{type: delay, id: ten, duration: 1 day}]}
          - {name: none, weight: 50}
      - {type: delay, id: last, duration: 1 day}
  - name: other
    weight: 40
    steps:
      - {type: delay, id: alone, duration: 1 day}
---
kind: template
format: 1
name: hello
channel: email
sender:
  address: a@example.com
subject: Hi
html: "<p>{{ 'a' | upcase }} {{${set_user_to_unsubscribed_url}}}</p>"
---
kind: template
format: 1
name: thanks
channel: email
subject: Thanks
html: "{{${set_user_to_unsubscribed_url}}}"
---
kind: segment
format: 1
name: churned
when: {attribute: churned, equals: true}
---
kind: segment
format: 1
name: runners
when: {attribute: sport, equals: running}
"""

FAULTS: dict[str, tuple[str, str, list[str]]] = {
    "an unknown key of the canvas": ("audience:\n  bucket: [0, 99]", "audiense:\n  bucket: [0, 99]", ["J101"]),
    "a key that is like no other": ("reentry: {after: 1 day}", "zzz: 5", ["J101"]),
    "a schedule of no kind": ("  event: signed_up", "  evnt: signed_up", ["J101"]),
    "a filter without a subject": ("  bucket: [0, 99]", "  bukket: [0, 99]", ["J109"]),
    "an exit of two kinds": ("{message: unsubscribed}", "{message: unsubscribed, event: x}", ["J104"]),
    "an exit into a segment that is not there": ("{segment: churned}}", "{segment: chunred}}", ["J304"]),
    "a conversion that takes too long": ("within: 7 days", "within: 31 days", ["J403"]),
    "weights that do not make 100": ("    weight: 40", "    weight: 41", ["J205"]),
    "an unknown template": ("channel: email, template: hello", "channel: email, template: helo", ["J301"]),
    "an unknown channel": ("id: thanks, channel: email", "id: thanks, channel: emial", ["J303"]),
    "a delay that cannot be read": ("        duration: 2 days", "        duration: 2 dys", ["J107"]),
    "a step type that is not there": ("type: user_update, id: quiet", "type: usr_update, id: quiet", ["J105"]),
    "an id that is no name": ("        id: rest", "        id: 9 rest", ["J110"]),
    "an id that is there twice": ("id: wait,", "id: pick,", ["J204"]),
    "a filter of Liquid that is not there": ("{{ 1 | plus: 2 }}", "{{ 1 | pluss: 2 }}", ["J302"]),
    "a window that is too long": ("        within: 3 days", "        within: 40 days", ["J403"]),
    "a key of a later version": ("        within: 3 days", "        within: 3 days\n        ranked: true", ["J108"]),
    "a message step that is not there": ("step: hello}", "step: helo}", ["J207"]),
    "a then that dangles": ("attributes: {quiet: true}}", "attributes: {quiet: true}, then: nowhere}", ["J201"]),
    "a then that goes back": ("attributes: {quiet: true}}", "attributes: {quiet: true}, then: hello}", ["J203"]),
    "a segment that is not there": ("when: {segment: runners}", "when: {segment: runers}", ["J304"]),
    "a filter with two operators": ("when: {segment: runners}", "when: {attribute: a, equals: 1, exists: true}", ["J104"]),
    "a zone that is not there": ("zone: Europe/Paris", "zone: Europe/Pariss", ["J106"]),
    "shares that do not make 100": ("{name: ten, weight: 50", "{name: ten, weight: 49", ["J205"]),
    "an unreachable step": (
        "          - {name: none, weight: 50}",
        "          - {name: none, weight: 50, then: end}\n        then: end",
        ["J202"],
    ),
    "a value of the wrong kind": ("id: last, duration", "id: last, then: [5], duration", ["J100"]),
    "a missing key": ("id: alone, duration: 1 day", "id: alone", ["J104"]),
    "a template's unknown key": ("subject: Hi", "subjekt: Hi", ["J101"]),
    "a template's Liquid": ("'a' | upcase", "'a' | upcas", ["J302"]),
    "a template's address": ("  address: a@example.com", "  address: nobody", ["J110"]),
    "a segment that cannot be read": ("{attribute: sport, equals: running}", "{attribute: sport, equal: running}", ["J101"]),
}  # fmt: skip


def codes(tmp_path: Path, *names: str) -> list[str]:
    text = RIGHT
    for name in names:
        right, wrong, _ = FAULTS[name]
        assert text.count(right) == 1, name
        text = text.replace(right, wrong)
    (tmp_path / "file.yaml").write_text(text, encoding="utf-8")
    found = validate([tmp_path], kinds()).problems
    lines = text.split("\n")
    assert all(one.where.column <= len(lines[one.where.line - 1]) for one in found)
    return sorted(one.code for one in found)


def apart(one: str, other: str) -> bool:
    """Whether two faults are in different places of the text."""
    first, second = FAULTS[one][0], FAULTS[other][0]
    return first not in second and second not in first


def test_the_right_file_is_right(tmp_path: Path) -> None:
    assert codes(tmp_path) == []


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_alone_is_said_and_nothing_besides(name: str, tmp_path: Path) -> None:
    assert codes(tmp_path, name) == FAULTS[name][2]


@pytest.mark.parametrize("name", FAULTS)
def test_no_fault_hides_another_or_makes_one_up(name: str, tmp_path: Path) -> None:
    """Every pair of faults gives what the two give."""
    wrong = {}
    for other in itertools.takewhile(lambda each: each != name, FAULTS):
        if apart(name, other):
            found = codes(tmp_path, other, name)
            if found != sorted(FAULTS[other][2] + FAULTS[name][2]):
                wrong[other] = found

    assert wrong == {}


def test_all_faults_of_a_file_are_said_in_one_go(tmp_path: Path) -> None:
    names: list[str] = []
    for name in FAULTS:
        if all(apart(name, other) for other in names):
            names.append(name)

    assert len(names) > 20
    assert codes(tmp_path, *names) == sorted(code for name in names for code in FAULTS[name][2])


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("    weight: 40", "    weight: 400", ["47:13: J100 “weight”: it must be at most 100"]),
        ("  - name: other\n    weight: 40\n    steps:\n", "  - x\n  - steps:\n", [
            "46:5: J100 “variants”: a mapping of keys to values was expected, not “x”",
            "47:5: J102 the key “name” is missing",
        ]),
        ("  event: signed_up", "  event: signed_up\n  weekdays: [monday]", [
            "6:3: J104 `weekdays` cannot be used here (write every: week)",
        ]),
        ("{attribute: sport, equals: running}", "{attribute: sport, between: [1]}", [
            "75:35: J100 “between” takes a list of two values, not of 1 (write [from, to])",
        ]),
        ("    steps:\n      - {type: delay, id: alone", "    steps:\n      - 5\n      - {type: delay, id: alone", [
            "49:9: J100 a step is a mapping with a type and an id, not “5” (write - {type: delay, id: …})",
        ]),
        ("{type: delay, id: alone, duration: 1 day}", "{type: delai, id: 4 alone, then: nowhere}", [
            "49:16: J105 there is no step type “delai” (did you mean “delay”?)",
            "49:27: J110 “4 alone” is not a valid id (letters, digits, - and _, a letter first)",
            "49:42: J201 `then` names the step “nowhere”, which does not exist (allowed: 4 alone, end, hello, last, offer, pick, quiet, reaction, rest, split, ten, thanks, wait)",
        ]),
    ],
)  # fmt: skip
def test_parts_that_cannot_be_read_stand_for_themselves(
    right: str, wrong: str, said: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "file.yaml"
    assert RIGHT.count(right) == 1
    path.write_text(RIGHT.replace(right, wrong), encoding="utf-8")

    assert [str(one).removeprefix(f"{path}:") for one in validate([tmp_path], kinds()).problems] == said
