"""Writes the pages of the docs that are generated: problems, settings, and which test proves which rule."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from journeys.canvas.problems import CODES
from journeys.cli.settings import page as settings_page

ROOT = Path(__file__).parents[1]
RULES = ROOT / "docs" / "rules"
NUMBER = re.compile(r"\b(?:(?!SHA|UTF)[A-Z]{3}-|IT-|DT|[ABCDEFKLMNPSTVX])\d+\b")
RANGE = re.compile(r"\b([A-Z]{1,3}-?)(\d{1,2}) to \1(\d{1,2})\b")
HEADS = {
    "J0": "The file cannot be read",
    "J1": "A value has the wrong shape",
    "J2": "The graph does not hang together",
    "J3": "Something that it names does not exist or does not parse",
    "J4": "A limit is passed",
    "J9": "Warnings",
}


def problems() -> str:
    """The page of problem codes."""
    lines = [
        "# Problems",
        "",
        "What `journeys validate` says, code by code. `J9xx` are warnings: the definition may run all the same.",
        "",
    ]
    head = ""
    for code, text in CODES.items():
        if code[:2] != head:
            head = code[:2]
            lines += [f"## {HEADS[head]}", ""]
        lines += [f"**{code}** {text}", ""]
    return "\n".join(lines)


def kept(root: Path = ROOT) -> list[str]:
    """The rules that the pages on rules hold, in their order."""
    found: dict[str, None] = {}
    for path in sorted((root / "docs" / "rules").glob("*.md")):
        if path.stem == "proofs":
            continue
        for line in path.read_text(encoding="utf-8").split("\n"):
            head = (
                line.split("|")[1]
                if line.startswith("|")
                else line[: line.find("** ") + 1]
                if line.startswith("- **")
                else ""
            )
            found.update(dict.fromkeys(rules_in(head)))
    return list(found)


def rules_in(text: str) -> list[str]:
    """The rules that a text names; `CXS-1 to CXS-3` are three."""

    def written_out(match: re.Match[str]) -> str:
        return ", ".join(f"{match[1]}{number}" for number in range(int(match[2]), int(match[3]) + 1))

    return list(dict.fromkeys(NUMBER.findall(RANGE.sub(written_out, text))))


Top = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign


def cited(root: Path = ROOT) -> dict[str, list[str]]:
    """The tests that prove each rule: they cite it, or are run with the rows of a table that do.

    What serves tests proves nothing.
    """
    found: dict[str, list[str]] = defaultdict(list)
    by_table: dict[str, list[str]] = defaultdict(list)
    for path in sorted((root / "tests").rglob("test_*.py")):
        source = path.read_text(encoding="utf-8")
        lines, file = source.splitlines(), path.relative_to(root).as_posix()
        parts = {
            name: node for node in ast.parse(source).body if isinstance(node, Top) for name in _names(node)
        }
        tests = {name: node for name, node in parts.items() if name.startswith(("test_", "Test"))}
        for name, node in tests.items():
            for rule in rules_in(_text(node, lines)):
                found[rule].append(f"{file}::{name}")
        for table, node in parts.items():
            if table not in tests and isinstance(node, ast.Assign | ast.AnnAssign):
                for rule, row in _rows(node, lines):
                    by_table[rule] += [f"{file}::{name}{row}" for name in _takers(table, parts, tests)]
    return {rule: list(dict.fromkeys(found[rule] + by_table[rule])) for rule in {**found, **by_table}}


def _rows(table: ast.Assign | ast.AnnAssign, lines: list[str]) -> Iterator[tuple[str, str]]:
    """The rules that a table names, each with the name of its row where that has one."""
    keys = table.value.keys if isinstance(table.value, ast.Dict) else []
    for key in keys:
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            for rule in rules_in(key.value):
                yield rule, f"[{key.value}]"
    if not keys:
        for rule in rules_in(_text(table, lines)):
            yield rule, ""


def _takers(table: str, parts: Mapping[str, Top], tests: Mapping[str, Top]) -> list[str]:
    """The tests that are run with the rows of a table, or of one that is made of it; else those that read it."""
    made = {
        name for name, node in parts.items() if isinstance(node, ast.Assign) and table in _used(node.value)
    }
    wanted = {table, *made}
    run = [
        name
        for name, node in tests.items()
        if wanted & {each for one in getattr(node, "decorator_list", []) for each in _used(one)}
    ]
    return run or [name for name, node in tests.items() if wanted & _used(node)]


def _used(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def _names(node: Top) -> list[str]:
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    if isinstance(node, ast.AnnAssign):
        return [node.target.id] if isinstance(node.target, ast.Name) else []
    return [node.name]


def _text(node: Top, lines: list[str]) -> str:
    first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
    return "\n".join(lines[first - 1 : node.end_lineno])


def spoken_of() -> dict[str, list[str]]:
    """The rules that docstrings of the package and of the tests speak of, and where."""
    found: dict[str, list[str]] = defaultdict(list)
    for folder in ("journeys", "tests"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if (
                    isinstance(node, ast.Expr)
                    and isinstance(node.value, ast.Constant)
                    and isinstance(node.value.value, str)
                ):
                    for rule in rules_in(node.value.value):
                        found[rule].append(f"{path.relative_to(ROOT).as_posix()}:{node.lineno}")
    return found


def proofs() -> str:
    """The page that says where each rule is kept, and which test proves it."""
    from tests.places import places

    tests, rules = cited(), kept()
    where = places(ROOT / "journeys", rules)
    lines = [
        "# Which test proves which rule",
        "",
        "Made by `make docs` from the code and the tests, which cite the rules that they keep and prove. `make proofs` breaks",
        "each rule at the lines that cite it, one small fault after the other, and tells where none of its tests fails.",
        "",
        "| rule | kept in | test |",
        "|---|---|---|",
    ]
    for rule in rules:
        files = dict.fromkeys(place.file for place in where.get(rule, []))
        lines.append(f"| {rule} | {_listed(files)} | {_listed(tests.get(rule, []))} |")
    return "\n".join(lines) + "\n"


def _listed(several: Iterable[str]) -> str:
    return "<br>".join(f"`{one}`" for one in list(several)[:3]) or "–"


if __name__ == "__main__":
    from tests import from_braze, known_operations, language

    (ROOT / "docs" / "api-operations.md").write_text(known_operations.page(), encoding="utf-8")
    (ROOT / "docs" / "canvas.md").write_text(language.page(), encoding="utf-8")
    (ROOT / "docs" / "canvas.html").write_text(language.html_page(), encoding="utf-8")
    (ROOT / "docs" / "from-braze.md").write_text(from_braze.page(), encoding="utf-8")
    (ROOT / "docs" / "problems.md").write_text(problems(), encoding="utf-8")
    (ROOT / "docs" / "settings.md").write_text(settings_page(), encoding="utf-8")
    (RULES / "proofs.md").write_text(proofs(), encoding="utf-8")
    tests = cited()
    unproved = [rule for rule in kept() if rule not in tests]
    print(f"{len(kept())} rules, {len(unproved)} without a test: {', '.join(unproved)}")
