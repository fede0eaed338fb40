"""`make proofs` tells rules whose tests prove them from rules whose tests would let anything pass."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.trials import overlay

ROOT = Path(__file__).parents[1]
A, B, C, D, E = (f"DT{number}" for number in range(91, 96))
"""Rules of a toy; written so that nobody takes them for rules that this file proves."""

SAMPLE = [f"{word}-{number}" for word, number in (("DLY", 3), ("VAR", 2))]
"""Rules of this project, written so for the same reason: a proof that ran this file would run itself, without end."""

TOY = {
    "docs/rules/toy.md": f"- **{A}** Three fit.\n- **{B}** Names are small.\n- **{C}** Sums.\n- **{D}** Luck.\n- **{E}** A bound.\n",
    "toy/__init__.py": '"""A toy."""\n',
    "toy/box.py": f'''"""A box."""

MOST = 3
"""{E}"""


def fits(count: int) -> bool:
    """Whether so many fit ({A})."""
    return count <= MOST


def name(text: str) -> str:
    text = text.strip()
    return text.lower()  # {B}


def total(numbers: list[int]) -> int:
    return sum(number for number in numbers if number > 0)
''',
    "tests/test_box.py": f'''"""Tests of the box."""

from toy.box import fits, name, total


def test_three_fit_and_four_do_not() -> None:
    """{A}, {E}"""
    assert [fits(count) for count in (2, 3, 4)] == [True, True, False]


def test_a_name_is_as_it_is() -> None:
    """{B}"""
    assert name(" Box ") == name(" Box ")


def test_sums() -> None:
    """{C}"""
    assert total([1, 2, -1]) == 3


def test_luck() -> None:
    """{D}"""
    assert True
''',
}


def proofs(*words: str, root: Path = ROOT, package: str = "journeys") -> tuple[int, str]:
    """The exit status of `python -m tests.proofs` and what it says."""
    command = [sys.executable, "-m", "tests.proofs", "--root", str(root), "--package", package, *words]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    for name, text in TOY.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_a_rule_whose_test_proves_nothing_is_told(toy: Path) -> None:
    status, said = proofs("--verbose", root=toy, package="toy")

    assert status == 1, said
    assert f"{B}: NOT PROVED" in said
    assert "open: toy/box.py:14 return text.lower()" in said
    assert "survived: toy/box.py:14: “text.lower()” without the call" in said
    for rule in (A, C, E):
        assert f"{rule}: proved" in said, said
    assert f"{D}: NOT PROVED: no place is known that keeps it" in said
    assert "5 rules examined, 2 not proved" in said


@pytest.mark.slow
def test_what_is_known_is_not_tried_again_until_a_test_changes(toy: Path) -> None:
    path, notes = toy / "tests" / "test_box.py", toy / ".proofs" / "verdicts.jsonl"

    assert proofs(B, root=toy, package="toy")[0] == 1
    noted = notes.read_text()
    assert proofs(B, root=toy, package="toy")[0] == 1
    assert notes.read_text() == noted
    path.write_text(path.read_text().replace('== name(" Box ")', '== "box"'))
    assert proofs("--rules", "5", root=toy, package="toy")[1].count("NOT PROVED") == 1
    assert notes.read_text() != noted


def test_a_rule_that_there_is_not_is_refused(toy: Path) -> None:
    assert proofs("Z1", root=toy, package="toy") == (2, "no such rule: Z1\n")


def test_a_changed_file_is_found_beside_another_wherever_links_lead(toy: Path, tmp_path: Path) -> None:
    """As a migration finds its statements."""
    overlay(toy, tmp_path / "copy", "toy/box.py", "changed")

    assert (tmp_path / "copy/toy/__init__.py").resolve().with_name("box.py").read_text() == "changed"
    assert (tmp_path / "copy/docs").is_symlink() and (toy / "toy/box.py").read_text() != "changed"


@pytest.mark.slow
def test_a_sample_of_this_project_is_proved() -> None:
    """All of them are examined by `make proofs`: an hour."""
    status, said = proofs(*SAMPLE, "--mutants", "2", "--anew")

    assert status == 0, said
    assert "2 rules examined, 0 not proved" in said
