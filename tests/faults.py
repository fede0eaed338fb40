"""Small faults in a place of the package, one at a time."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.places import Place
from tests.spoiling import changes, further, is_none, unseen

UNMEANT = ("log", "logger", "LOG", "warnings")
"""Whose calls nobody promises anything of."""


@dataclass(frozen=True)
class Fault:
    """One change at one node of a file's tree. `body`: the outermost function within whose body it is."""

    place: Place
    line: int
    node: int
    change: Callable[[ast.AST], object]
    statement: tuple[int, int]
    body: ast.FunctionDef | ast.AsyncFunctionDef | None = None

    def made(self, source: str) -> tuple[str, ast.Module]:
        """What was changed, and the tree that the file comes to."""
        mutant = ast.parse(source)
        what = self.change(list(ast.walk(mutant))[self.node])
        return str(what), ast.fix_missing_locations(mutant)


@dataclass(frozen=True)
class SchemaFault:
    """One change in a line of the database's schema. See `Fault`."""

    place: Place
    line: int
    pattern: str
    other: str
    body: None = None

    @property
    def statement(self) -> tuple[int, int]:
        return self.line, self.line

    def made(self, source: str) -> tuple[str, str]:
        """What was changed, and the changed text."""
        lines = source.split("\n")
        what = lines[self.line - 1].strip()
        lines[self.line - 1] = re.sub(self.pattern, self.other, lines[self.line - 1], flags=re.IGNORECASE)
        return f"“{what[:60]}” without its promise", "\n".join(lines)


PROMISES = {
    r"\bunique index\b": "index",
    r"\bunique \([^)]*\)": "check (true)",
    r"\bprimary key \([^)]*\)": "check (true)",
}
"""What the schema says of rows, and what says nothing."""


def schema_faults(source: str, place: Place) -> Iterator[SchemaFault]:
    """All that can be done to a line of the schema."""
    for line in range(place.first, place.last + 1):
        for pattern, other in PROMISES.items():
            if re.search(pattern, source.split("\n")[line - 1], re.IGNORECASE):
                yield SchemaFault(place, line, pattern, other)


def faults(tree: ast.Module, place: Place) -> Iterator[Fault]:
    """All that can be done to a place."""
    nodes = list(ast.walk(tree))
    numbers = {id(node): number for number, node in enumerate(nodes)}
    silent = {id(inner) for node in nodes for outer in _meaningless(node) for inner in ast.walk(outer)}
    for node, chain in _descend(tree, ()):
        own = getattr(node, "lineno", None) or getattr(getattr(node, "value", None), "lineno", 0)
        last = getattr(node, "end_lineno", None) or own
        if id(node) in silent or last < place.first or own > place.last:
            continue
        statement = next((each for each in reversed((*chain, node)) if isinstance(each, ast.stmt)), None)
        for change, at in (*((each, None) for each in changes(node)), *further(node)):
            line = at or own
            if place.first <= line <= place.last:
                lines = _own_lines(statement, line)
                yield Fault(place, line, numbers[id(node)], change, lines, _body(chain, node))


def _descend(node: ast.AST, chain: tuple[ast.AST, ...]) -> Iterator[tuple[ast.AST, tuple[ast.AST, ...]]]:
    for child in ast.iter_child_nodes(node):
        yield child, (*chain, node)
        yield from _descend(child, (*chain, node))


def _own_lines(statement: ast.stmt | None, line: int) -> tuple[int, int]:
    """The lines of a statement without those of the statements within it."""
    if statement is None:
        return line, line
    inner = [
        each.lineno for each in ast.walk(statement) if isinstance(each, ast.stmt) and each is not statement
    ]
    last = min(inner) - 1 if inner else statement.end_lineno or line
    return statement.lineno, max(statement.lineno, last)


def _body(chain: tuple[ast.AST, ...], node: ast.AST) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """The outermost function whose body holds the node; None where it is run once, when the file is imported."""
    whole = (*chain, node)
    for outer, inner in itertools.pairwise(whole):
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef) and inner in outer.body:
            return outer
    return None


def _meaningless(node: ast.AST) -> Iterator[ast.AST]:
    """What keeps no rule: annotations of types, docstrings, words of errors and logs, names that a file lists."""
    if isinstance(node, ast.AnnAssign | ast.arg):
        if not _annotated(node.annotation):
            yield from unseen(node)
    else:
        yield from unseen(node)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        yield node
    if isinstance(node, ast.JoinedStr):
        yield from (part for part in node.values if isinstance(part, ast.Constant))
    if isinstance(node, ast.Raise) and node.exc is not None:
        yield from (each for each in ast.walk(node.exc) if isinstance(each, ast.Constant | ast.JoinedStr))
    if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[0] in UNMEANT:
        yield node
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ("__all__", "__slots__"):
        yield node
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        yield node
    if isinstance(node, ast.Import | ast.ImportFrom | ast.Assert | ast.Global | ast.Nonlocal):
        yield node
    if isinstance(node, ast.ClassDef):
        yield from node.decorator_list
    if isinstance(node, ast.Compare):
        yield from (each for each in node.comparators if is_none(each))


def _annotated(node: ast.AST | None) -> bool:
    """`Annotated[…]` says more than a type: what it says is checked at run time."""
    return isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("Annotated")
