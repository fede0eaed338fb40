"""The layout of the package: what is where, how large, and what the wheel contains."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import grimp
import networkx as nx
import pytest

from journeys.workflows import temporal_build
from tests import pages

ROOT = Path(__file__).parents[1]


def test_no_file_of_the_package_is_over_400_lines() -> None:
    long = {
        path: count
        for path in (ROOT / "journeys").rglob("*.py")
        if (count := len(path.read_text().split("\n"))) > 401
    }

    assert long == {}


def test_every_module_opens_with_a_sentence_on_what_it_is_for() -> None:
    for path in (ROOT / "journeys").rglob("*.py"):
        assert ast.get_docstring(ast.parse(path.read_text())), path


def test_no_files_import_each_other_in_a_circle() -> None:
    """Imports within functions and those for type checkers alone count as well."""
    imports = grimp.build_graph("journeys", cache_dir=None)
    graph = nx.DiGraph(
        (one, other) for one in imports.modules for other in imports.find_modules_directly_imported_by(one)
    )
    circles = [
        sorted(f"{one} -> {other}" for one, other in graph.subgraph(files).edges)
        for files in nx.strongly_connected_components(graph)
        if len(files) > 1
    ]

    assert [*_unseen(imports.modules)] == [], "grimp looks into folders that have an __init__.py only"
    assert circles == [], "\n".join(line for circle in circles for line in ["a circle:", *circle])


def _unseen(modules: set[str]) -> Iterator[Path]:
    """Files that are none of these modules, beside the migrations, which nobody imports."""
    for path in (ROOT / "journeys").rglob("*.py"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if name not in modules and "migrations" not in path.parts:
            yield path


def test_the_public_words_are_there() -> None:
    import journeys

    for word in journeys.__all__:
        assert getattr(journeys, word) is not None
    assert set(journeys.__all__) == set(journeys._WORDS)


def test_what_the_project_is_built_on_is_declared_and_used() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())
    names = {line.partition(">")[0].partition("[")[0].strip() for line in declared["project"]["dependencies"]}
    imported = set()
    for path in (ROOT / "journeys").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.split(".")[0])
    wanted = {
        "temporalio": "temporalio",
        "pydantic": "pydantic",
        "networkx": "networkx",
        "python-liquid": "liquid",
        "sqlalchemy": "sqlalchemy",
        "asyncpg": "asyncpg",
        "apscheduler": "apscheduler",
    }

    assert set(wanted) <= names
    assert set(wanted.values()) <= imported
    assert {"pytest", "pytest-asyncio"} <= {
        line.partition(">")[0] for line in declared["dependency-groups"]["dev"]
    }


def test_importing_the_package_is_light() -> None:
    """`from journeys import Canvas` brings no Temporal, no SQL, no web server."""
    script = "import sys; from journeys import Canvas, attribute, days; print([m for m in ('temporalio', 'sqlalchemy', 'asyncpg', 'fastapi', 'liquid') if m in sys.modules])"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert said.strip() == "[]"


def test_the_schema_for_editors_is_the_one_that_the_models_make() -> None:
    from journeys.canvas.schema import text

    assert (ROOT / "journeys.schema.json").read_text() == text(), "run `make schema`"


def test_every_rule_is_proved_by_a_test_and_none_is_spoken_of_that_is_not_written_down() -> None:
    """The pages on rules, the tests that cite them, and the docstrings that name them go together."""
    rules, proved = pages.kept(), pages.cited()

    assert len(rules) > 200
    assert [rule for rule in rules if rule not in proved] == []
    assert {rule: where for rule, where in pages.spoken_of().items() if rule not in rules} == {}


def test_what_proves_a_rule_is_a_test_or_the_row_of_a_table_that_it_is_run_with() -> None:
    two, three = 2, 3  # so that this test cites none
    [proof] = pages.cited()[f"X{two}"]

    assert re.match(r"tests/canvas/test_check\.py::test_what_is_wrong\w+\[nine groups \(.*\)\]$", proof)
    assert pages.rules_in(f"CXS-{two} to CXS-{two + 2}, E{two} and DT{three}; UTF-8, SHA-256 and J101 are none") == [
        f"CXS-{two}", f"CXS-{three}", f"CXS-{two + 2}", f"E{two}", f"DT{three}",
    ]  # fmt: skip
    for where in {one for proofs in pages.cited().values() for one in proofs}:
        assert re.match(r"tests/[\w/]+\.py::(test_|Test)\w+(\[.*\])?$", where), where


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_wheel_installs_one_package_that_tells_the_demo_to_its_end_in_an_empty_environment(
    tmp_path: Path,
) -> None:
    """One top-level package, the definitions within it as data, the devserver's sources too."""
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)],
        check=True,
        capture_output=True,
    )
    [wheel] = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()

    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"journeys"}
    for wanted in (
        "journeys/definitions/new-article.yaml",
        *(f"journeys/workflows/devserver/{one.as_posix()}" for one in temporal_build.sources()),
        "journeys/engine/store/migrations/versions/0001_first.sql",
        "journeys/py.typed",
    ):
        assert wanted in names

    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # the database lets go of root's rights, and reads its programs there
        _tells_the_demo(wheel, Path(folder))


def _tells_the_demo(wheel: Path, folder: Path) -> None:
    """Installed by itself, and run with nothing in the environment but a home and a path."""
    about = folder / "fresh"
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or "uv"
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(about)], check=True)
    known = ["--constraint", str(ROOT / "requirements.lock")]
    into = [uv, "pip", "install", "-q", "--no-verify-hashes", "--python", str(about / "bin" / "python")]
    subprocess.run([*into, *known, str(wheel)], check=True)
    bare = ["env", "-i", f"HOME={Path.home()}", f"PATH={os.defpath}"]
    somewhere = folder / "somewhere"
    somewhere.mkdir()
    said = subprocess.run(
        [*bare, str(about / "bin" / "journeys"), "demo"],
        capture_output=True,
        text=True,
        timeout=400,
        cwd=somewhere,
        check=False,
    )
    assert (said.returncode, "Traceback" in said.stderr) == (0, False), said.stderr
    assert "is credited to the step" in " ".join(said.stdout.split())
    hints = said.stdout.partition("Look further:\n")[2].splitlines()
    assert [hint.split()[1] for hint in hints] == ["validate", "simulate", "dev"]
    for hint in hints[:2]:
        assert str(about) in hint, "the definitions are those of the wheel"
        subprocess.run([*bare, "sh", "-c", hint], check=True, capture_output=True, cwd=somewhere)
    assert list(somewhere.iterdir()) == [], "it leaves nothing behind"
