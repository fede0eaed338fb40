"""The SQL of the program is understood by the oldest PostgreSQL that the documentation names (15)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import journeys

PACKAGE = Path(journeys.__file__).parent
SUBQUERY = re.compile(r"\b(?:from|join|lateral)\s*\(\s*(?:select|values|with)\b", re.IGNORECASE)
NO_ALIAS = re.compile(
    r"\s*(?:$|[),;]|(?:where|on|order|group|join|left|cross|inner|limit|union|having|returning)\b)",
    re.IGNORECASE,
)
NEWER = re.compile(
    r"\b(?:any_value|array_shuffle|array_sample|json_table|uuidv7)\s*\(|\bmerge\s+into\b", re.IGNORECASE
)


def texts(source: str) -> Iterator[tuple[int, str]]:
    """The constants of a program with their lines; what an f-string puts in is a word."""
    tree = ast.parse(source)
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = (p.value if isinstance(p, ast.Constant) else "it" for p in node.values)
            yield node.lineno, "".join(str(part) for part in parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            yield node.lineno, node.value


def nameless(sql: str) -> list[str]:
    """The subqueries in a `from` that have no name: PostgreSQL 16 and later do without, 15 refuses them."""
    found = []
    for match in SUBQUERY.finditer(sql):
        start = sql.index("(", match.start())
        depth = 0
        for at in range(start, len(sql)):
            depth += {"(": 1, ")": -1}.get(sql[at], 0)
            if depth == 0:
                if NO_ALIAS.match(sql[at + 1 :]):
                    found.append(sql[match.start() : at + 1])
                break
    return found


@pytest.mark.parametrize(
    ("sql", "count"),
    [
        ("select 1 from (select 2)", 1),
        ("select 1 from (select 2) where true", 1),
        ("select 1 from t, lateral (select f(t.x)) order by 1", 1),
        ("select 1 from (select 2 from (values (1))) a", 1),
        ("select 1 from (select 2) a join lateral (select 3) b on true", 0),
        ("select extract(day from (a.b)), (select 1)", 0),
    ],
)
def test_a_subquery_without_a_name_is_found(sql: str, count: int) -> None:
    assert len(nameless(sql)) == count


def test_every_subquery_has_a_name_and_no_function_is_newer() -> None:
    said = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for line, text in texts(path.read_text()):
            where = f"{path.relative_to(PACKAGE)}:{line}"
            said += [f"{where}: {found[:80]}" for found in nameless(text)]
            said += [f"{where}: {match[0]}" for match in NEWER.finditer(text)]
    assert said == []
