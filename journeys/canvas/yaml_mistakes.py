"""Says what was probably meant where a text is not YAML: the place of the mistake, what it is, and what to write."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ruamel.yaml.error import MarkedYAMLError

from journeys.canvas.problems import foreign_character

QUOTE = "put the text in quotes"
_VALUE = re.compile(r"^(?P<lead>\s*(?:- +)*(?:[\w.${}\[\]\"'-]+ *: +)?)(?P<value>\S.*)$")
_COLON = re.compile(r":(?:\s|$)")
_MERGE = ("<<<<<<<", "=======", ">>>>>>>")
_CLOSING = {"{": "}", "[": "]"}
_COMMENT = re.compile(r"(?:[^#:]{0,2}:)?\s*(#\S)")
_ITEM = re.compile(r"\s*([\u200b-\u200f\u2060\ufeff](?=- )|[\u2010-\u2015\u2212\ufe58\uff0d](?= ))")
_AFTER_COLON = re.compile(r"^\s*(?:- +)*[\w{ -]+:((?![ \t])\s|[\u200b-\u200f\u2060\ufeff])")
_ANCHOR = re.compile(r"&([^\s,\[\]{}]+)")
_STARTS: Mapping[str, str] = {"@": "@", "`": "`", "%": "%", "*": "*", "&": "&", "!": "!"}
"""Signs with which a text without quotes cannot begin: YAML gives them a meaning, or keeps them for one."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """A mistake: line and column count from 0."""

    line: int
    column: int
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class _Scene:
    """What the reader says, and the lines that it read: `at` is where it stopped, `begun` where it began."""

    problem: str
    context: str
    lines: Sequence[str]
    at: tuple[int, int]
    begun: tuple[int, int]

    @property
    def line(self) -> str:
        """The line on which it stopped."""
        return self.lines[self.at[0]]

    def value(self, number: int) -> tuple[int, str]:
        """The value on a line, after its key, and the column where it begins."""
        found = _VALUE.match(self.lines[number])
        return (found.start("value"), found["value"]) if found else (0, "")

    def here(self, message: str, hint: str = "") -> Mistake:
        """A mistake where it stopped."""
        return Mistake(*self.at, message, hint)


def mistake(error: MarkedYAMLError, lines: Sequence[str]) -> Mistake:
    """What is wrong where the reader of YAML stopped."""
    at = _spot(error.problem_mark or error.context_mark, lines)
    begun = _spot(error.context_mark or error.problem_mark, lines)
    scene = _Scene(str(error.problem or ""), str(error.context or ""), lines, at, begun)
    found = next((found for look in LOOKS if (found := look(scene)) is not None), None)
    said = scene.problem or scene.context or "it cannot be read"
    return found or scene.here(f"this is not YAML: {' '.join(said.split())[:300]}")


def begins_wrongly(value: str) -> str:
    """What keeps a text without quotes from being read as one; nothing where it is right."""
    if value.startswith(("{{", "{%")):
        return in_quotes(value[:2])
    return in_quotes(value[0]) if value[:1] in _STARTS else ""


def in_quotes(sign: str) -> str:
    """What is said of a text without quotes that begins with a sign which means something to YAML."""
    return f"a text that begins with “{sign}” stands in quotes"


def loses_a_word(value: str, lines: Sequence[str]) -> bool:
    """Whether a text without quotes loses its first word: as an anchor that nothing names, or as a tag without a name."""
    if value.startswith("! "):
        return True
    anchor = _ANCHOR.match(value)
    return anchor is not None and not any(f"*{anchor[1]}" in line for line in lines)


def comment(line: str, column: int) -> int | None:
    """Where a comment stands in the place of a value, if it may be meant as one: `subject: #1 is here`."""
    found = _COMMENT.match(line[column:])
    return None if found is None else column + found.start(1)


def _spot(mark: Any, lines: Sequence[str]) -> tuple[int, int]:
    return (0, 0) if mark is None else (min(mark.line, len(lines) - 1), mark.column)


def _duplicate(scene: _Scene) -> Mistake | None:
    found = re.match(r'found duplicate key "(.*?)" with value', scene.problem, re.DOTALL)
    return (
        scene.here(f"the key “{found[1]}” stands twice in one mapping", "keep one of them") if found else None
    )


def _merge(scene: _Scene) -> Mistake | None:
    for number in dict.fromkeys((scene.at[0], scene.begun[0], max(0, scene.at[0] - 1))):
        if scene.lines[number].startswith(_MERGE):
            return Mistake(
                number, 0, "a merge of two versions was left unfinished here", "choose one of them"
            )
    return None


def _tab(scene: _Scene) -> Mistake | None:
    indent = scene.line[: len(scene.line) - len(scene.line.lstrip())]
    if "\t" in indent:
        return scene.here("the line is indented with a tab", "YAML indents with spaces")
    if "'\\t'" in scene.problem:
        return scene.here("a tab stands here", "YAML separates with spaces")
    return None


def _space(scene: _Scene) -> Mistake | None:
    """Spaces that look like others, in the indentation."""
    for column, sign in enumerate(scene.line):
        if sign not in " -":
            if sign.isspace() and sign != "\t":
                message = f"the line is indented with U+{ord(sign):04X}, which looks like a space and is none"
                return Mistake(scene.at[0], column, message, "indent with spaces")
            return None
    return None


def in_disguise(line: str) -> tuple[int, str] | None:
    """A sign that is taken for a dash or a space, or cannot be seen, where an item or a value begins: its column, and why."""
    item = _ITEM.match(line)
    if item is not None:
        return item.start(1), f"an item of a list begins with a dash and a space.{foreign_character(item[1])}"
    after = _AFTER_COLON.match(line)
    if after is not None:
        return after.start(1), f"a space stands after a colon.{foreign_character(after[1])}"
    return None


def _disguise(scene: _Scene) -> Mistake | None:
    for number in dict.fromkeys((scene.at[0], scene.begun[0], max(0, scene.at[0] - 1))):
        found = in_disguise(scene.lines[number])
        if found is not None:
            return Mistake(number, *found, "write a dash or a space as they are on a keyboard")
    return None


def _unquoted(scene: _Scene) -> Mistake | None:
    """A text whose first sign means something to YAML."""
    for number in dict.fromkeys((scene.at[0], scene.begun[0])):
        column, value = scene.value(number)
        said = begins_wrongly(value)
        if said and (number == scene.at[0] or value.startswith("{")):
            return Mistake(number, column, said, QUOTE)
        inner = re.search(r"[:,\[] *(\{\{|\{%)", scene.lines[number])
        if inner is not None and inner.end() <= max(scene.at[1], scene.begun[1]) + 2:
            return Mistake(number, inner.start(1), begins_wrongly(inner[1]), QUOTE)
    return None


def _bracket(scene: _Scene) -> Mistake | None:
    """A text whose first sign is a bracket, a dash, a question mark or “>”, with more than a value of YAML after it."""
    number, until = scene.at
    column, value = scene.value(number)
    found = re.match(r"(?:\[[^\[\]]*\]|\{[^{}]*\})\s*", value)
    begins = found is not None and column + found.end() == until and "<block end>" in scene.problem
    colon = found is not None and column + found.end() < until and "mapping values" in scene.problem
    dash = until == column and "are not allowed here" in scene.problem and value[:2] in ("- ", "? ")
    folded = value.startswith(">") and "block scalar" in scene.context
    if begins or colon or dash or folded:
        return Mistake(number, column, in_quotes(value[0]), QUOTE)
    return None


def _quote(scene: _Scene) -> Mistake | None:
    """A quote that never ends, or ends within the text."""
    if "quoted scalar" in scene.context and "end of stream" in scene.problem:
        return Mistake(
            *scene.begun, "the quote that begins here never ends", "write the same quote at its end"
        )
    if "unknown escape character" in scene.problem:
        sign = scene.line[scene.at[1] : scene.at[1] + 1]
        message = f"“\\{sign}” means nothing within double quotes"
        return Mistake(scene.at[0], max(0, scene.at[1] - 1), message, "use single quotes, or write \\\\")
    column, value = scene.value(scene.at[0])
    if value[:1] not in ("'", '"') or scene.at[1] <= column:
        return None
    other = "put the text in double quotes, or write '' for '" if value[0] == "'" else (
        'put the text in single quotes, or write \\" for "'
    )  # fmt: skip
    return Mistake(
        scene.at[0], scene.at[1], f"the text ends at its second {value[0]}, and more follows", other
    )


def _block(scene: _Scene) -> Mistake | None:
    if "block scalar" in scene.context:
        return scene.here("the text after | begins on the next line", "write it there, indented")
    place = scene.begun[0] if "expected ':'" in scene.problem else scene.at[0]
    line = scene.lines[place]
    within, first = len(line) - len(line.lstrip()), True
    for above in (each for each in reversed(scene.lines[:place]) if each.strip()):
        indent = len(above) - len(above.lstrip())
        if re.search(r": *[|>][-+\d]* *$", above):
            if within > indent or _COLON.search(line):
                return None
            said = "the text below | is indented" if first else "this line belongs to the text above"
            return Mistake(place, within, said, "indent it by two spaces more" if first else "indent it")
        if indent <= within and not first:
            return None
        first = False
    return None


def _lines(scene: _Scene) -> Mistake | None:
    """A text on several lines, such as HTML, under a key without the | that keeps its lines."""
    place = scene.begun[0] if "expected ':'" in scene.problem else scene.at[0]
    if not scene.lines[place].lstrip().startswith("<"):
        return None
    for number in range(place, -1, -1):
        found = re.match(r"\s*(?:- +)*(\w+) *:(?: +(?=<)| *$)", scene.lines[number])
        if found is not None:
            said = f"write {found[1]}: | and each line of the text below it, indented"
            return Mistake(number, found.end(), "a text of several lines begins with |", said)
        if not scene.lines[number].lstrip().startswith("<"):
            return None
    return None


def _flow(scene: _Scene) -> Mistake | None:
    """A bracket that is never closed, a comma that is missing, a bracket that closes nothing."""
    if "flow" in scene.context and "expected ','" in scene.problem:
        number, column = scene.begun
        opening = scene.lines[number][column : column + 1]
        closing = _CLOSING.get(opening, "")
        if not _closed(scene.lines, scene.begun):
            return Mistake(
                *scene.begun, f"the “{opening}” that opens here is never closed", f"write {closing}"
            )
        return scene.here(
            "a comma is missing before this", "separate with commas; put a text with signs in quotes"
        )
    if "flow" in scene.context and (found := _open(scene)) is not None:
        opening = scene.lines[found[0]][found[1]]
        return Mistake(
            *found, f"the “{opening}” that opens here is never closed", f"write {_CLOSING[opening]}"
        )
    sign = scene.line[scene.at[1] : scene.at[1] + 1]
    if sign in _CLOSING.values() and "<block end>" in scene.problem:
        return scene.here(f"this “{sign}” closes nothing", "remove it")
    return None


def _open(scene: _Scene) -> tuple[int, int] | None:
    """The last bracket before where the reader stopped that is not closed, where the text ends within one."""
    if "<stream end>" not in scene.problem:
        return None
    brackets = (
        (number, column)
        for number in range(scene.at[0], -1, -1)
        for column in range(len(scene.lines[number]) - 1, -1, -1)
        if scene.lines[number][column] in _CLOSING
    )
    return next((each for each in brackets if not _closed(scene.lines, each)), None)


def _closed(lines: Sequence[str], begun: tuple[int, int]) -> bool:
    """Whether a bracket is closed before the next line that begins as a definition's does: by a key of its own."""
    depth, quote = 0, ""
    for number in range(begun[0], len(lines)):
        line = lines[number]
        if number > begun[0] and re.match(r"(?:- |[A-Za-z_]+ *:(?: |$)|---)", line):
            return False
        for sign in line[begun[1] if number == begun[0] else 0 :]:
            if quote:
                quote = "" if sign == quote else quote
            elif sign in "\"'":
                quote = sign
            elif sign in "{[":
                depth += 1
            elif sign in "}]":
                depth -= 1
                if depth == 0:
                    return True
    return False


def _colon(scene: _Scene) -> Mistake | None:
    """A colon that is missing, or one in a text without quotes."""
    if "mapping values are not allowed" in scene.problem:
        before = [found.start() for found in _COLON.finditer(scene.line, 0, scene.at[1] + 2)]
        if len(before) > 1:
            column, _ = scene.value(scene.at[0])
            return Mistake(scene.at[0], column, "a text with “: ” in it stands in quotes", QUOTE)
        return _indented(scene)
    if "expected ':'" not in scene.problem:
        return None
    number, column = scene.begun
    line = scene.lines[number]
    wide = next((place for place, sign in enumerate(line) if sign in "：﹕꞉"), None)
    if wide is not None:
        message = f"“{line[wide]}” (U+{ord(line[wide]):04X}) looks like a colon and is none"
        return Mistake(number, wide, message, "write a colon and a space")
    near = re.match(r"\s*(?:- )*[\w-]+:\S", line)
    hint = "write a space after the colon" if near else "write key: value"
    return Mistake(number, column, "this line has no colon with a space after it", hint)


def _indented(scene: _Scene) -> Mistake:
    indent = len(scene.line) - len(scene.line.lstrip())
    hint = "keys of one mapping, and items of one list, begin in the same column"
    return Mistake(
        scene.at[0],
        indent,
        f"the line is indented by {indent} space{'' if indent == 1 else 's'}, which fits nothing above it",
        hint,
    )


def _indent(scene: _Scene) -> Mistake | None:
    return _indented(scene) if "<block end>" in scene.problem else None


LOOKS: Sequence[Callable[[_Scene], Mistake | None]] = (
    _duplicate, _merge, _tab, _space, _disguise, _unquoted, _bracket, _quote, _block, _lines, _flow, _colon, _indent,
)  # fmt: skip
"""Each knows one kind of mistake; the first that sees its own says so."""
