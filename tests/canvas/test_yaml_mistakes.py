"""Mistakes in YAML get a sentence that helps, at the place where they are, and nothing false beside it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ruamel.yaml.error import MarkedYAMLError

from journeys.canvas.loading import load
from journeys.canvas.yaml_definitions import read_text
from journeys.canvas.yaml_mistakes import mistake

H = "kind: canvas\nformat: 1\nname: c\nschedule: {api: true}\n"
T = "kind: template\nformat: 1\nname: t\nchannel: email\nsender: {address: a@b.co}\nhtml: x\n"
S = "kind: segment\nformat: 1\nname: s\n"
D = "{type: delay, id: d, duration: 1 day}"
IN_QUOTES = "put the text in quotes"

NO_YAML: dict[str, tuple[str, str, int, int, str]] = {
    "Liquid without quotes": (T + "subject: {{${first_name}}}, hello\n", "J002", 7, 10, IN_QUOTES),
    "Liquid alone": (T + "subject: {{ x }}\n", "J002", 7, 10, IN_QUOTES),
    "Liquid alone in a list": (H + "tags: [a, {{ x }}]\n", "J002", 5, 11, IN_QUOTES),
    "Liquid and more in a list": (H + "tags: [a, {{ x }} y]\n", "J002", 5, 11, IN_QUOTES),
    "a comma for a value": (H + "tags: [,]\n", "J002", 5, 8, "this is not YAML"),
    "a tag of Liquid": (T + "subject: {% if x %}a{% endif %}\n", "J002", 7, 10, IN_QUOTES),
    "Liquid in a flow mapping": (H + "steps: [{type: context, id: c, set: [{name: x, type: text, value: {{ y | z: 1 }} }]}]\n", "J002", 5, 67, "“{{”"),
    "an apostrophe": (T + "subject: 'It's time'\n", "J002", 7, 14, "put the text in double quotes"),
    "quotes within quotes": (T + 'subject: "He said "go" now"\n', "J002", 7, 20, "put the text in single quotes"),
    "words after a quote": (T + 'subject: "Hi" there\n', "J002", 7, 15, "the text ends at its second"),
    "a colon": (T + "subject: Note: x\n", "J002", 7, 10, IN_QUOTES),
    "a colon in a list": (H + "steps:\n  - name: a: b\n", "J002", 6, 11, IN_QUOTES),
    "an at sign": (T + "subject: @you\n", "J002", 7, 10, "begins with “@”"),
    "a per cent sign": (T + "subject: %x\n", "J002", 7, 10, "begins with “%”"),
    "a grave accent": (T + "subject: `x`\n", "J002", 7, 10, "begins with “`”"),
    "a star": (T + "subject: *bold*\n", "J002", 7, 10, "begins with “*”"),
    "an ampersand": (T + "subject: &you\n", "J002", 7, 10, "begins with “&”"),
    "an exclamation mark": (T + "subject: !now\n", "J002", 7, 10, "begins with “!”"),
    "an ampersand and more": (T + "subject: &now shoes\n", "J002", 7, 10, "begins with “&”"),
    "an ampersand and a number": (T + "subject: &now 5\n", "J002", 7, 10, "begins with “&”"),
    "an ampersand in a list": (H + "tags: [a, &b c]\n", "J002", 5, 11, "begins with “&”"),
    "an exclamation mark and more": (T + "subject: ! now\n", "J002", 7, 10, "begins with “!”"),
    "an exclamation mark in a list": (H + "tags:\n  - ! now\n", "J002", 6, 5, "begins with “!”"),
    "a bracket and more": (T + "subject: [Sale] shoes\n", "J002", 7, 10, "begins with “[”"),
    "a brace and more": (T + "subject: {Sale} shoes\n", "J002", 7, 10, "begins with “{”"),
    "a bracket with a comma behind it": (T + "subject: [Sale], shoes\n", "J002", 7, 10, IN_QUOTES),
    "a bracket and a colon": (T + "subject: [Sale] shoes: x\n", "J002", 7, 10, "begins with “[”"),
    "a bracket in an item": (H + "tags:\n  - [Sale] shoes\n", "J002", 6, 5, "begins with “[”"),
    "a dash": (T + "subject: - 50 off\n", "J002", 7, 10, "begins with “-”"),
    "a question mark": (T + "subject: ? what\n", "J002", 7, 10, "begins with “?”"),
    "a sign for more": (T + "subject: > 50 off\n", "J002", 7, 10, "begins with “>”"),
    "a sign for more beside a number": (T + "subject: >50 off\n", "J002", 7, 10, IN_QUOTES),
    "a number sign": (T + "subject: #1 is here\n", "J002", 7, 10, "“#” begins a comment"),
    "a number sign after a key in quotes": (T + "'subject': #1 is here\n", "J002", 7, 12, IN_QUOTES),
    "a number sign in a list": (H + "tags:\n  - #1\n", "J002", 6, 5, IN_QUOTES),
    "a line of a text that is not indented": (T + "text: |\n  one\n\n    two\nthree\n  four\n", "J002", 11, 1, "belongs to the text above (indent it)"),
    "HTML without |": (T.replace("html: x\n", "") + "html:\n  <p>a</p>\n  <p>b: c</p>\n", "J002", 6, 6, "write html: |"),
    "HTML that begins beside its key": (T.replace("html: x\n", "") + "html: <p>a</p>\n<p>b</p>\n", "J002", 6, 7, "write html: |"),
    "HTML after nothing": (H + "tags: [a]\n<p>b</p>\n", "J002", 6, 1, "write key: value"),
    "HTML alone": ("<p>a</p>\n<p>b: c</p>\n", "J002", 2, 1, ""),
    "no space after a colon in braces": (H + "steps:\n  - {type:message, id: a}\n", "J002", 6, 6, "a space after the colon"),
    "a long dash": (H + "steps:\n  – {type: delay, id: d}\n", "J002", 6, 3, "U+2013"),
    "a longer dash for a word": (H + "steps:\n  — {type: delay}\n", "J002", 6, 3, "U+2014"),
    "a letter that cannot be seen before a dash": (H + "steps:\n  \u200b- {type: delay}\n", "J002", 6, 3, "U+200B"),
    "another space after a colon": (H.replace("kind: ", "kind:\u00a0"), "J002", 1, 6, "U+00A0"),
    "a letter that cannot be seen in `kind`": (H.replace("kind", "kind\u200b"), "J101", 1, 1, "U+200B"),
    "another letter in `format`": (H.replace("format", "f\u043ermat"), "J101", 2, 1, "U+043E"),
    "a backslash": (T + 'subject: "a\\d"\n', "J002", 7, 12, "means nothing within double quotes"),
    "a quote that never ends": (T + 'subject: "Hi\ntext: x\n', "J002", 7, 10, "never ends"),
    "a text below | without indent": (T + "text: |\nhello there\n", "J002", 8, 1, "indent it"),
    "a text below | after an empty line": (T + "text: |\n\nhello there\n", "J002", 9, 1, "indent it"),
    "a text beside |": (T + "text: | hello\n", "J002", 7, 9, "on the next line"),
    "a text below | that steps back": (T + "text: |\n    one\n  two\n", "J002", 9, 3, "fits nothing above"),
    "too far in": (H + "steps:\n  - type: delay\n    id: d\n     duration: 1 day\n", "J002", 8, 6, "5 spaces"),
    "not far enough in": (H + "steps:\n  - type: delay\n   id: d\n", "J002", 7, 4, "3 spaces"),
    "one space": (H + " tags: []\n", "J002", 5, 2, "1 space,"),
    "a tab for indentation": (H + "steps:\n\t- x\n", "J002", 6, 1, "indents with spaces"),
    "a tab after spaces": (H + "steps:\n  - type: delay\n \t   id: d\n", "J002", 7, 2, "indents with spaces"),
    "a tab after a dash": (H + "steps:\n  -\tx: y\n", "J002", 6, 4, "a tab"),
    "another space": (H + "steps:\n\u00a0\u00a0- {type: delay, id: d}\n", "J002", 6, 1, "U+00A0"),
    "another colon": (H + "steps\uff1a []\n", "J002", 5, 6, "U+FF1A"),
    "no colon": (H + "steps\ntags: []\n", "J002", 5, 1, "write key: value"),
    "no space after the colon": (H + "tags:[]\nsteps: []\n", "J002", 5, 1, "a space after the colon"),
    "a key twice": (H + "name: d\n", "J003", 5, 1, "“name” stands twice"),
    "a merge": (H + "<<<<<<< HEAD\nsteps: []\n=======\n", "J002", 5, 1, "merge"),
    "a brace that is not closed": (H + f"steps:\n  - {{type: delay, id: d\n  - {D}\n", "J002", 6, 5, "write }"),
    "a brace that is not closed at the end": (H + "steps:\n  - {type: delay, id: d\n", "J002", 6, 5, "never closed"),
    "a bracket that is not closed": (H + "tags: [a, b\nsteps: []\n", "J002", 5, 7, "write ]"),
    "a brace in quotes": (H + "tags: [a, '}', {b: ']'\nsteps: []\n", "J002", 5, 16, "write }"),
    "a brace too many": (H + "steps:\n  - " + D + "}\n", "J002", 6, 42, "closes nothing"),
    "a list that goes on for ever": (H + "steps: [\n", "J002", 5, 8, "write ]"),
    "a mapping that goes on for ever": (H + "steps: [{a: b,\n", "J002", 5, 9, "write }"),
    "a missing comma": (H + "steps:\n  - {type: delay id: d, duration: 1 day}\n", "J002", 6, 20, "a comma is missing"),
    "a missing comma on the next line": (H + "steps:\n  - {type: delay\n     id: d}\n", "J002", 7, 8, "a comma is missing"),
    "a list for a key": (H + "? [a]\n: b\n", "J002", 5, 3, "a key is a text"),
    "no key": (H + "? \n: b\n", "J002", 5, 2, "a key is a text"),
    "an endless number": (H + f"steps: [{{type: delay, id: d, x: {'9' * 5000}}}]\n", "J100", 5, 33, "64 bits"),
    "a large number": (H + f"tags: [{2**64}]\n", "J100", 5, 8, "64 bits"),
    "a number of no digits": (H + "tags: [!!float x]\n", "J002", 5, 8, "“x” is no float"),
    "a number of nothing": (H + "tags: [!!int '']\n", "J002", 5, 8, "“” is no int"),
    "a truth of nothing": (H + "tags: [!!bool x]\n", "J002", 5, 8, "“x” is no bool"),
    "a character beyond all": (H + 'tags: ["\\U00110000"]\n', "J002", 1, 1, "this is not YAML"),
    "another alphabet for an anchor": (H + "tags: [a, *b]\n", "J002", 5, 11, ""),
}  # fmt: skip


@pytest.mark.parametrize("name", NO_YAML)
def test_a_text_that_is_no_yaml_says_where_and_what_to_write(name: str) -> None:
    text, code, line, column, words = NO_YAML[name]
    _, found = read_text(text, "f")

    assert [(one.code, one.where.line, one.where.column) for one in found] == [(code, line, column)], found
    assert words in f"{found[0].message} ({found[0].hint})", found
    assert "while " not in found[0].message
    assert "ordereddict" not in found[0].message


def test_anchors_that_are_named_and_comments_are_no_mistakes() -> None:
    text = T + "subject: &hello Hi\ntext: *hello\n"
    text = text.replace("sender: {", "sender: &mel {")
    [one], found = read_text(text + "# #1\n", "f")
    assert (one.value.subject, one.value.text, found) == ("Hi", "Hi", [])
    for empty in ("text: # none yet\n", "text:\n#1\n", "text: ~ #1\n"):
        assert read_text(T + "subject: Hi\n" + empty, "f")[1] == [], "a comment"


@pytest.mark.parametrize(
    "name",
    [
        "café_späť",
        "Οδός-street",
        "β2",
        "Яндекс Go",
        "LINE登録",
        "می\u200cخواهم",
        "👩\u200d💻 coded",
        "заказ_new",
    ],
)
def test_names_of_any_alphabet_are_no_mistakes(name: str) -> None:
    assert read_text(S + f'when: {{attribute: "{name}", equals: {{attribute: b}}}}\n', "f")[1] == []


SPLIT = "steps:\n  - type: decision_split\n    id: s\n"
WRONG_FORM: dict[str, tuple[str, list[tuple[str, int, int, str]]]] = {
    "a day that does not exist": (H + "steps: [{type: delay, id: d, until: 2026-13-45}]\n", [("J107", 5, 37, "“2026-13-45”")]),
    "an hour that does not exist": (H + "steps: [{type: delay, id: d, until: 2026-02-30T10:00:00}]\n", [("J107", 5, 37, "2026-02-30T10")]),
    "a time without quotes": (H + "steps: [{type: delay, id: d, calendar_days: 1, at: 9:00}]\n", [("J107", 5, 52, 'in quotes: "09:00"')]),
    "a Cyrillic letter": (H + f"st\u0435ps: [{D}]\n", [("J101", 5, 1, "U+0435 CYRILLIC SMALL LETTER IE")]),
    "a letter that cannot be seen": (H + f"ste\u200bps: [{D}]\n", [("J101", 5, 1, "U+200B ZERO WIDTH SPACE, which cannot be seen")]),
    "one in a value": (H + "steps: [{type: del\u200bay, id: d, duration: 1 day}]\n", [("J105", 5, 16, "U+200B")]),
    "one in a name": (H + "steps: [{type: delay, id: d\u00e9, duration: 1 day}]\n", [("J110", 5, 27, "U+00E9 LATIN SMALL LETTER E WITH ACUTE")]),
    "a word in curly quotes": (H + "steps: [{type: “delay”, id: d, duration: 1 day}]\n", [("J105", 5, 16, "LEFT DOUBLE QUOTATION MARK")]),
    "a time in curly quotes": (H + "steps: [{type: delay, id: d, calendar_days: 1, at: “09:00”}]\n", [("J107", 5, 52, "the quotes “ and ” are part of the text")]),
    "a comma in a text": (H + "audience: {attribute: a, equals: Hello, you}\nsteps: [" + D + "]\n", [("J101", 5, 41, IN_QUOTES)]),
    "a key without a value": (H + "audience:\n  attribute: a\n  equals: Hello\n  you:\nsteps: [" + D + "]\n", [("J101", 8, 3, "allowed")]),
    "a key without a value after another": (H + "audience: {attribute: a, equals: 1, you}\nsteps: [" + D + "]\n", [("J101", 5, 37, "allowed")]),
    "a key without a value before all": (H + "audience: {you, attribute: a, equals: x}\nsteps: [" + D + "]\n", [("J101", 5, 12, "allowed")]),
    "a Cyrillic letter in an event": (H.replace("{api: true}", "{event: sign\u0435d_up}") + "steps: [" + D + "]\n", [("J917", 4, 19, "“\u0435” is U+0435 CYRILLIC SMALL LETTER IE")]),
    "a Latin letter in a Cyrillic attribute": (S + "when: {attribute: г\u006fрод, equals: 1}\n", [("J917", 4, 19, "U+006F LATIN SMALL LETTER O")]),
    "a letter that cannot be seen in an event": (H.replace("{api: true}", '{event: "a\u200bb"}') + "steps: [" + D + "]\n", [("J917", 4, 19, "U+200B ZERO WIDTH SPACE, which cannot be seen")]),
    "a Greek letter in an attribute that is written": (H + "steps: [{type: user_update, id: u, attributes: {t\u03bftal: 1}}]\n", [("J917", 5, 49, "GREEK SMALL LETTER OMICRON")]),
    "a text in curly quotes": (T + "subject: “Hi”\n", [("J914", 7, 10, "straight quotes")]),
    "yes and no": (H + SPLIT + f"    when: {{bucket: [0, 1]}}\n    yes: [{D}]\n    no: []\n", [("J101", 9, 5, "“steps”"), ("J101", 10, 5, "“otherwise”")]),
    "if and else": (H + SPLIT + f"    if: {{bucket: [0, 1]}}\n    steps: [{D}]\n    else: []\n", [("J101", 8, 5, "“when”"), ("J101", 10, 5, "“otherwise”")]),
    "then with steps": (H + f"steps: [{{type: delay, id: e, duration: 1 day, then: [{D}]}}]\n", [("J100", 5, 53, "the steps of a branch stand under `steps`")]),
    "where as a mapping": (S + "when: {event: x, where: {property: a, equals: 1}}\n", [("J100", 4, 25, "write where: [{property:")]),
    "steps as a mapping": (H + f"steps: {D}\n", [("J100", 5, 8, "write steps: [{")]),
    "variants as a mapping": (H + "variants: {a: 1}\n", [("J100", 5, 11, "write variants: [{")]),
    "exits as a mapping": (H + f"exits: {{event: x}}\nsteps: [{D}]\n", [("J100", 5, 8, "write exits: [{event:")]),
    "an audience as a list": (H + f"audience: [{{bucket: [0, 1]}}]\nsteps: [{D}]\n", [("J109", 5, 11, "all, any or none")]),
    "a schedule as a text": (H.replace("{api: true}", "signed_up") + f"steps: [{D}]\n", [("J100", 4, 11, "{event: signed_up}")]),
    "a text for a list": (S + "when: {attribute: a, one_of: FR}\n", [("J100", 4, 30, "write one_of: [FR]")]),
    "a text for triggers": (H + "steps: [{type: action_paths, id: a, paths: [{name: p, triggers: bought}]}]\n", [("J100", 5, 65, "[{event: order_completed}]")]),
    "a number for times": (S + "when: {event: a, times: 3}\n", [("J100", 4, 25, "{at_least: 3}")]),
    "a list for a mapping": (H + f"send: [a]\nsteps: [{D}]\n", [("J100", 5, 7, "without [ ]")]),
    "a Cyrillic letter in `type`": (H + "steps: [{typ\u0435: delay, id: d, duration: 1 day}]\n", [("J101", 5, 10, "U+0435")]),
    "truths as keys": (H + SPLIT + "    when: {bucket: [0, 1]}\n    True: []\n    1: []\n    1.0: []\n    false: []\n", [("J101", 9, 5, "“true”"), ("J101", 10, 5, "“1”"), ("J101", 11, 5, "“1.0”"), ("J101", 12, 5, "“false”")]),
    "a purchase of nothing": (H + f"audience: {{purchase: }}\nsteps: [{D}]\n", [("J100", 5, 11, "not of nothing")]),
    "a purchase of false": (H + f"audience: {{purchase: false}}\nsteps: [{D}]\n", [("J100", 5, 11, "not of “false”")]),
    "a purchase of a list": (H + f"exits: [{{purchase: [a]}}]\nsteps: [{D}]\n", [("J100", 5, 20, "not of a list")]),
    "a set": (H + "exits: !!set {a, b}\n", [("J002", 5, 8, "`!!set`")]),
    "bytes": (H + "audience: !!binary aGVsbG8=\n", [("J002", 5, 11, "`!!binary`")]),
    "pairs": (H + "tags: [!!pairs [a: b]]\n", [("J002", 5, 8, "`!!pairs`")]),
    "a mapping for a kind": ("kind: {a: b}\nformat: 1\n", [("J004", 1, 7, "kind a mapping")]),
    "a truth for a format": (S.replace("1", "true") + "when: {bucket: [0, 1]}\n", [("J005", 2, 9, "“true”")]),
    "a list for a type": (H + "steps: [{type: [a], id: d}]\n", [("J105", 5, 16, "type a list")]),
    "a truth for a channel": (T.replace("email", "true"), [("J303", 4, 10, "“true”")]),
    "a truth for an instant": (S + "when: {attribute: a, before: true}\n", [("J107", 4, 30, "“true”")]),
    "nothing": (H + "steps:\n", [("J100", 6, 1, "not nothing")]),
    "a step in a word": (H + "steps: [delay]\n", [("J100", 5, 9, "not “delay”")]),
    "a mapping for a word": (H + f"tags: [{{a: b}}]\nsteps: [{D}]\n", [("J100", 5, 8, "not a mapping")]),
    "a truth for a word": (H + f"tags: [true]\nsteps: [{D}]\n", [("J100", 5, 8, "not “true”")]),
    "a mapping for a name": (S + "when: {attribute: a, equals: {context: {b: c}}}\n", [("J100", 4, 30, "not a mapping")]),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_FORM)
def test_what_has_another_form_is_told_without_the_words_of_python_and_nothing_false_follows(
    name: str, tmp_path: Path
) -> None:
    text, wanted = WRONG_FORM[name]
    (tmp_path / "f.yaml").write_text(text)
    found = load([tmp_path]).problems

    assert [(one.code, one.where.line, one.where.column) for one in found] == [each[:3] for each in wanted], (
        found
    )
    for one, (*_, words) in zip(found, wanted, strict=True):
        said = f"{one.message} ({one.hint})"
        assert words in said, said
        assert not any(sign in said for sign in ("'type'", "None", "True", "[{'"))


def test_an_error_of_the_reader_without_a_place_is_at_the_first_line() -> None:
    error: Any = MarkedYAMLError(problem="odd")
    assert (mistake(error, ["a"]).line, mistake(error, ["a"]).message) == (0, "this is not YAML: odd")
    nameless: Any = MarkedYAMLError(problem_mark=SimpleNamespace(line=9, column=2))
    assert (mistake(nameless, ["a"]).line, mistake(nameless, ["a"]).column) == (0, 2)


MANY = {
    "conversions": (H + "conversions: [" + ", ".join(f"{{name: c{n}, event: x, within: 1 day}}" for n in range(6)) + f"]\nsteps: [{D}]\n", "J402", "{name: c4"),
    "paths": (H + "steps: [{type: audience_paths, id: a, paths: [" + ", ".join(f"{{name: p{n}, when: {{bucket: [0, 1]}}}}" for n in range(9)) + "]}]\n", "J404", "{name: p7"),
    "action paths": (H + "steps: [{type: action_paths, id: a, paths: [" + ", ".join(f"{{name: p{n}, triggers: [{{event: x}}]}}" for n in range(9)) + "]}]\n", "J404", "{name: p8"),
    "operands": (S + "when: {attribute: a, one_of: [" + ", ".join(f"v{n}" for n in range(300)) + "]}\n", "J404", "v256,"),
    "steps": (H + "steps: [" + ", ".join(f"{{type: delay, id: d{n}, duration: 1 day}}" for n in range(203)) + "]\n", "J401", "{type: delay, id: d200,"),
    "selections": ("kind: catalog\nformat: 1\nname: s\nfields: [{name: id, type: string}]\nselections: [" + ", ".join(f"{{name: s{n}, results_limit: 1}}" for n in range(32)) + "]\n", "J307", "{name: s30,"),
    "filters of a selection": ("kind: catalog\nformat: 1\nname: s\nfields: [{name: id, type: string}]\nselections: [{name: a, results_limit: 1, filters: [" + ", ".join(f"{{field: id, operator: equals, value: v{n}}}" for n in range(12)) + "]}]\n", "J307", "{field: id, operator: equals, value: v10}"),
    "fields": ("kind: catalog\nformat: 1\nname: s\nfields: [{name: id, type: string}, " + ", ".join(f"{{name: f{n}, type: string}}" for n in range(1002)) + "]\n", "J307", "{name: f999,"),
}  # fmt: skip


@pytest.mark.parametrize("name", MANY)
def test_too_many_of_something_is_told_at_the_first_that_is_too_many(name: str, tmp_path: Path) -> None:
    text, code, first = MANY[name]
    (tmp_path / "f.yaml").write_text(text)
    [found] = load([tmp_path]).problems

    line = text.split("\n")[found.where.line - 1]
    assert found.code == code
    assert line[found.where.column - 1 :].startswith(first), (found, line[found.where.column - 1 :][:40])


def test_a_canvas_without_steps_and_a_folder_without_definitions_are_not_all_right(tmp_path: Path) -> None:
    empty, other = tmp_path / "empty", tmp_path / "other"
    empty.mkdir()
    other.mkdir()
    (other / "notes.txt").write_text("hello")
    (other / "program.py").write_text("print(1)")
    assert [(one.code, str(one.where)) for one in load([empty, other]).problems] == [
        ("J008", str(empty)),
        ("J008", str(other)),
    ]

    file = other / "f.yaml"
    for body, told in (
        ("", ["J210"]),
        ("steps: []\n", ["J210"]),
        (
            "variants: [{name: control, weight: 10, control: true}, {name: a, weight: 90, steps: []}]\n",
            ["J210"],
        ),
        (
            f"variants: [{{name: control, weight: 10, control: true}}, {{name: a, weight: 90, steps: [{D}]}}]\n",
            [],
        ),
        ("variants: [{name: a, steps: x}]\n", ["J100"]),
        ("steps: x\n", ["J100"]),
    ):
        file.write_text(H + body)
        assert [one.code for one in load([other]).problems] == told, body
    for text, code in (("", "J004"), ("# nothing\n", "J004"), ("---\n---\n", "J004")):
        file.write_text(text)
        assert [one.code for one in load([file]).problems] == [code]


def test_what_is_wrong_below_a_key_that_is_nearly_right_has_its_own_place(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text(
        H + "stepps:\n  - {type: delay, id: d, duraton: x}\n  - {type: delay, id: d, duration: 1 day}\n"
    )
    found = load([tmp_path]).problems

    assert [(one.code, one.where.line, one.where.column) for one in found] == [
        ("J101", 5, 1),
        ("J101", 6, 26),
        ("J107", 6, 35),
        ("J204", 7, 23),
    ]
