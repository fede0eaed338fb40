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

ROOT = Path(__file__).parents[1]
MACHINE = ROOT / "journeys" / "engine" / "core" / "machine.py"
TESTS = ["tests/engine/core/test_machine.py", "tests/engine/core/test_golden.py"]
WANTED = 0.85
SECONDS = 60
"""Of processor time; the machine itself needs a quarter of it, a fault that never ends all of it."""

COMPARE = {
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.In: ast.NotIn,
}


def mutants(tree: ast.Module) -> Iterator[tuple[int, str, ast.Module]]:
    """The machine's mutants: line, what was changed, the tree."""
    silent = {id(inner) for node in ast.walk(tree) for outer in _unseen(node) for inner in ast.walk(outer)}
    for place, node in enumerate(ast.walk(tree)):
        if id(node) in silent:
            continue
        for change in changes(node):
            mutant = copy.deepcopy(tree)
            target = list(ast.walk(mutant))[place]
            what = change(target)
            yield getattr(node, "lineno", 0), what, ast.fix_missing_locations(mutant)


def _unseen(node: ast.AST) -> Iterator[ast.AST]:
    """What has no effect when it runs: annotations, and what an assertion says to the type checker."""
    for name in ("annotation", "returns", "msg"):
        part = getattr(node, name, None)
        if isinstance(part, ast.AST):
            yield part


def changes(node: ast.AST) -> Iterator[object]:
    """How a node can be spoilt: functions that do it and say what they did."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARE:
        yield _compare
    if isinstance(node, ast.BoolOp):
        yield _boolean
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield _negation
    if isinstance(node, ast.If):
        yield _condition
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and 0 < len(node.value) < 20:
        yield _text
    if isinstance(node, ast.Constant) and node.value is None:
        yield _nothing
    if isinstance(node, ast.keyword) and node.arg in (
        "wake_at",
        "phase",
        "ended",
        "moved",
        "leaving",
        "begun",
        "step",
        "context",
        "properties",
        "heard",
    ):
        yield _dropped
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("append", "extend")
    ):
        yield _unsaid
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "max":
        yield _least


def _compare(node: ast.Compare) -> str:
    node.ops[0] = COMPARE[type(node.ops[0])]()
    return "comparison turned"


def _boolean(node: ast.BoolOp) -> str:
    node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    return "and/or turned"


def _negation(node: ast.UnaryOp) -> str:
    node.op = ast.UAdd()
    node.operand = ast.Call(ast.Name("bool", ast.Load()), [node.operand], [])
    return "not dropped"


def _condition(node: ast.If) -> str:
    node.test = ast.UnaryOp(ast.Not(), node.test)
    return "condition negated"


def _text(node: ast.Constant) -> str:
    node.value = f"{node.value}x"
    return f"text {node.value}"


def _nothing(node: ast.Constant) -> str:
    node.value = "x"
    return "None changed"


def _dropped(node: ast.keyword) -> str:
    name = node.arg
    node.arg, node.value = None, ast.Dict([], [])
    return f"{name} not set"


def _unsaid(node: ast.Call) -> str:
    node.func = ast.Name("repr", ast.Load())
    node.args = [ast.Constant(1)]
    return "not said"


def _least(node: ast.Call) -> str:
    node.func = ast.Name("min", ast.Load())
    return "max for min"


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
