"""Each problem has a code, a place, a message and a hint."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from journeys.canvas.loading import load
from journeys.canvas.problems import CODES
from journeys.channels.base import kinds
from journeys.engine.workspaces.validate import validate

HEAD = "kind: canvas\nformat: 1\nname: c\nschedule: {api: true}\n"
TEMPLATE = """---
kind: template
format: 1
name: hello
channel: email
sender: {address: a@example.com}
subject: Hi
html: "<p>{{${set_user_to_unsubscribed_url}}}</p>"
"""
M = "{type: message, id: m, channel: email, template: hello}"


def said(tmp_path: Path, text: str, name: str = "file.yaml") -> list[tuple[str, int, int, str]]:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    found = validate([tmp_path], kinds())
    return [
        (one.code, one.where.line, one.where.column, f"{one.message} ({one.hint})") for one in found.problems
    ]


def canvas(steps: str, head: str = HEAD) -> str:
    return f"{head}steps:\n{steps}\n{TEMPLATE}"


CASES = {
    "an unknown key": (
        canvas("  - {type: delay, id: d, duraton: 2 days}"),
        "J101",
        6,
        26,
        "did you mean “duration”",
    ),
    "an unknown key of a trigger": (
        canvas("  - {type: action_paths, id: d, paths: [{name: a, triggers: [{event: x, wher: []}]}]}"),
        "J101",
        6,
        73,
        "did you mean “where”",
    ),
    "an unknown key of the canvas": (
        canvas(f"  - {M}", HEAD + "audiense: {bucket: [0, 1]}\n"),
        "J101",
        5,
        1,
        "did you mean “audience”",
    ),
    "a missing key": (canvas("  - {type: message, id: m, channel: email}"), "J102", 6, 5, "template"),
    "an unknown step type": (canvas("  - {type: dely, id: d}"), "J105", 6, 12, "did you mean “delay”"),
    "a step type of a later version": (
        canvas("  - {type: feature_flag, id: d}"),
        "J108",
        6,
        6,
        "not supported yet",
    ),
    "a key of a later version": (
        canvas(f"  - {M}", HEAD + "send: {rate: {messages: 5, per: minute}}\n"),
        "J108",
        5,
        8,
        "rate",
    ),
    "a value of a later version": (
        canvas("  - {type: action_paths, id: d, ranked: true, paths: [{name: a, triggers: [{event: x}]}]}"),
        "J108",
        6,
        33,
        "ranked",
    ),
    "a period that there is not (CTL-7)": (
        canvas(f"  - {M}", HEAD + "entry_limit: {entries: 5, per: dya}\n"),
        "J103",
        5,
        32,
        "did you mean “day”",
    ),
    "a limit by run of a canvas without runs (CTL-7)": (
        canvas(f"  - {M}", HEAD + "entry_limit: {entries: 5, per: run}\n"),
        "J103",
        5,
        32,
        "write hour, day or lifetime",
    ),
    "a key that names nothing": (
        canvas(f"  - {M}", HEAD + "key: cart_id\n"),
        "J103",
        5,
        6,
        "write event.cart_id",
    ),
    "a key of an event where none brings people in": (
        canvas(f"  - {M}", HEAD + "key: event.cart_id\n"),
        "J103",
        5,
        6,
        "write context.cart_id",
    ),
    "a comparison with something else of the entry": (
        canvas(
            f"  - {M}",
            HEAD + "key: context.a\nexits: [{event: x, where: [{property: a, equals: {entry: kee}}]}]\n",
        ),
        "J103",
        6,
        50,
        "write {entry: key}",
    ),
    "a comparison with a key that entries do not have": (
        canvas(f"  - {M}", HEAD + "exits: [{event: x, where: [{property: a, one_of: [1, {entry: key}]}]}]\n"),
        "J211",
        5,
        54,
        "write key: event.cart_id",
    ),
    "a comparison with the key before there is an entry": (
        canvas(
            f"  - {M}", HEAD + "key: context.a\naudience: {any: [{attribute: a, equals: {entry: key}}]}\n"
        ),
        "J209",
        6,
        41,
        "the audience is judged before the entry",
    ),
    "a segment that compares with the key of an entry": (
        canvas(f"  - {M}")
        + "---\nkind: segment\nformat: 1\nname: s\nwhen: {attribute: a, equals: {entry: key}}\n",
        "J209",
        19,
        30,
        "so it has no key",
    ),
    "a dangling then": (
        canvas(f"  - {{type: delay, id: d, duration: 1 day, then: n}}\n  - {M}"),
        "J201",
        6,
        49,
        "“n”, which does not exist",
    ),
    "a then that goes back (GEN-1)": (
        canvas(f"  - {M}\n  - {{type: delay, id: d, duration: 1 day, then: m}}"),
        "J203",
        7,
        49,
        "makes a loop",
    ),
    "an unreachable step": (
        canvas(f"  - {{type: delay, id: d, duration: 1 day, then: end}}\n  - {M}"),
        "J202",
        7,
        25,
        "cannot be reached",
    ),
    "a double id": (canvas(f"  - {M}\n  - {M}"), "J204", 7, 25, "line 6"),
    "weights of variants": (
        HEAD
        + "variants:\n  - {name: a, weight: 40, steps: [{type: delay, id: d, duration: 1 day}]}\n  - {name: b, weight: 50}\n",
        "J205",
        6,
        3,
        "90, not 100",
    ),
    "weights of an experiment": (
        canvas("  - {type: experiment_paths, id: e, paths: [{name: a, weight: 50}, {name: b, weight: 49}]}"),
        "J205",
        6,
        44,
        "99, not 100",
    ),
    "an experiment without a conversion (EXP-1)": (
        canvas("  - {type: experiment_paths, id: e, paths: [{name: a, weight: 50}, {name: b, weight: 50}]}"),
        "J208",
        6,
        5,
        "conversion event",
    ),
    "two paths of one name": (
        canvas(
            "  - {type: audience_paths, id: e, paths: [{name: a, when: {bucket: [0, 1]}}, {name: a, when: {bucket: [0, 1]}}]}"
        ),
        "J206",
        6,
        85,
        "the path “a” is defined twice",
    ),
    "an unknown channel": (
        canvas("  - {type: message, id: m, channel: emial, template: hello}"),
        "J303",
        6,
        37,
        "did you mean “email”",
    ),
    "an unknown template": (
        canvas("  - {type: message, id: m, channel: email, template: helo}"),
        "J301",
        6,
        54,
        "did you mean “hello”",
    ),
    "a template for another channel": (
        canvas("  - {type: message, id: m, channel: webhook, template: hello}"),
        "J303",
        6,
        56,
        "is for email",
    ),
    "an unknown segment": (
        canvas(f"  - {M}", HEAD + "audience: {all: [{segment: runers}]}\n"),
        "J304",
        5,
        28,
        "“runers”",
    ),
    "a delay over its limit": (canvas("  - {type: delay, id: d, duration: 731 days}"), "J403", 6, 36, "730"),
    "a window over its limit": (
        canvas(
            "  - {type: action_paths, id: d, within: 32 days, paths: [{name: a, triggers: [{event: x}]}]}"
        ),
        "J403",
        6,
        41,
        "31 days",
    ),
    "a wrong time zone": (
        canvas("  - {type: delay, id: d, calendar_days: 1, zone: Europe/Pariss}"),
        "J106",
        6,
        50,
        "Europe/Paris",
    ),
    "a time of day without quotes": (
        canvas("  - {type: message, id: m, channel: email, template: hello, at: 18:00}"),
        "J107",
        6,
        65,
        'write it in quotes: "18:00"',
    ),
    "a unit that does not exist": (
        canvas("  - {type: delay, id: d, duration: 2 dys}"),
        "J107",
        6,
        36,
        "did you mean “days”",
    ),
    "two forms of a delay": (
        canvas("  - {type: delay, id: d, duration: 2 days, calendar_days: 1}"),
        "J104",
        6,
        44,
        "duration and calendar_days",
    ),
    "a filter without a subject": (
        canvas("  - {type: decision_split, id: d, when: {attribut: a, equals: 1}}"),
        "J109",
        6,
        42,
        "did you mean “attribute”",
    ),
    "a filter with two subjects": (
        canvas("  - {type: decision_split, id: d, when: {attribute: a, segment: b}}"),
        "J109",
        6,
        56,
        "one subject",
    ),
    "a condition with two operators": (
        canvas("  - {type: decision_split, id: d, when: {attribute: a, equals: 1, exists: true}}"),
        "J104",
        6,
        67,
        "exactly one operator",
    ),
    "a bucket that goes down": (
        canvas("  - {type: decision_split, id: d, when: {bucket: [99, 0]}}"),
        "J100",
        6,
        50,
        "write [0, 99]",
    ),
    "an operator that does not exist": (
        canvas("  - {type: decision_split, id: d, when: {attribute: a, equal: 1}}"),
        "J101",
        6,
        56,
        "did you mean “equals”",
    ),
    "a pattern that looks around (SEG-8)": (
        canvas("  - {type: decision_split, id: d, when: {attribute: a, matches: '(?=a)b'}}"),
        "J100",
        6,
        65,
        "a look-around",
    ),
    "a message step that comes later": (
        canvas(f"  - {{type: decision_split, id: d, when: {{message: opened, step: m}}}}\n  - {M}"),
        "J207",
        6,
        65,
        "comes later",
    ),
    "a message step that is not there": (
        canvas(f"  - {M}\n  - {{type: decision_split, id: d, when: {{message: opened, step: n}}}}"),
        "J207",
        7,
        65,
        "does not exist",
    ),
    "context before there is an entry (CTX-14)": (
        canvas(f"  - {M}", HEAD + "audience: {context: x, equals: 1}\n"),
        "J209",
        5,
        11,
        "before the entry",
    ),
    "five conversions": (
        canvas(
            f"  - {M}",
            HEAD
            + "conversions: ["
            + ", ".join(f"{{name: c{n}, event: e, within: 1 day}}" for n in range(5))
            + "]\n",
        ),
        "J402",
        5,
        163,
        "at most 4",
    ),
    "nine groups (AUP-3, X2)": (
        canvas(
            "  - {type: audience_paths, id: e, paths: ["
            + ", ".join(f"{{name: a{n}, when: {{bucket: [0, 1]}}}}" for n in range(8))
            + "]}"
        ),
        "J404",
        6,
        295,
        "7 are allowed",
    ),
    "201 steps": (
        canvas("\n".join(f"  - {{type: delay, id: d{n}, duration: 1 day}}" for n in range(201))),
        "J401",
        206,
        5,
        "at most 200",
    ),
    "an id that is no name": (
        canvas("  - {type: delay, id: 'a b', duration: 1 day}"),
        "J110",
        6,
        23,
        "letters",
    ),
    "a double key": (HEAD + "name: d\n", "J003", 5, 1, "name"),
    "broken YAML": (HEAD + "steps: [\n", "J002", 5, 8, "never closed"),
    "a tab": ("kind: canvas\nformat: 1\nsteps:\n\t- x\n", "J002", 4, 1, "tab"),
    "no kind": ("format: 1\nname: x\n", "J004", 1, 1, "canvas | segment"),
    "an unknown kind": ("kind: canvass\nformat: 1\n", "J004", 1, 7, "did you mean “canvas”"),
    "a kind of a later version": ("kind: campaign\nformat: 1\n", "J108", 1, 7, "not supported yet"),
    "no format": ("kind: segment\nname: x\nwhen: {bucket: [0, 1]}\n", "J005", 1, 1, "format: 1"),
    "another format": ("kind: segment\nformat: 2\nname: x\nwhen: {bucket: [0, 1]}\n", "J005", 2, 9, "2"),
    "an empty file": ("", "J004", 1, 1, "empty"),
    "a list": ("- a\n", "J007", 1, 1, "mapping"),
    "deep nesting": ("kind: canvas\nformat: 1\nx: " + "[" * 100 + "]" * 100, "J007", 3, 64, "deeply"),
    "a segment that contains itself": (
        "kind: segment\nformat: 1\nname: a\nwhen: {segment: a}\n",
        "J304",
        4,
        17,
        "itself",
    ),
    "a template that does not parse": (
        "kind: template\nformat: 1\nname: t\nchannel: email\nsender: {address: a@b.c}\nsubject: Hi\nhtml: |\n  <p>\n  {{ a | foo }} {{${unsubscribe_url}}}\n",
        "J302",
        9,
        10,
        "there is no filter “foo”",
    ),
    "a subject that does not parse": (
        "kind: template\nformat: 1\nname: t\nchannel: email\nsender: {address: a@b.c}\nsubject: 'Hi {{ a'\nhtml: '{{${unsubscribe_url}}}'\n",
        "J302",
        6,
        14,
        "never closed",
    ),
    "a mail without an unsubscribe link": (
        "kind: template\nformat: 1\nname: t\nchannel: email\nsender: {address: a@b.c}\nsubject: Hi\nhtml: Hi\n",
        "J901",
        7,
        1,
        "unsubscribe",
    ),
    "Liquid in a context step": (
        canvas("  - {type: context, id: c, set: [{name: x, value: '{{ a | nope }}'}]}"),
        "J302",
        6,
        59,
        "nope",
    ),
    "a yes where a list belongs": (HEAD + "steps: yes\n", "J100", 5, 8, "list"),
    "a value that is not allowed": (
        canvas("  - {type: message, id: m, channel: email, template: hello, on_fail: leave}"),
        "J103",
        6,
        70,
        "advance, exit",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_wrong_is_said_with_its_code_place_and_hint(name: str, tmp_path: Path) -> None:
    text, code, line, column, words = CASES[name]
    found = said(tmp_path, text)

    assert [one[0] for one in found] == [code], found
    assert found[0][1:3] == (line, column), found
    assert words in found[0][3], found


def test_all_problems_of_a_file_are_shown_at_once(tmp_path: Path) -> None:
    found = said(
        tmp_path, canvas("  - {type: dely, id: d}\n  - {type: delay, id: e, duration: x, colour: red}")
    )

    assert [one[0] for one in found] == ["J105", "J107", "J101"]


def test_two_definitions_of_one_name_are_a_problem(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("kind: segment\nformat: 1\nname: s\nwhen: {bucket: [0, 1]}\n")

    assert [
        one[0]
        for one in said(tmp_path, "kind: segment\nformat: 1\nname: s\nwhen: {bucket: [0, 1]}\n", "b.yaml")
    ] == ["J306"]


def test_a_file_that_is_not_utf_8_is_refused_at_its_line(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes(b"kind: canvas\nname: caf\xe9\n")

    [problem] = load([tmp_path]).problems
    assert (problem.code, problem.where.line) == ("J001", 2)


@pytest.mark.parametrize("suffix", ["yaml", "py"])
def test_what_has_no_end_is_refused_without_waiting_for_it(suffix: str, tmp_path: Path) -> None:
    pipe, endless, large = (tmp_path / f"{name}.{suffix}" for name in ("pipe", "endless", "large"))
    os.mkfifo(pipe)
    endless.symlink_to("/dev/zero")
    with large.open("wb") as file:
        file.truncate(2**40)

    assert [(one.code, one.where.file) for one in load([pipe, endless, large]).problems] == [
        ("J001", str(pipe)),
        ("J001", str(endless)),
        ("J001", str(large)),
    ]
    assert [one.code for one in load([pipe.parent]).problems] == ["J001" if suffix == "yaml" else "J008"]


def test_every_code_is_explained() -> None:
    assert all(text.endswith(".") for text in CODES.values())
    assert {case[1] for case in CASES.values()} <= set(CODES)


@pytest.mark.parametrize("until", ["2099-01-01T00:00", "2099-01-01T00:00:00+01:00"])
def test_a_delay_until_an_instant_more_than_730_days_ahead_is_refused(tmp_path: Path, until: str) -> None:
    """X6: as one by a duration is; what lies behind, or less far ahead, is not."""
    [found] = said(
        tmp_path,
        canvas(f"  - {{type: delay, id: d, until: {until}}}\n  - {{type: delay, id: e, duration: 1 day}}"),
    )
    assert found[0] == "J403"
    assert "730 days" in found[3]

    soon = (datetime.now(UTC) + timedelta(days=729)).strftime("%Y-%m-%dT%H:%M")
    assert (
        said(
            tmp_path,
            canvas(f"  - {{type: delay, id: d, until: {soon}}}\n  - {{type: delay, id: e, duration: 1 day}}"),
        )
        == []
    )


@pytest.mark.parametrize("name", ["external_id", "braze_id", "push_tokens", "app_id", "user_alias"])
def test_a_user_update_cannot_say_who_somebody_is(tmp_path: Path, name: str) -> None:
    """UPD-4: nor what devices they have, nor how a request is taken."""
    [found] = said(tmp_path, canvas(f"  - {{type: user_update, id: u, attributes: {{size: 38, {name}: x}}}}"))

    assert (found[0], name in found[3]) == ("J100", True)


def test_an_operator_without_an_operand_is_refused_where_it_asks_for_one(tmp_path: Path) -> None:
    """`equals: null` asks whether there is no value; no other operator does."""
    split = "  - {{type: decision_split, id: s, when: {{attribute: size, {}: null}}, steps: [{{type: delay, id: d, duration: 1 day}}]}}"

    [found] = said(tmp_path, canvas(split.format("one_of")))
    assert (found[0], "“one_of”" in found[3] or "`one_of`" in found[3]) == ("J104", True)
    assert said(tmp_path, canvas(split.format("equals"))) == []


def test_an_entry_of_a_canvas_with_a_key_compares_with_it_wherever_it_asks(tmp_path: Path) -> None:
    """CTL-5: in exits, conversions, action paths, splits and messages."""
    own = "where: [{property: a, equals: {entry: key}}]"
    head = HEAD.replace("{api: true}", "{event: e}") + f"key: event.a\nexits: [{{event: x, {own}}}]\n"
    steps = f"""
  - {{type: action_paths, id: p, paths: [{{name: a, triggers: [{{event: x, {own}}}]}}]}}
  - {{type: decision_split, id: s, when: {{event: x, {own}}}}}
  - {M.replace("hello}", "hello, only_when: {attribute: a, one_of: [1, {entry: key}]}}")}"""

    assert said(tmp_path, canvas(steps, head)) == []
