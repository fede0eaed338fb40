"""Small faults in the machine, one at a time: how many do its tests find?

Each mutant is the machine with one comparison, constant, operator or branch changed; it is killed where a test fails.
"""

from __future__ import annotations

import ast
import copy
import importlib
import importlib.util
import itertools
import os
import resource
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import asyncpg  # noqa: F401  (in memory before the forks)
import networkx as nx  # noqa: F401
import pydantic  # noqa: F401
import pytest
import ruamel.yaml  # noqa: F401
import sqlalchemy  # noqa: F401
import temporalio  # noqa: F401

from tests.spoiling import changes, unseen

ROOT = Path(__file__).parents[1]
MACHINE = ROOT / "journeys" / "engine" / "core" / "machine.py"
TESTS = ["tests/engine/core/test_machine.py", "tests/engine/core/test_golden.py"]
WANTED = 0.85
SECONDS = 60
"""Of processor time; the machine itself needs a quarter of it, a fault that never ends all of it."""


def mutants(tree: ast.Module) -> Iterator[tuple[int, str, ast.Module]]:
    """The machine's mutants: line, what was changed, the tree."""
    silent = {id(inner) for node in ast.walk(tree) for outer in unseen(node) for inner in ast.walk(outer)}
    for place, node in enumerate(ast.walk(tree)):
        if id(node) in silent:
            continue
        for change in changes(node):
            mutant = copy.deepcopy(tree)
            target = list(ast.walk(mutant))[place]
            what = change(target)
            yield getattr(node, "lineno", 0), what, ast.fix_missing_locations(mutant)


def attempt(source: str, file: Path) -> int:
    """Begin a process that runs the tests on this source in the machine's place; its id.

    It is forked from this one, which has the libraries in memory already but nothing of the journeys.
    """
    file.write_text(source)
    child = os.fork()
    if child:
        return child
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
        importlib.import_module("journeys.engine")
        spec = importlib.util.spec_from_file_location("journeys.engine.core.machine", file)
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules["journeys.engine.core.machine"] = module
        spec.loader.exec_module(module)
        plain = ["-p", "no:randomly", "-p", "no:cacheprovider", "--hypothesis-seed=0"]
        os._exit(int(pytest.main(["-q", "-x", *plain, *TESTS])))
    except BaseException:
        os._exit(1)


def outcomes(tries: Iterable[str]) -> Iterator[tuple[int, bool]]:
    """Which of the sources the tests find to be wrong: its number and whether they do, as they become known."""
    with tempfile.TemporaryDirectory() as folder:
        running: dict[int, int] = {}
        waiting = enumerate(tries)
        for number, source in itertools.islice(waiting, os.cpu_count() or 1):
            running[attempt(source, Path(folder) / f"mutant{number}.py")] = number
        while running:
            child, status = os.wait()
            yield running.pop(child), status != 0
            for number, source in itertools.islice(waiting, 1):
                running[attempt(source, Path(folder) / f"mutant{number}.py")] = number


def main() -> int:
    """Try them all; the exit code says whether enough were found."""
    os.chdir(ROOT)
    os.environ["JOURNEYS_EXAMPLES"] = "0.2"
    right = MACHINE.read_text()
    if any(wrong for _, wrong in outcomes([right])):
        print("the tests fail without any mutant, or need longer than a mutant gets")
        return 2
    made = list(mutants(ast.parse(right)))
    found = 0
    for done, (number, wrong) in enumerate(outcomes(ast.unparse(tree) for _, _, tree in made), 1):
        line, what, _ = made[number]
        found += wrong
        if not wrong:
            print(f"survives: machine.py:{line}: {what}", flush=True)
        print(f"\r{found} of {done} killed, {len(made)} in all", end="", file=sys.stderr, flush=True)
    print(f"\n{found} of {len(made)} mutants of the machine killed: {found / len(made):.0%}")
    return 0 if found / len(made) >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
