"""Loads definitions from Python: runs a file by its path, and finds the line of each value in its text."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path as FilePath
from types import TracebackType
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticCustomError

from journeys.canvas.canvas import Canvas
from journeys.canvas.catalogs import Catalog
from journeys.canvas.content_blocks import ContentBlock
from journeys.canvas.definition_kinds import (
    ChannelTemplate,
    EmailTemplate,
    Segment,
    WebhookTemplate,
    WorkspaceSettings,
    kind_of,
)
from journeys.canvas.look_alikes import look_alikes
from journeys.canvas.modules_beside import importable, modules_of
from journeys.canvas.problems import CODES, Problem, Refused, Where
from journeys.canvas.shape_problems import shape_problems
from journeys.canvas.source_positions import MOST_BITS, TOO_LARGE, Path, Places, cannot_stand
from journeys.canvas.storable_characters import strange
from journeys.canvas.subscription_groups import SubscriptionGroup
from journeys.canvas.yaml_definitions import Definition, source

VALUES = (
    Canvas,
    Segment,
    EmailTemplate,
    WebhookTemplate,
    ChannelTemplate,
    ContentBlock,
    Catalog,
    SubscriptionGroup,
    WorkspaceSettings,
)
_WORDS = re.compile(r"^(?:from|import)[ \t]+journeys(?:\.canvas[\w.]*)?(?![\w.])", re.MULTILINE)
_NEWLINE = re.compile(r"\r\n|\r|\n")
_OTHERS = re.compile(r"(?:setup|conftest|test_.*|.*_test)\.py")
"""Files that are no definitions, whatever they import."""
NOTHING = "the file has no definition at its top level"
FLAT = "modules of the folder are imported by their names: from audiences import paying"
NAME_IT = "such as welcome = Canvas(…), or a list of them; a module that other files of the folder import needs none"


def looks_like_definitions(path: FilePath) -> bool:
    """Whether a Python file imports the words of the language, and is not a test: other files are ordinary programs and are not run."""
    if _OTHERS.fullmatch(path.name):
        return False
    try:
        text = source(path)
        return _WORDS.search(text) is not None and _imports_words(text)
    except Refused:
        return False


def _imports_words(text: str) -> bool:
    """Whether the program does so itself, and not a text within it. What is no program is not run, but told of."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True
    return any(
        (isinstance(node, ast.Import | ast.ImportFrom) and _WORDS.match(ast.unparse(node)) is not None)
        or (isinstance(node, ast.Import) and any(_WORDS.match(f"import {each.name}") for each in node.names))
        for node in tree.body
    )


@dataclass(frozen=True)
class Ran:
    """What came of running a file: definitions or problems, and the files of its folder that it imported.

    `nothing` is the problem of a file that has no definition, and that is none where others import the file.
    """

    definitions: list[Definition] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    imported: frozenset[FilePath] = frozenset()
    nothing: Problem | None = None


def read_python(path: FilePath, folder: FilePath | None = None) -> Ran:
    """The definitions at the top level of a Python file, also within lists, tuples and mappings there.

    The file is run, by its path, under a name of its own. It may import modules of its folder, and of the `folder` that was
    named; what it imports of them is not its own. Problems instead of exceptions, but for KeyboardInterrupt.
    """
    file = str(path)
    try:
        text = source(path)
        tree = ast.parse(text, file)
        code = compile(tree, file, "exec")
    except Refused as refused:
        return Ran(problems=refused.problems)
    except SyntaxError as error:
        where = Where(file, error.lineno or 1, error.offset or 1)
        return Ran(problems=[Problem("J006", where, f"this is not Python: {error.msg}")])
    except (ValueError, RecursionError, MemoryError) as error:
        return Ran(problems=[Problem("J006", Where(file), f"this is not Python: {_said(error)}")])
    written = _Written(file, text, tree)
    name = f"journeys_definitions_{blake2b(str(path.resolve()).encode(), digest_size=6).hexdigest()}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    folders = sorted({path.resolve().parent, (folder or path.parent).resolve()})
    sys.modules[name] = module
    try:
        with importable(folders):
            exec(code, module.__dict__)  # noqa: S102 - what a definition in Python is
            beside = [each for each in modules_of(folders).values() if each is not module]
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - the file is any program, which may exit too
        return Ran(problems=_problems(error, written))
    finally:
        sys.modules.pop(name, None)
    imported = frozenset(FilePath(each.__file__).resolve() for each in beside if each.__file__)
    values = _top_level(module)
    if not values:
        return Ran(imported=imported, nothing=Problem("J006", Where(file), NOTHING, NAME_IT))
    others = {id(value) for each in beside for _, value in _values(each)}
    found = [
        Definition(kind_of(value), value, written.places(*where))
        for where, value in values
        if id(value) not in others
    ]
    problems = [
        Problem("J002", each.places.where(()), cannot_stand(sign))
        for each in found
        if (sign := strange(each.value.model_dump()))
    ]
    problems += [
        Problem("J100", each.places.where(()), TOO_LARGE)
        for each in found
        if _too_large(each.value.model_dump())
    ]
    if problems:
        return Ran(problems=problems)
    alike = [each for one in found for each in look_alikes(one.value.model_dump(mode="json"), one.places)]
    return Ran(found, problems=alike, imported=imported)


def _too_large(value: Any) -> bool:
    """Whether there is an integer in it that 64 bits cannot hold."""
    if isinstance(value, Mapping):
        return any(_too_large(each) for each in value.values())
    if isinstance(value, list | tuple):
        return any(_too_large(each) for each in value)
    return isinstance(value, int) and value.bit_length() > MOST_BITS


def _top_level(module: Any) -> list[tuple[tuple[str, int | None], Any]]:
    """Each definition once, with the name that it was given last and its number in a list of that name."""
    last = {id(value): (where, value) for where, value in _values(module)}
    return list(last.values())


def _values(module: Any) -> Iterator[tuple[tuple[str, int | None], Any]]:
    """The definitions of a module; what has a name of its own comes after what is in a list."""
    named = [(name, value) for name, value in vars(module).items() if not name.startswith("_")]
    for name, value in named:
        if isinstance(value, list | tuple | dict):
            several = value.values() if isinstance(value, dict) else value
            yield from (((name, no), each) for no, each in enumerate(several) if isinstance(each, VALUES))
    yield from (((name, None), value) for name, value in named if isinstance(value, VALUES))


def _problems(error: BaseException, written: _Written) -> list[Problem]:
    """What failed, at the line of the file that called it."""
    where, call = written.called(error)
    if isinstance(error, PydanticCustomError) and error.type in CODES:
        context = error.context or {}
        return [Problem(error.type, where, context.get("message", _said(error)), context.get("hint", ""))]
    made = _made(error.__traceback__) if isinstance(error, ValidationError) else None
    if isinstance(error, ValidationError) and made is not None:
        model, values = made
        return shape_problems(error, model, values, written.places_of(call, where))
    hint = FLAT if isinstance(error, ImportError) and "relative import" in str(error) else ""
    return [Problem("J006", where, f"the file failed: {type(error).__name__}: {_said(error)}", hint)]


def _made(trace: TracebackType | None) -> tuple[Any, Mapping[str, Any]] | None:
    """The model that was to be made, and of what."""
    made = None
    while trace is not None:
        values = trace.tb_frame.f_locals
        if isinstance(values.get("self"), BaseModel) and isinstance(values.get("data"), dict):
            made = type(values["self"]), values["data"]
        trace = trace.tb_next
    return made


def _said(error: BaseException) -> str:
    return str(error).strip().split("\n")[0][:300]


def _element(node: ast.AST | None, number: int) -> ast.AST | None:
    """The expression of one value in a list, a tuple or a mapping; of a comprehension the one that makes them all."""
    if isinstance(node, ast.ListComp):
        return node.elt
    if isinstance(node, ast.DictComp):
        return node.value
    several = {ast.List: "elts", ast.Tuple: "elts", ast.Dict: "values"}.get(type(node))
    inner = getattr(node, several) if several else []
    plain = not any(
        each is None or isinstance(each, ast.Starred) for each in [*inner, *getattr(node, "keys", [])]
    )
    return inner[number] if plain and number < len(inner) else node


class _Written:
    """A Python file: its text, and what it says where."""

    def __init__(self, file: str, text: str, tree: ast.Module) -> None:
        self._file, self._lines, self._tree = file, _NEWLINE.split(text), tree
        self._named = {
            target.id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }

    def places(self, name: str, number: int | None = None) -> Places:
        """The places of the value that is given this name at the top level, or of one in the list of that name."""
        node: ast.AST | None = self._named.get(name)
        if number is not None:
            node = _element(node, number)
        return self.places_of(node, Where(self._file) if node is None else self._where(node))

    def places_of(self, node: ast.AST | None, where: Where) -> Places:
        """The places within an expression; where it cannot be seen, all of it is at one place."""
        places = Places(self._file, len(self._lines))
        places.values[()] = where.line, where.column
        if node is not None:
            self._note(node, (), places)
        return places

    def called(self, error: BaseException) -> tuple[Where, ast.Call | None]:
        """The last call of this file that led to an error."""
        frames = [each for each in traceback.extract_tb(error.__traceback__) if each.filename == self._file]
        last = frames[-1]
        spot = last.lineno, last.colno, last.end_lineno, last.end_colno
        calls = (node for node in ast.walk(self._tree) if isinstance(node, ast.Call))
        call = next(
            (
                each
                for each in calls
                if spot == (each.lineno, each.col_offset, each.end_lineno, each.end_col_offset)
            ),
            None,
        )
        return self._at(last.lineno or 1, last.colno or 0), call

    def _where(self, node: Any) -> Where:
        return self._at(node.lineno, node.col_offset)

    def _at(self, line: int, offset: int) -> Where:
        before = self._lines[line - 1].encode()[:offset]
        return Where(self._file, line, len(before.decode()) + 1)

    def _note(self, node: ast.AST, path: Path, places: Places) -> None:
        if (
            isinstance(node, ast.Name) and node.id in self._named and len(path) < 20
        ):  # a name may stand for itself
            node = self._named[node.id]
        if path:
            where = self._where(node)
            places.values[path] = where.line, where.column
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                self._inline(node.value, where, path, places)
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                if keyword.arg is not None:
                    where = self._where(keyword)
                    places.keys[*path, keyword.arg] = where.line, where.column
                    self._note(keyword.value, (*path, keyword.arg), places)
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    where = self._where(key)
                    places.keys[*path, key.value] = where.line, where.column
                    self._note(value, (*path, key.value), places)
        elif isinstance(node, ast.List | ast.Tuple):
            for number, each in enumerate(node.elts):
                self._note(each, (*path, number), places)

    def _inline(self, value: str, where: Where, path: Path, places: Places) -> None:
        """A text in plain quotes that says nothing otherwise than it is meant."""
        if value and self._lines[where.line - 1].startswith(value, where.column):
            places.inline[path] = where.column + 1
