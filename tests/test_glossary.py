"""The glossary explains words that the code uses, and the code uses none of the words that it has retired."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from journeys.engine.store.tables import Table

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "journeys"
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
TERMS = re.findall(r"^\| ([a-z ]+) \| (.+\.) \| `(\S+)` \|$", GLOSSARY, re.MULTILINE)
RETIRED = frozenset(
    [
        "bell",
        "bells",
        "birth",
        "births",
        "courier",
        "couriers",
        "echo",
        "echoes",
        "house",
        "letters",
        "lot",
        "lots",
        "mending",
        "patience",
        "shelf",
        "silent",
        "sketch",
        "standing",
        "teller",
        "turnstile",
        "untold",
        "wonder",
    ]
)
LIQUIDS_OWN = {"OurEchoTag"}
KEPT_TABLES = {"echoes"}


def words(name: str) -> list[str]:
    """The words of a text or a name, in snake case or camel case."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]


def names() -> Iterator[tuple[str, str]]:
    """Modules, classes, functions and constants of the package, each with its file."""
    for file in PACKAGE.rglob("*.py"):
        place = str(file.relative_to(ROOT))
        yield file.parent.name if file.stem == "__init__" else file.stem, place
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                yield node.name, place
        for statement in tree.body:
            if isinstance(statement, ast.Assign):
                yield from ((one.id, place) for one in statement.targets if isinstance(one, ast.Name))


@pytest.mark.parametrize(("term", "file"), [(term, file) for term, _, file in TERMS])
def test_each_term_of_the_glossary_occurs_in_the_file_that_is_named(term: str, file: str) -> None:
    said = f" {' '.join(words((PACKAGE / file).read_text(encoding='utf-8')))} "
    assert f" {term} " in said or f" {term}s " in said


def test_every_row_of_the_glossary_has_a_term_a_sentence_and_a_file_and_each_term_stands_there_once() -> None:
    rows = [line for line in GLOSSARY.split("\n") if line.startswith("| ") and not line.startswith("| term ")]
    assert len(rows) == len(TERMS) == len({term for term, _, _ in TERMS}) > 80


def test_no_module_class_function_or_constant_has_a_retired_word_in_its_name() -> None:
    wrong = [f"{place}: {name}" for name, place in names() if RETIRED & set(words(name))]
    assert [each for each in wrong if each.rpartition(" ")[2] not in LIQUIDS_OWN] == []


def test_no_table_but_one_that_keeps_its_name_has_a_retired_word_in_it() -> None:
    assert {name for name in Table.metadata.tables if RETIRED & set(words(name))} <= KEPT_TABLES
