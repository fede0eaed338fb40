"""What is said of a database that cannot be brought up to date: whose fault it is."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from journeys.cli.addresses import migrated
from journeys.cli.stop import Stop
from journeys.engine.store import Database

migrating = import_module("journeys.engine.store.migrate")

REVISION = """
revision, down_revision, branch_labels, depends_on = "{name}", {after!r}, None, None

def upgrade() -> None:
    pass
"""


@pytest.fixture
def migrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the program's migrations, in place of them."""
    copy = tmp_path / "migrations"
    shutil.copytree(migrating.MIGRATIONS, copy)
    monkeypatch.setattr(migrating, "MIGRATIONS", copy)
    for kept in (migrating.head, migrating.known):
        kept.cache_clear()
    yield copy / "versions"
    for kept in (migrating.head, migrating.known):
        kept.cache_clear()


@pytest.mark.parametrize("after", [None, "0024"])
async def test_migrations_that_are_broken_are_told_as_a_fault_of_the_program(
    db: Database, migrations: Path, after: str | None
) -> None:
    """One more beginning beside the chain, and two that follow the same one."""
    (migrations / "9999_more.py").write_text(REVISION.format(name="9999", after=after))
    with pytest.raises(
        Stop, match="the migrations of this program are broken, which is a fault of the program"
    ):
        await migrated(db.url)
