"""Reads YAML as plain values, with the line and column of each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from math import isfinite
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq, CommentedSet, TaggedScalar
from ruamel.yaml.constructor import ConstructorError, DuplicateKeyError, RoundTripConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scalarstring import LiteralScalarString, ScalarString
from ruamel.yaml.tag import Tag

from journeys.canvas.problems import Problem, Refused, Where
from journeys.canvas.storable_characters import strange
from journeys.canvas.yaml_mistakes import (
    QUOTE,
    begins_wrongly,
    comment,
    in_disguise,
    in_quotes,
    loses_a_word,
    mistake,
)

MOST_BITS = 63
"""Of an integer, beside its sign."""

DEEPEST = 60
MOST_VALUES = 100_000
LARGEST = 4 * 1024 * 1024
"""Limits of a file: nesting, number of values, bytes. What is beyond them is an attack or an accident."""

Path = tuple[str | int, ...]

_STRANGE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x85\u2028\u2029\ufffe\uffff\ud800-\udfff]|\r(?!\n)")
"""Control characters, and line breaks that editors do not agree on."""

_TEXT = Tag(suffix="tag:yaml.org,2002:str")
_GLUED = re.compile(r"[A-Za-z_]+:\S")
_BRACKETS = re.compile(r"[\[\]{}]")
_SEXAGESIMAL = re.compile(r"^\d{1,2}:[0-5]\d$")


class _Constructor(RoundTripConstructor):
    """Makes values; one that looks like a time or a number and is none stays a text, or keeps its place.

    Keys that look like a truth or a fraction are texts: so `true` and `1` are two keys.
    """

    def construct_mapping(self, node: Any, maptyp: Any, deep: bool = False) -> Any:  # type: ignore[override]  # noqa: FBT001, FBT002 - as in the base class
        """See base class."""
        for key, _ in node.value:
            kind = str(key.tag).rpartition(":")[2]
            if kind in ("bool", "float"):
                key.ctag = _TEXT
                key.value = str(key.value).lower() if kind == "bool" else key.value
        return super().construct_mapping(node, maptyp, deep)

    def construct_object(self, node: Any, deep: bool = False) -> Any:  # noqa: FBT001, FBT002 - as in the base class
        """See base class."""
        try:
            return super().construct_object(node, deep)
        except MarkedYAMLError:
            raise
        except (ValueError, TypeError, OverflowError, LookupError) as error:
            kind = str(node.tag).rpartition(":")[2]
            if kind == "timestamp":
                return node.value
            large = kind == "int" and len(str(node.value)) > MOST_BITS
            said = TOO_LARGE if large else f"“{str(node.value)[:60]}” is no {kind}"
            raise ConstructorError(None, None, said, node.start_mark) from error


FOREIGN: Mapping[str, type[Any]] = {"set": CommentedSet, "binary": bytes, "pairs": list}
"""Values that YAML has and definitions have not, by the names of their tags."""

TOO_LARGE = "the number is larger than 64 bits can hold"


@dataclass
class Places:
    """Where each value of a document is written. `keys` and `values` by path; lines and columns count from 1.

    With no lines it is in no file: `file` then says what it is.
    """

    file: str
    lines: int
    values: dict[Path, tuple[int, int]] = field(default_factory=dict)
    keys: dict[Path, tuple[int, int]] = field(default_factory=dict)
    literals: set[Path] = field(default_factory=set)
    """Texts that are written as block literals: their lines are lines of the file."""
    inline: dict[Path, int] = field(default_factory=dict)
    """Texts that are written on one line just as they are, and the column of their first letter."""
    _other: dict[Path, Path] = field(default_factory=dict)

    def where(self, path: Path, *, key: bool = False) -> Where:
        """The place of a value (or of its key), or of the nearest that contains it."""
        if not self.lines:
            return Where(self.file, 0, 0)
        first = self.keys if key else self.values
        path = self._written(path)
        while True:
            for known in (first, self.values, self.keys):
                if path in known:
                    line, column = known[path]
                    return Where(self.file, max(1, min(line, self.lines)), max(1, column))
            if not path:
                return Where(self.file, 1, 1)
            path = path[:-1]

    def rename(self, path: Path, name: Path) -> None:
        """Know what is written at one path by another as well."""
        self._other[name] = path

    def _written(self, path: Path) -> Path:
        """The path as it is written, of one that goes by other names."""
        if self._other:
            for depth in range(len(path), 0, -1):
                other = self._other.get(path[:depth])
                if other is not None:
                    return self._written(other + path[depth:])
        return path

    def within(self, path: Path, line: int, column: int) -> Where:
        """The place of a line and column of a text: exact in block literals and within a line, else that of its key."""
        path = self._written(path)
        if path in self.inline:
            return Where(self.file, self.values[path][0], self.inline[path] + column - 1)
        if path not in self.literals:
            return self.where(path, key=True)
        begin, indent = self.values[path]
        return Where(self.file, min(begin + line, self.lines), indent + column)


def parse_documents(text: str, file: str) -> Iterator[tuple[Any, Places]]:
    """The documents of a YAML text, each as plain values with its places.

    Raises Refused with one problem where the text is not YAML, has a key twice, or is beyond the limits.
    """
    found = _STRANGE.search(text)
    if found:
        message = cannot_stand(f"U+{ord(found[0]):04X}")
        raise Refused([Problem("J002", _place(text, found.start(), file), message)])
    deep = _too_deep(text)
    if deep is not None:
        raise Refused([Problem("J007", _place(text, deep, file), "the document is nested too deeply")])
    written = text.split("\n")
    lines = len(written)
    reader = YAML(typ="rt", pure=True)
    reader.preserve_quotes = True
    reader.Constructor = _Constructor
    try:
        for document in reader.load_all(text):
            if document is None:
                continue
            places = Places(file, lines)
            yield _Plain(places, written).convert(document, ()), places
    except MarkedYAMLError as error:
        wrong = mistake(error, written)
        code = "J003" if isinstance(error, DuplicateKeyError) else "J002"
        if error.problem == TOO_LARGE:
            code, wrong = "J100", replace(wrong, message=TOO_LARGE, hint="")
        where = Where(file, min(wrong.line + 1, lines), wrong.column + 1)
        raise Refused([Problem(code, where, wrong.message, wrong.hint)]) from error
    except (
        YAMLError,
        ValueError,
        TypeError,
        AttributeError,
        KeyError,
        NotImplementedError,
        AssertionError,
    ) as error:
        raise Refused(
            [Problem("J002", Where(file), f"this is not YAML: {_first_line(str(error))}")]
        ) from error
    except RecursionError as error:
        raise Refused([Problem("J007", Where(file), "the document is nested too deeply")]) from error


def cannot_stand(sign: str) -> str:
    """What is said of a character like `U+0000`, wherever it stands in a definition."""
    return f"the character {sign} is not allowed in a definition"


def _place(text: str, index: int, file: str) -> Where:
    return Where(file, text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index))


def _too_deep(text: str) -> int | None:
    """Where brackets are nested so deeply that reading them would take forever; None where they are not."""
    depth = 0
    for found in _BRACKETS.finditer(text):
        depth = depth + 1 if found[0] in "[{" else max(0, depth - 1)
        if depth > 3 * DEEPEST:
            return found.start()
    return None


def _first_line(text: Any) -> str:
    return str(text).strip().split("\n")[0].strip()[:300]


class _Plain:
    """Turns ruamel's values into plain ones, and notes where they are."""

    def __init__(self, places: Places, lines: list[str]) -> None:
        self.places = places
        self.lines = lines
        self.count = 0

    def convert(self, value: Any, path: Path) -> Any:
        self.count += 1
        if len(path) > DEEPEST or self.count > MOST_VALUES:
            raise Refused(
                [Problem("J007", self.places.where(path), "the document is nested too deeply, or too large")]
            )
        if isinstance(value, CommentedMap):
            return self._mapping(value, path)
        if isinstance(value, CommentedSeq):
            return self._sequence(value, path)
        if isinstance(value, str) and (sign := strange(value)):
            raise Refused([Problem("J002", self.places.where(path), cannot_stand(sign))])
        if isinstance(value, int) and value.bit_length() > MOST_BITS:
            raise Refused([Problem("J100", self.places.where(path), TOO_LARGE)])
        if isinstance(value, float) and not isfinite(value):
            raise Refused([Problem("J100", self.places.where(path), f"a number was expected, not “{value}”")])
        if isinstance(value, tuple(FOREIGN.values())):
            kind = next(name for name, one in FOREIGN.items() if isinstance(value, one))
            message = f"`!!{kind}` cannot stand in a definition"
            raise Refused(
                [Problem("J002", self.places.where(path), message, "write a text, a list or a mapping")]
            )
        return self._scalar(value)

    def _mapping(self, value: CommentedMap, path: Path) -> dict[str, Any]:
        self.places.values.setdefault(path, (value.lc.line + 1, value.lc.col + 1))
        found = {}
        for key, part in value.items():
            if isinstance(key, int) and key.bit_length() > MOST_BITS:
                raise Refused(
                    [Problem("J100", self.places.where(path), "a key is larger than 64 bits can hold")]
                )
            spot = (value.lc.data or {}).get(key)
            if spot:
                self._unquoted(part, spot[2], spot[3])
                self._commented(part, spot[0], spot[1] + len(str(key)))
            if not isinstance(key, str | int | float | date):
                raise Refused([self._no_key(key, spot, path)])
            self._glued(key, part, spot)
            name = str(key)
            if sign := strange(name):
                raise Refused([Problem("J002", self.places.where(path), cannot_stand(sign))])
            below = (*path, name)
            # What is merged in (`<<`) has its place where it comes from.
            if spot:
                self.places.keys[below] = (spot[0] + 1, spot[1] + 1)
                self.places.values[below] = (spot[2] + 1, spot[3] + 1)
                self._literal(part, below, spot[2])
                self._inline(part, below, spot[2], spot[3])
            found[name] = self.convert(part, below)
        return found

    def _sequence(self, value: CommentedSeq, path: Path) -> list[Any]:
        self.places.values.setdefault(path, (value.lc.line + 1, value.lc.col + 1))
        found = []
        for place, part in enumerate(value):
            below = (*path, place)
            line, column = value.lc.data[place][:2]
            self._unquoted(part, line, column)
            self._commented(part, line, column)
            self.places.values[below] = (line + 1, column + 1)
            self._inline(part, below, line, column)
            found.append(self.convert(part, below))
        return found

    def _unquoted(self, part: Any, line: int, column: int) -> None:
        """Refuse a text without quotes that YAML takes for something else: a mapping, an anchor, a tag."""
        text = self.lines[line][column:] if line < len(self.lines) else ""
        whole = isinstance(part, CommentedMap | CommentedSeq)
        if not whole and loses_a_word(text, self.lines):
            said = in_quotes(text[0])
        else:
            said = "" if isinstance(part, str) and part else begins_wrongly(text)
            tagged = isinstance(part, TaggedScalar) and not text.startswith("!!")
            if not (text.startswith("{") or part in (None, "") or tagged):
                return
        if said:
            raise Refused([Problem("J002", Where(self.places.file, line + 1, column + 1), said, QUOTE)])

    def _commented(self, part: Any, line: int, column: int) -> None:
        """Refuse nothing where a comment stands that may be meant as a text."""
        found = comment(self.lines[line], column) if part is None and line < len(self.lines) else None
        if found is not None:
            where = Where(self.places.file, line + 1, found + 1)
            raise Refused([Problem("J002", where, "“#” begins a comment, so nothing stands here", QUOTE)])

    def _glued(self, key: Any, part: Any, spot: Any) -> None:
        """Refuse a key that was meant to be an item, or a key and its value: `– {type: x}`, `{type:message}`."""
        if not spot or not isinstance(key, str):
            return
        found = in_disguise(key)
        where = Where(self.places.file, spot[0] + 1, spot[1] + 1)
        if found is not None:
            raise Refused(
                [Problem("J002", where, found[1], "write a dash or a space as they are on a keyboard")]
            )
        if part is None and _GLUED.match(key):
            said = f"“{key[:60]}” has no space after its colon"
            raise Refused([Problem("J002", where, said, "write a space after the colon")])

    def _no_key(self, key: Any, spot: Any, path: Path) -> Problem:
        where = Where(self.places.file, spot[0] + 1, spot[1] + 1) if spot else self.places.where(path)
        said = "nothing" if key is None else "a mapping or a list"
        return Problem("J002", where, f"a key is a text, and {said} stands here", QUOTE)

    def _literal(self, part: Any, path: Path, line: int) -> None:
        """A block literal begins on the line after its indicator, at the indent of its first line with text."""
        if not isinstance(part, LiteralScalarString):
            return
        for number in range(line + 1, len(self.lines)):
            text = self.lines[number]
            if text.strip():
                self.places.literals.add(path)
                self.places.values[path] = (line + 1, len(text) - len(text.lstrip()))
                return

    def _inline(self, part: Any, path: Path, line: int, column: int) -> None:
        """A text on one line, plain or in quotes, without anything that is written otherwise than it is meant."""
        if not isinstance(part, str) or "\n" in part or line >= len(self.lines):
            return
        for begin in (column, column + 1):
            if self.lines[line].startswith(part, begin):
                self.places.inline[path] = begin + 1
                return

    @staticmethod
    def _scalar(value: Any) -> Any:
        if isinstance(value, bool) or value is None:
            return value
        if isinstance(value, ScalarString):
            return str(value)
        if isinstance(value, str):  # plain: a YAML 1.1 reader takes 18:00 for 1080
            hours, _, minutes = value.partition(":")
            return int(hours) * 60 + int(minutes) if _SEXAGESIMAL.match(value) else str(value)
        if isinstance(value, int):
            return int(value)
        if isinstance(value, float):
            return float(value)
        if isinstance(value, datetime):
            return datetime.fromisoformat(value.isoformat())
        if isinstance(value, date):
            return date(value.year, value.month, value.day)
        return str(value)
