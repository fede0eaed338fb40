"""Where the package keeps a rule: the smallest pieces of its code whose docstring or comment cites the rule.

What a class or a file says of itself counts only where nothing smaller cites the rule.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.pages import rules_in


@dataclass(frozen=True, order=True)
class Place:
    """Lines of a file, both ends included, and the name of what they are."""

    file: str
    first: int
    last: int
    name: str
    whole: bool = field(default=False, compare=False)
    """A class or a file."""

    def __contains__(self, other: Place) -> bool:
        return self.file == other.file and self.first <= other.first and other.last <= self.last

    def __str__(self) -> str:
        return f"{self.file}:{self.first} {self.name}"


def places(package: Path, rules: Collection[str]) -> dict[str, list[Place]]:
    """The places of each rule that the package cites. Files are named from beside the package."""
    found: dict[str, set[Place]] = defaultdict(set)
    for path in sorted([*package.rglob("*.py"), *package.rglob("*.sql")]):
        source = path.read_text(encoding="utf-8")
        file = path.relative_to(package.parent).as_posix()
        for text, place in citations(source, file) if path.suffix == ".py" else _remarks(source, file, 1):
            for rule in rules_in(text):
                if rule in rules:
                    found[rule].add(place)
    return {rule: _smallest(those) for rule, those in found.items()}


def _smallest(found: set[Place]) -> list[Place]:
    """Those that hold no other."""
    if any(not one.whole for one in found):
        found = {one for one in found if not one.whole}
    return sorted(one for one in found if not any(other in one and other != one for other in found))


def citations(source: str, file: str) -> Iterator[tuple[str, Place]]:
    """The texts of a file that may cite rules, each with the code that it speaks of."""
    tree = ast.parse(source)
    yield from _docstrings(
        tree, file, "", Place(file, 1, len(source.split("\n")), Path(file).stem, whole=True)
    )
    statements = [
        node for node in ast.walk(tree) if isinstance(node, ast.stmt) and not isinstance(node, ast.Module)
    ]
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            alone = token.line.strip().startswith("#")
            about = _after(statements, token.start[0]) if alone else _around(statements, token.start[0])
            if about is not None:
                yield token.string.partition("noqa")[0], _place(about, file, token.start[0], alone=alone)
        elif token.type == tokenize.STRING and token.start[0] != token.end[0]:
            yield from _remarks(token.string, file, token.start[0])


def _remarks(source: str, file: str, first: int) -> Iterator[tuple[str, Place]]:
    """The comments within a statement for the database, each with its line."""
    for number, line in enumerate(source.split("\n"), start=first):
        statement, mark, said = line.partition(" -- ")
        if mark:
            yield said, Place(file, number, number, statement.strip()[:40])


def _docstrings(node: ast.AST, file: str, name: str, place: Place) -> Iterator[tuple[str, Place]]:
    """The docstrings of a module, class or function, and the texts below assignments, with all within."""
    body: list[ast.stmt] = getattr(node, "body", [])
    for number, part in enumerate(body):
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inner = f"{name}.{part.name}" if name else part.name
            whole = isinstance(part, ast.ClassDef)
            yield from _docstrings(
                part, file, inner, Place(file, first_line(part), _end(part), inner, whole=whole)
            )
        elif (
            isinstance(part, ast.Expr)
            and isinstance(part.value, ast.Constant)
            and isinstance(part.value.value, str)
        ):
            before = body[number - 1] if number else None
            if before is None and not isinstance(node, ast.If):
                yield part.value.value, place
            elif isinstance(before, ast.Assign | ast.AnnAssign):
                yield part.value.value, Place(file, before.lineno, _end(before), _target(before, name))
        elif isinstance(part, ast.If | ast.Try | ast.With):
            yield from _docstrings(part, file, name, place)


def _target(node: ast.Assign | ast.AnnAssign, within: str) -> str:
    target = ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target)
    return f"{within}.{target}" if within else target


def _after(statements: list[ast.stmt], line: int) -> ast.stmt | None:
    """The outermost statement that begins next."""
    later = [node for node in statements if first_line(node) > line]
    return min(later, key=lambda node: (first_line(node), -_end(node)), default=None)


def _around(statements: list[ast.stmt], line: int) -> ast.stmt | None:
    """The innermost statement that the line is a part of."""
    holding = [node for node in statements if first_line(node) <= line <= _end(node)]
    return min(holding, key=lambda node: (_end(node) - first_line(node), -node.col_offset), default=None)


def _place(node: ast.stmt, file: str, line: int, *, alone: bool) -> Place:
    """The whole statement; of a simple one over several lines, a line within it alone."""
    name = getattr(node, "name", None) or ast.unparse(node).split("\n")[0][:40]
    if not alone and not hasattr(node, "body") and node.lineno < line < _end(node):
        return Place(file, line, line, name)
    return Place(file, first_line(node), _end(node), name)


def first_line(node: ast.stmt) -> int:
    """Where a statement begins, its decorators included."""
    return min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])


def _end(node: ast.stmt) -> int:
    return node.end_lineno or node.lineno
