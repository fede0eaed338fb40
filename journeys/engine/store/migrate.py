"""Migrates a database to the current schema with Alembic, and creates monthly partitions ahead of time."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from journeys.engine.store.database import engine_of

MIGRATIONS = Path(__file__).parent / "migrations"

LOCK = 0x6A6F75726E657973
"""The advisory lock that makes migrations of several processes wait for one another."""


def configuration(connection: Connection | None = None) -> Config:
    """Alembic's configuration, without a file of its own."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: Connection) -> None:
    connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    command.upgrade(configuration(connection), "head")
    connection.execute(text("select ensure_partitions(3)"))


async def migrate(url: str) -> None:
    """Create or upgrade the schema at `url`; safe to call from several processes at once, and to repeat."""
    engine = engine_of(url)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_upgrade)
    finally:
        await engine.dispose()
