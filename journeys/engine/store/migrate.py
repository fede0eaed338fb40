"""Migrates a database to the current schema with Alembic, and creates monthly partitions ahead of time."""

from __future__ import annotations

import asyncio
from functools import cache
from pathlib import Path
from ssl import SSLCertVerificationError
from typing import Any

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from journeys.engine.store.database import engine_of
from journeys.engine.store.database_url import UnusableUrl, connect

MIGRATIONS = Path(__file__).parent / "migrations"

LOCK = 0x6A6F75726E657973
"""The advisory lock that makes migrations of several processes wait for one another."""

LONGEST_WAIT = "2s"
"""For how long a migration waits for those who use a table: whoever comes meanwhile waits behind it."""

TRIES, PAUSE = 30, 1.0
"""How often it is tried again, and after how many seconds."""


def configuration(connection: Connection | None = None) -> Config:
    """Alembic's configuration, without a file of its own."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


class Unfit(RuntimeError):
    """The database cannot be used as it is; the text is for people, in one line, and shows no password."""


@cache
def head() -> str | None:
    """The revision of the schema that this version works with."""
    return ScriptDirectory.from_config(configuration()).get_current_head()


@cache
def known() -> frozenset[str]:
    """The revisions that this version knows; one that it does not know is of a newer version."""
    return frozenset(each.revision for each in ScriptDirectory.from_config(configuration()).walk_revisions())


async def schema_of(connection: Any) -> str | None:
    """The revision of the schema that a database has; None where it has none of ours."""
    try:
        found: str | None = await connection.fetchval("select version_num from alembic_version")
    except asyncpg.UndefinedTableError:
        return None
    return found


async def works_beside(connection: Any) -> bool:
    """Whether the schema is a newer version's on which this one can work as well. Raises `Unfit` where it cannot."""
    stands, wanted = await schema_of(connection), head() or ""
    if stands is None or stands in known():
        return False
    try:
        oldest = await connection.fetchval("select oldest from schema_fits")
    except asyncpg.UndefinedTableError:
        oldest = None
    if oldest is None or wanted < oldest:
        raise Unfit(
            f"the database's tables are those of a newer version ({stands}), which works only from {oldest or stands} on; "
            f"this one has {wanted}"
        )
    return True


async def check_database(url: str, timeout: float = 20.0) -> None:
    """Raise `Unfit` unless the database answers and has our schema, in a form on which this version can work."""
    try:
        connection = await connect(url, timeout=timeout)
    except TimeoutError as error:
        raise Unfit(f"the database cannot be reached: no answer within {timeout:.0f} s") from error
    except UnusableUrl as error:
        raise Unfit(f"its address: {error}") from error
    except SSLCertVerificationError as error:
        raise Unfit(
            f"the database cannot be reached: its certificate is not accepted: {error.verify_message}"
        ) from error
    except (ValueError, asyncpg.InterfaceError):  # what it says may show the password
        said = "its address is not the URL of a PostgreSQL database: write postgresql://user:password@host:5432/name"
        raise Unfit(said) from None
    except (OSError, asyncpg.PostgresError) as error:
        line = (str(error) or type(error).__name__).split("\n")[0]
        raise Unfit(f"the database cannot be reached: {line}") from error
    try:
        stands = await schema_of(connection)
        beside = await works_beside(connection)
    finally:
        await connection.close()
    if stands is None:
        raise Unfit(
            "the database has no tables of Journeys: `journeys publish` and `journeys worker` make them"
        )
    if stands != head() and not beside:
        raise Unfit(f"the database's tables are those of another version ({stands}, this one has {head()})")


def _upgrade(connection: Connection) -> None:
    connection.execute(text(f"set lock_timeout = '{LONGEST_WAIT}'"))
    connection.commit()
    command.upgrade(configuration(connection), "head")
    connection.execute(text("select ensure_partitions(3)"))
    connection.commit()


async def migrate(url: str) -> None:
    """Create or upgrade the schema at `url`; safe to call from several processes at once, and to repeat.

    Each migration is a transaction of its own, or changes indexes beside live work. One whose table is in use gives way,
    and is tried again. The schema of a newer version stays; raises `Unfit` where this one cannot work on it.
    """
    if await _newer(url):
        return
    engine = engine_of(url)
    try:
        async with engine.connect() as connection:
            await _alone(connection)
            for tried in range(1, TRIES + 1):
                try:
                    await connection.run_sync(_upgrade)
                except SQLAlchemyError as error:
                    began = _first(error)
                    await connection.rollback()
                    cause = began.orig.__cause__ if isinstance(began, DBAPIError) and began.orig else None
                    if tried == TRIES or not isinstance(cause, asyncpg.LockNotAvailableError):
                        raise began from cause
                else:
                    return
                await asyncio.sleep(PAUSE)
    finally:
        await engine.dispose()


async def _newer(url: str) -> bool:
    connection = await connect(url)
    try:
        return await works_beside(connection)
    finally:
        await connection.close()


async def _alone(connection: AsyncConnection) -> None:
    """Wait until no other process migrates. It asks again and again: who waits in a lock holds up new indexes."""
    while not (await connection.execute(text("select pg_try_advisory_lock(:lock)"), {"lock": LOCK})).scalar():
        await connection.commit()
        await asyncio.sleep(0.1)
    await connection.commit()


def _first(error: SQLAlchemyError) -> SQLAlchemyError:
    """The error that others follow from, such as that a lost connection has no transaction to commit."""
    while isinstance(error.__context__, SQLAlchemyError):
        error = error.__context__
    return error
