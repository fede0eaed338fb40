"""Where the database and Temporal are: given by the environment, or servers of this user's own."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
from sqlalchemy.exc import SQLAlchemyError

from journeys.cli.console import Stop
from journeys.engine.published import Publication, Published
from journeys.engine.store.database import Database
from journeys.engine.store.embedded import create_database, embedded_postgres
from journeys.engine.store.migrate import migrate


def home() -> Path:
    """The folder in which `journeys dev` and the commands beside it keep their data."""
    return Path(os.environ.get("JOURNEYS_HOME") or Path.home() / ".local" / "share" / "journeys")


@asynccontextmanager
async def database() -> AsyncIterator[Database]:
    """The database of `DATABASE_URL`, else the embedded one; with our schema."""
    url = os.environ.get("DATABASE_URL")
    if url:
        async with _connected(url) as db:
            yield db
        return
    async with (
        embedded_postgres(home() / "postgres") as server,
        _connected(await create_database(server, "journeys")) as db,
    ):
        yield db


async def migrated(url: str) -> None:
    """Bring the schema of a database up to date; stops with a line where it cannot be reached."""
    try:
        await migrate(url)
    except (OSError, asyncpg.PostgresError, SQLAlchemyError) as error:
        raise Stop(f"the database cannot be reached: {error}") from error


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[Database]:
    await migrated(url)
    async with Database.at(url) as db:
        yield db


async def workspace(db: Database, name: str) -> Publication:
    """What a workspace runs; stops where there is none of that name."""
    publication = await Published(db).named(name)
    if publication is None:
        known = [row["name"] for row in await db.pool.fetch("select name from workspaces order by name")]
        hint = f"there are: {', '.join(known)}" if known else "`journeys publish` makes one"
        raise Stop(f"there is no workspace “{name}” ({hint})", 2)
    return publication
