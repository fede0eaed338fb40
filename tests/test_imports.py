"""What is imported, and so how long one waits: names of modules, not seconds."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {
    "alembic", "apscheduler", "asyncpg", "fastapi", "httpx2", "liquid", "networkx", "phonenumbers", "ruamel", "sqlalchemy",
    "starlette", "temporalio", "uvicorn",
}  # fmt: skip


def imported(script: str) -> set[str]:
    """The modules that a program of its own has imported in the end."""
    said = f"import sys\ntry:\n    {script}\nexcept SystemExit: pass\nprint(*sys.modules, sep='\\n', file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_the_package_imports_nothing_but_a_little_of_the_standard_library() -> None:
    """Each public name brings what it needs when it is used."""
    ours = imported("import journeys")

    assert {name for name in ours if name.startswith("journeys")} == {"journeys"}
    assert {name.partition(".")[0] for name in ours} & {"pydantic", "asyncio", *HEAVY} == set()


def test_the_test_kit_and_its_plugin_import_nothing_of_the_engine() -> None:
    found = {
        name for name in imported("import journeys.testing.pytest_plugin") if name.startswith("journeys")
    }

    assert found == {"journeys", "journeys.testing", "journeys.testing.pytest_plugin"}


@pytest.mark.parametrize("words", ["--help", "keys --help", "--version"])
def test_a_list_of_commands_imports_no_command(words: str) -> None:
    script = f"sys.argv = ['journeys', *{words.split()}]; import journeys.cli; journeys.cli.leave = sys.exit; journeys.cli.main()"
    found = imported(script)

    assert {name.partition(".")[0] for name in found} & HEAVY == set()
    assert {name for name in found if name.startswith("journeys.")} <= {
        "journeys.canvas", "journeys.canvas.problems", "journeys.cli", "journeys.cli.app", "journeys.cli.console",
    }  # fmt: skip
