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


def test_the_package_imports_nothing_else() -> None:
    """Each public name brings what it needs when it is used. What tells of the modules is no part of it."""
    ours = imported("import journeys") - imported("pass")

    assert ours == {"journeys"}


def test_the_test_kit_and_its_plugin_import_nothing_of_the_engine() -> None:
    found = {
        name for name in imported("import journeys.testing.pytest_plugin") if name.startswith("journeys")
    }

    assert found == {"journeys", "journeys.testing", "journeys.testing.pytest_plugin"}


@pytest.mark.parametrize("words", ["", "--help", "keys", "-h keys", "keys --help", "--version"])
def test_a_list_of_commands_imports_no_command(words: str) -> None:
    script = f"sys.argv = ['journeys', *{words.split()}]; import journeys.cli; journeys.cli.leave = sys.exit; journeys.cli.main()"
    found = imported(script)

    assert {name.partition(".")[0] for name in found} & {
        "asyncio",
        "cyclopts",
        "msgspec",
        "pydantic_core",
        "rich",
        *HEAVY,
    } == set()
    assert {name for name in found if name.startswith("journeys.")} <= {
        "journeys.cli", "journeys.cli.commands", "journeys.cli.stop",
    }  # fmt: skip
