"""Small faults in the machine, one at a time: how many do its tests find?

Each mutant is the machine with one comparison, constant, operator or branch changed; it is killed where a test fails.
"""

from __future__ import annotations

import ast
import copy
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
MACHINE = ROOT / "journeys" / "engine" / "machine.py"
TESTS = ["tests/engine/test_machine.py", "tests/engine/test_golden.py"]
WANTED = 0.85

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
    for place, node in enumerate(ast.walk(tree)):
        for change in changes(node):
            mutant = copy.deepcopy(tree)
            target = list(ast.walk(mutant))[place]
            what = change(target)
            yield getattr(node, "lineno", 0), what, ast.fix_missing_locations(mutant)


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


def killed(source: str, folder: Path) -> bool:
    """Whether the tests find this mutant: it lies first on the path, all else is the real thing."""
    (folder / "mutant.py").write_text(source)
    script = (
        "import sys, importlib.util as u, journeys.engine as e; "
        f"s = u.spec_from_file_location('journeys.engine.machine', {str(folder / 'mutant.py')!r}); "
        "m = u.module_from_spec(s); sys.modules['journeys.engine.machine'] = m; s.loader.exec_module(m); "
        "import pytest; sys.exit(pytest.main(['-q', '-x', '-p', 'no:randomly', '-p', 'no:cacheprovider', '--no-header', "
        f"'--hypothesis-seed=0', *{TESTS!r}]))"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=ROOT,
            capture_output=True,
            timeout=120,
            check=False,
            env={**os.environ, "JOURNEYS_EXAMPLES": "0.2"},
        )
    except subprocess.TimeoutExpired:
        return True
    return done.returncode != 0


def main() -> int:
    """Try them all; the exit code says whether enough were found."""
    tree = ast.parse(MACHINE.read_text())
    found = total = 0
    with tempfile.TemporaryDirectory() as folder:
        if killed(MACHINE.read_text(), Path(folder)):
            print("the tests fail without any mutant")
            return 2
        for line, what, mutant in mutants(tree):
            total += 1
            if killed(ast.unparse(mutant), Path(folder)):
                found += 1
            else:
                print(f"survives: machine.py:{line}: {what}", flush=True)
            if total % 10 == 0:
                print(f"{found} of {total} killed", file=sys.stderr, flush=True)
    print(f"{found} of {total} mutants of the machine killed: {found / total:.0%}")
    return 0 if found / total >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
