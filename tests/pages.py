"""Writes the pages of the docs that are generated: the problems, and which test proves which rule."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

from journeys.canvas.problems import CODES

ROOT = Path(__file__).parents[1]
RULES = ROOT / "docs" / "rules"
NUMBER = re.compile(r"\b(?:[A-Z]{3}|IT|[ABCDEFKLMNPSTVX]|DT)-?\d+\b")
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


def kept() -> list[str]:
    """The rules that the pages on rules hold, in their order."""
    found: dict[str, None] = {}
    for path in sorted(RULES.glob("*.md")):
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
            found.update(dict.fromkeys(NUMBER.findall(head)))
    return list(found)


def cited() -> dict[str, list[str]]:
    """The tests that cite each rule, in a docstring, a parameter or a comment."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        source = path.read_text(encoding="utf-8")
        lines = source.splitlines()
        for node in ast.parse(source).body:
            names = [node.name] if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else []
            if isinstance(node, ast.ClassDef):
                names = [node.name]
            first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
            text = "\n".join(lines[first - 1 : node.end_lineno])
            where = f"{path.relative_to(ROOT).as_posix()}" + (f"::{names[0]}" if names else "")
            for rule in dict.fromkeys(NUMBER.findall(text)):
                found[rule].append(where)
    return found


def proofs() -> str:
    """The page that says which test proves which rule."""
    tests = cited()
    lines = [
        "# Which test proves which rule",
        "",
        "Made by `make docs` from the tests, which cite the rules that they prove.",
        "",
        "| rule | test |",
        "|---|---|",
    ]
    for rule in kept():
        where = "<br>".join(f"`{one}`" for one in tests.get(rule, [])[:3]) or "–"
        lines.append(f"| {rule} | {where} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (ROOT / "docs" / "problems.md").write_text(problems(), encoding="utf-8")
    (RULES / "proofs.md").write_text(proofs(), encoding="utf-8")
    tests = cited()
    unproved = [rule for rule in kept() if rule not in tests]
    print(f"{len(kept())} rules, {len(unproved)} without a test: {', '.join(unproved)}")
