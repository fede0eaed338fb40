"""YAML into definitions and back: every problem with its file, line and column, all of a file at once."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString

from journeys.canvas.canvas import Canvas, Conversion, Exit, Reentry, Schedule, Sending, Variant
from journeys.canvas.catalogs import Catalog, CatalogField, Selection, SelectionFilter
from journeys.canvas.content_blocks import ContentBlock
from journeys.canvas.filters import _FILTERS, _TRIGGERS, PropertyFilter, Times
from journeys.canvas.kinds import (
    FORMAT,
    KINDS,
    LATER_KINDS,
    TEMPLATES,
    Segment,
    Sender,
    WorkspaceSettings,
    kind_of,
)
from journeys.canvas.places import LARGEST, Path, Places, parse_documents
from journeys.canvas.problems import Problem, Refused, Where, meant
from journeys.canvas.steps import (
    STEP_TYPES,
    ActionPath,
    AudiencePath,
    ExperimentControl,
    ExperimentPath,
    LoggedEvent,
    Variable,
)

HEADER = "# yaml-language-server: $schema={}\n"


@dataclass(frozen=True)
class Definition:
    """One definition that was read: its kind, its value, and where its parts are written (Python files: nowhere)."""

    kind: str
    value: Any
    places: Places

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
    workspaces: dict[str, Definition] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def of(self, kind: str) -> dict[str, Definition]:
        """The definitions of one kind."""
        return {
            "canvas": self.canvases,
            "segment": self.segments,
            "template": self.templates,
            "content_block": self.content_blocks,
            "catalog": self.catalogs,
            "workspace": self.workspaces,
        }[kind]

    def add(self, definition: Definition) -> None:
        """Take a definition in; a second one of the same name is a problem."""
        known = self.of(definition.kind)
        if definition.name in known:
            where = definition.places.where(("name",))
            first = known[definition.name].places.file
            self.problems.append(
                Problem("J306", where, f"there is another {definition.kind} “{definition.name}”, in {first}")
            )
            return
        known[definition.name] = definition

    def all(self) -> Iterable[Definition]:
        """All of them."""
        return [one for kind in KINDS for one in self.of(kind).values()]


def read_text(text: str, file: str = "<text>") -> tuple[list[Definition], list[Problem]]:
    """The definitions of a YAML text, and what is wrong with the others."""
    definitions: list[Definition] = []
    problems: list[Problem] = []
    try:
        empty = True
        for data, places in parse_documents(text, file):
            empty = False
            found, wrongs = _read_document(data, places)
            problems.extend(wrongs)
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
        raw = path.read_bytes()
        if len(raw) > LARGEST:
            return [], [Problem("J001", Where(str(path)), f"the file is larger than {LARGEST // 2**20} MB")]
        return read_text(raw.decode("utf-8-sig"), str(path))
    except OSError as error:
        return [], [Problem("J001", Where(str(path)), f"the file cannot be read: {error.strerror}")]
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        return [], [Problem("J001", Where(str(path), line), "the file is not UTF-8", "save it as UTF-8")]


def _read_document(data: Any, places: Places) -> tuple[Definition | None, list[Problem]]:
    if not isinstance(data, dict):
        return None, [Problem("J007", places.where(()), "a definition is a mapping of keys to values")]
    body = {name: value for name, value in data.items() if name not in ("kind", "format")}
    kind = data.get("kind")
    problems = []
    if "format" not in data:
        problems.append(
            Problem("J005", places.where(()), "the definition says no format", f"write format: {FORMAT}")
        )
    elif data["format"] != FORMAT or isinstance(data["format"], bool):
        message = f"the format “{data['format']}” cannot be read by this version"
        problems.append(Problem("J005", places.where(("format",)), message, f"write format: {FORMAT}"))
    if kind is None:
        hint = f"write kind: {' | '.join(KINDS)}"
        return None, [*problems, Problem("J004", places.where(()), "the definition says no kind", hint)]
    if not isinstance(kind, str) or kind not in KINDS:
        if kind in LATER_KINDS:
            return None, [
                *problems,
                Problem("J108", places.where(("kind",)), f"`kind: {kind}` comes with a later version"),
            ]
        problem = Problem(
            "J004", places.where(("kind",)), f"there is no kind “{kind}”", meant(str(kind), KINDS)
        )
        return None, [*problems, problem]
    try:
        value = KINDS[kind].validate_python(body)
    except ValidationError as error:
        return None, problems + shape_problems(error, kind, body, places)
    return (None if problems else Definition(kind, value, places)), problems


# Shape problems ------------------------------------------------------------------------------------------------


def shape_problems(error: ValidationError, kind: str, data: Any, places: Places) -> list[Problem]:
    """What pydantic found, in our words, each at its place."""
    problems = []
    details = error.errors(include_url=False)
    for detail in details:
        if detail["type"] == "too_short" and any(_within(other["loc"], detail["loc"]) for other in details):
            continue  # its elements are there, and wrong
        path, rest = _path(data, detail["loc"])
        problems.append(_problem(detail, kind, data, path, rest, places))
    unique = {(problem.code, problem.where, problem.message): problem for problem in problems}
    return sorted(unique.values(), key=lambda problem: problem.where)


def _within(inner: tuple[str | int, ...], outer: tuple[str | int, ...]) -> bool:
    return len(inner) > len(outer) and inner[: len(outer)] == outer


def _path(data: Any, loc: tuple[str | int, ...]) -> tuple[Path, tuple[str | int, ...]]:
    """The path in the data that a location means (it names union members too), and what is not there."""
    path: Path = ()
    node = data
    rest: tuple[str | int, ...] = ()
    for place, part in enumerate(loc):
        onward = loc[place + 1] if place + 1 < len(loc) else None
        if (
            isinstance(node, Mapping)
            and part in node
            and _leads(node[part], onward)
            and not _is_tag(path, part, onward)
        ):
            node, path, rest = node[part], (*path, part), ()
            continue
        if isinstance(node, list) and isinstance(part, int) and part < len(node):
            node, path, rest = node[part], (*path, part), ()
            continue
        rest = (*rest, part)
    return path, rest


FILTERED = ("when", "audience", "only_when", "all", "any", "none", "triggers")
"""Under these keys stand filters and triggers: what is wrong with one as a whole names its subject last."""


def _is_tag(path: Path, part: str | int, onward: str | int | None) -> bool:
    name = next((each for each in reversed(path) if isinstance(each, str)), "")
    return onward is None and name in FILTERED and part in _FILTERS


def _leads(value: Any, onward: str | int | None) -> bool:
    """Whether a location can go on into this value; if not, its part was the name of a union's member."""
    if onward is None:
        return True
    return isinstance(value, Mapping) or (isinstance(value, list) and isinstance(onward, int))


def _problem(
    detail: Any, kind: str, data: Any, path: Path, rest: tuple[str | int, ...], places: Places
) -> Problem:
    sort, where = detail["type"], places.where(path)
    context = detail.get("ctx", {})
    last = str(path[-1]) if path else kind
    if sort.startswith("J"):
        return Problem(sort, where, context.get("message", detail["msg"]), context.get("hint", ""))
    if sort == "extra_forbidden":
        known = _known_keys(kind, data, path[:-1])
        return Problem(
            "J101", places.where(path, key=True), f"there is no key “{last}” here", meant(last, known)
        )
    if sort == "missing":
        name = str(rest[-1]) if rest else last
        return Problem("J102", where, f"the key “{name}” is missing")
    if sort in ("literal_error", "enum"):
        words = [
            word.strip(" '") for word in str(context.get("expected", "")).replace(" or ", ", ").split(",")
        ]
        return Problem(
            "J103",
            where,
            f"“{_shown(detail['input'])}” is not allowed for “{last}”",
            meant(str(detail["input"]), words),
        )
    if sort == "string_pattern_mismatch":
        message = f"“{_shown(detail['input'])}” is not written as a {last} is"
        return Problem("J110", where, message, "letters, digits, - and _, a letter first")
    if sort in ("too_long", "too_short"):
        bound = context.get("max_length", context.get("min_length"))
        most = "at most" if sort == "too_long" else "at least"
        return Problem(
            "J404", where, f"“{last}” has {context.get('actual_length')} elements; {most} {bound} are allowed"
        )
    return Problem("J100", where, f"“{last}”: {_plain(sort, context, detail)}")


WANTED = {
    "string_type": "a text was expected",
    "int_type": "a whole number was expected",
    "int_parsing": "a whole number was expected",
    "int_from_float": "a whole number was expected",
    "float_type": "a number was expected",
    "float_parsing": "a number was expected",
    "bool_type": "true or false was expected",
    "bool_parsing": "true or false was expected",
    "tuple_type": "a list was expected",
    "list_type": "a list was expected",
    "dict_type": "a mapping of keys to values was expected",
    "model_type": "a mapping of keys to values was expected",
    "model_attributes_type": "a mapping of keys to values was expected",
    "none_required": "it must be left out",
    "string_too_short": "a text was expected that is not empty",
    "string_too_long": "the text is too long",
}


def _plain(sort: str, context: Mapping[str, Any], detail: Any) -> str:
    if sort in WANTED:
        said = _shown(detail["input"])
        return (
            f"{WANTED[sort]}, not “{said}”"
            if sort not in ("string_too_short", "string_too_long")
            else WANTED[sort]
        )
    bounds = {"greater_than_equal": "ge", "less_than_equal": "le", "greater_than": "gt", "less_than": "lt"}
    if sort in bounds:
        word = {"ge": "at least", "le": "at most", "gt": "more than", "lt": "less than"}[bounds[sort]]
        return f"it must be {word} {context[bounds[sort]]}"
    return str(detail["msg"])


def _shown(value: Any) -> str:
    return str(value)[:60]


OWNERS: Mapping[str, Any] = {
    "schedule": Schedule, "exits": Exit, "conversions": Conversion, "send": Sending, "variants": Variant,
    "set": Variable, "events": LoggedEvent, "times": Times, "where": PropertyFilter, "reentry": Reentry,
    "control": ExperimentControl, "sender": Sender, "fields": CatalogField, "selections": Selection,
    "filters": SelectionFilter,
}  # fmt: skip
PATHS: Mapping[str, Any] = {
    "action_paths": ActionPath,
    "audience_paths": AudiencePath,
    "experiment_paths": ExperimentPath,
}
ROOTS: Mapping[str, Any] = {
    "canvas": Canvas, "segment": Segment, "content_block": ContentBlock, "catalog": Catalog,
    "workspace": WorkspaceSettings,
}  # fmt: skip


def _known_keys(kind: str, data: Any, path: Path) -> Iterable[str]:
    """The keys that the mapping at this path may have."""
    node, parents = data, []
    for part in path:
        parents.append(node)
        node = node[part]
    name = next((str(part) for part in reversed(path) if isinstance(part, str)), "")
    if not path:
        if kind == "template":
            return (
                [*TEMPLATES[data["channel"]].model_fields, "kind", "format"]
                if data.get("channel") in TEMPLATES
                else []
            )
        return [*ROOTS[kind].model_fields, "kind", "format"]
    if isinstance(node, Mapping):
        if node.get("type") in STEP_TYPES and name != "set":
            return list(STEP_TYPES[node["type"]].model_fields)
        if name == "paths":
            owner = next(
                (one for one in reversed(parents) if isinstance(one, Mapping) and one.get("type") in PATHS),
                None,
            )
            return list(PATHS[str(owner["type"])].model_fields) if owner else []
        if name in OWNERS:
            return list(OWNERS[name].model_fields)
        subjects: Mapping[str, type[Any]] = _TRIGGERS if name == "triggers" else _FILTERS
        for subject, model in subjects.items():
            if subject in node:
                return list(model.model_fields)
    return []


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
