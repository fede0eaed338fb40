"""Reads definitions from YAML and writes them: all problems of a file at once, each with its line and column."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString

from journeys.canvas.definition_kinds import FORMAT, KINDS, LATER_KINDS, LIQUID, kind_of
from journeys.canvas.frozen_model import texts
from journeys.canvas.incomplete_canvas import read_incomplete
from journeys.canvas.look_alikes import look_alikes
from journeys.canvas.problems import CURLY, Problem, Refused, Where, foreign_character, meant, misspelt, shown
from journeys.canvas.shape_problems import shape_problems
from journeys.canvas.source_positions import LARGEST, Places, parse_documents

HEADER = "# yaml-language-server: $schema={}\n"


@dataclass(frozen=True)
class Unreadable:
    """Stands for a definition whose shape is wrong, where others name it. What is Liquid in it can be read."""

    kind: str
    body: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Its name, if it says one."""
        name = self.body.get("name")
        return name if isinstance(name, str) else ""

    @property
    def channel(self) -> str | None:
        """The channel of a template."""
        channel = self.body.get("channel")
        return channel if isinstance(channel, str) else None

    def sources(self) -> Mapping[tuple[str | int, ...], str]:
        """The Liquid that it has, by the place at which it is written."""
        return texts({name: self.body.get(name) for name in LIQUID.get(self.kind, ())}, ())


@dataclass(frozen=True)
class Definition:
    """One definition that was read: its kind, its value, and where its parts are written.

    One whose shape is wrong is not `whole`: a canvas as far as it can be read, of other kinds no more than its name.
    """

    kind: str
    value: Any
    places: Places
    whole: bool = True

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.value.name)


@dataclass
class Definitions:
    """What was read from a folder: definitions by kind and name, and all problems."""

    canvases: dict[str, Definition] = field(default_factory=dict)
    segments: dict[str, Definition] = field(default_factory=dict)
    templates: dict[str, Definition] = field(default_factory=dict)
    content_blocks: dict[str, Definition] = field(default_factory=dict)
    catalogs: dict[str, Definition] = field(default_factory=dict)
    subscription_groups: dict[str, Definition] = field(default_factory=dict)
    workspaces: dict[str, Definition] = field(default_factory=dict)
    broken: list[Definition] = field(default_factory=list)
    """Those whose shape is wrong: they are checked as far as that goes, and cannot be used."""
    problems: list[Problem] = field(default_factory=list)
    promotions: frozenset[str] | None = None
    """The names of the promotion lists, which are in no file; None where they are not known."""

    def of(self, kind: str) -> dict[str, Definition]:
        """The definitions of one kind."""
        return {
            "canvas": self.canvases,
            "segment": self.segments,
            "template": self.templates,
            "content_block": self.content_blocks,
            "catalog": self.catalogs,
            "subscription_group": self.subscription_groups,
            "workspace": self.workspaces,
        }[kind]

    def add(self, definition: Definition) -> None:
        """Take a definition in; a second one of the same name is a problem."""
        if not definition.whole:
            self.broken.append(definition)
            return
        known = self.of(definition.kind)
        if definition.name in known:
            where = definition.places.where(("name",))
            first = known[definition.name].places.file
            self.problems.append(
                Problem(
                    "J306",
                    where,
                    f"the {definition.kind.replace('_', ' ')} “{definition.name}” is already defined in {first}",
                )
            )
            return
        known[definition.name] = definition

    def named(self, kind: str) -> frozenset[str]:
        """The names of all definitions of a kind, broken ones too."""
        return frozenset(self.of(kind)) | {one.name for one in self.broken if one.kind == kind}

    def drafts(self) -> Iterable[Definition]:
        """All canvases, broken ones too."""
        return [*self.canvases.values(), *(one for one in self.broken if one.kind == "canvas")]

    def all(self) -> Iterable[Definition]:
        """All of them."""
        return [one for kind in KINDS for one in self.of(kind).values()]


def read_text(text: str, file: str = "<text>") -> tuple[list[Definition], list[Problem]]:
    """The definitions of a YAML text, broken ones too, and what is wrong with the shape of these."""
    definitions: list[Definition] = []
    problems: list[Problem] = []
    try:
        empty = True
        for data, places in parse_documents(text, file):
            empty = False
            found, wrongs = _read_document(data, places)
            told = {problem.where for problem in wrongs}
            curly = {one.where: one for one in _curly(data, places)}
            problems.extend(_in_curly_quotes(one, curly) for one in wrongs)
            suspect = [*curly.values(), *look_alikes(data, places)]
            problems.extend(one for one in suspect if one.where not in told)
            if found is not None:
                definitions.append(found)
        if empty:
            problems.append(Problem("J004", Where(file), "the file is empty", "begin with kind: canvas"))
    except Refused as refused:
        problems.extend(refused.problems)
    return definitions, problems


def read_file(path: FilePath) -> tuple[list[Definition], list[Problem]]:
    """The definitions of a YAML file. Problems instead of exceptions."""
    try:
        return read_text(source(path), str(path))
    except Refused as refused:
        return [], refused.problems


def source(path: FilePath) -> str:
    """The text of a file. Raises Refused where it is no regular file, too large, or not UTF-8."""
    try:
        if path.exists() and not path.is_file():
            raise Refused([Problem("J001", Where(str(path)), "this is not a regular file")])
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
        if len(raw) > LARGEST:
            message = f"the file is larger than {LARGEST // 2**20} MB"
            raise Refused([Problem("J001", Where(str(path)), message)])
        return raw.decode("utf-8-sig")
    except OSError as error:
        message = f"the file cannot be read: {error.strerror}"
        raise Refused([Problem("J001", Where(str(path)), message)]) from error
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        problem = Problem("J001", Where(str(path), line), "the file is not UTF-8", "save it as UTF-8")
        raise Refused([problem]) from error


def _read_document(data: Any, places: Places) -> tuple[Definition | None, list[Problem]]:
    if not isinstance(data, dict):
        return None, [Problem("J007", places.where(()), "a definition is a mapping of keys to values")]
    body = {name: value for name, value in data.items() if name not in ("kind", "format")}
    kind = data.get("kind")
    problems = []
    for name in ("kind", "format"):
        written = misspelt(name, body) if name not in data else None
        if written is not None:
            hint = f"did you mean “{name}”?{foreign_character(written)}"
            where = places.where((written,), key=True)
            return None, [Problem("J101", where, f"there is no key “{written}” here", hint)]
    if "format" not in data:
        problems.append(
            Problem("J005", places.where(()), "the definition has no format", f"write format: {FORMAT}")
        )
    elif data["format"] != FORMAT or isinstance(data["format"], bool):
        message = f"this version cannot read the format {shown(data['format'])}"
        problems.append(Problem("J005", places.where(("format",)), message, f"write format: {FORMAT}"))
    if kind is None:
        hint = f"write kind: {' | '.join(KINDS)}"
        return None, [*problems, Problem("J004", places.where(()), "the definition has no kind", hint)]
    if not isinstance(kind, str) or kind not in KINDS:
        if kind in LATER_KINDS:
            return None, [
                *problems,
                Problem("J108", places.where(("kind",)), f"`kind: {kind}` is not supported yet"),
            ]
        problem = Problem(
            "J004", places.where(("kind",)), f"there is no kind {shown(kind)}", meant(str(kind), KINDS)
        )
        return None, [*problems, problem]
    try:
        return Definition(kind, KINDS[kind].validate_python(body), places, whole=not problems), problems
    except ValidationError as error:
        if kind == "canvas":
            value, wrong = read_incomplete(body, places)
            return Definition(kind, value, places, whole=False), problems + wrong
        wrong = shape_problems(error, kind, body, places)
        return Definition(kind, Unreadable(kind, body), places, whole=False), problems + wrong


def _curly(data: Any, places: Places) -> Iterator[Problem]:
    """J914: texts that stand in quotes of print as a whole."""
    for path, text in texts(data, ()).items():
        if len(text) > 2 and text[0] in CURLY and text[-1] in CURLY:
            message = f"the quotes {text[0]} and {text[-1]} are part of the text"
            yield Problem("J914", places.where(path), message, 'write it in straight quotes: "…"')


def _in_curly_quotes(problem: Problem, curly: Mapping[Where, Problem]) -> Problem:
    """A problem of a value that stands in quotes of print is one of the quotes."""
    found = curly.get(problem.where)
    return problem if found is None else replace(problem, hint=f"{problem.hint}; {found.message}")


# Writing --------------------------------------------------------------------------------------------------------


def write(value: Any, *, schema: str | None = None) -> str:
    """A definition as YAML that reads back to the same value. `schema`: what editors check it against."""
    body = {"kind": kind_of(value), "format": FORMAT, **value.model_dump(mode="json", exclude_defaults=True)}
    if kind_of(value) == "template":
        body["channel"] = value.channel
    stream = io.StringIO()
    writer = YAML()
    writer.width = 110
    writer.indent(mapping=2, sequence=4, offset=2)
    writer.dump(_quoted(body), stream)
    return (HEADER.format(schema) if schema else "") + stream.getvalue()


def _quoted(value: Any) -> Any:
    """Texts that another reader might take for something else are quoted; long ones become block literals."""
    if isinstance(value, dict):
        return {name: _quoted(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_quoted(part) for part in value]
    if isinstance(value, str):
        if "\n" in value and value == value.strip(" ") and not any(ord(c) < 32 and c != "\n" for c in value):
            return (
                LiteralScalarString(value)
                if "\r" not in value and "\x85" not in value and not value.startswith(("\n", " "))
                else DoubleQuotedScalarString(value)
            )
        if (
            not value.replace("_", "").replace("-", "").replace("/", "").isalnum()
            or not value[0].isalpha()
            or value.lower() in ("yes", "no", "on", "off", "true", "false", "null", "y", "n")
        ):
            return DoubleQuotedScalarString(value)
    return value
