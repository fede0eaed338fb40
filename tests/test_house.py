"""The house: what is where, how large, and what the wheel holds."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

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


@pytest.mark.slow
def test_the_wheel_installs_one_package_and_runs_in_an_empty_environment(tmp_path: Path) -> None:
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
        "journeys/workflows/devserver/main.go",
        "journeys/engine/store/migrations/versions/0001_first.sql",
        "journeys/py.typed",
    ):
        assert wanted in names
    target = tmp_path / "site"
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(wheel), str(target)], check=True)
    environment = {**os.environ, "PYTHONPATH": str(target)}
    script = "import journeys, sys; from journeys.cli.demo import definitions_folder; print(journeys.__file__); print(definitions_folder())"
    said = subprocess.run(
        [sys.executable, "-P", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
        cwd=tmp_path,
    ).stdout
    assert said.split() == [str(target / "journeys/__init__.py"), str(target / "journeys/definitions")]
