"""Where the database and Temporal are: given by the environment, or started for this user."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from ssl import SSLCertVerificationError
from urllib.parse import urlsplit

import asyncpg
from alembic.script.revision import ResolutionError
from alembic.util import CommandError
from pydantic import Field, SecretStr, ValidationError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from journeys.cli.private_files import close_home
from journeys.cli.stop import Stop
from journeys.cli.waiting import Away
from journeys.engine.clock import ClockOff
from journeys.engine.settings import Environment, WrongFile, every_class, variables_of
from journeys.engine.sources.connected.encryption import Locked
from journeys.engine.store.database import Database
from journeys.engine.store.database_url import UnusableUrl, connect
from journeys.engine.store.embedded_postgres import NotStarted, create_database, embedded_postgres
from journeys.engine.store.migrate import Unfit, migrate
from journeys.engine.workspaces.published import Publication, Published

COMES = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
)
"""Why a database does not answer that may answer in a while: it starts, stops, or has no room at the moment."""

CONNECT_TIMEOUT = 20.0
"""Seconds that a database may take to answer."""


class CommandSettings(Environment):
    """What the commands that run on one's own machine take from the environment."""

    database_url: str | None = Field(
        default=None,
        validation_alias="DATABASE_URL",
        description="The PostgreSQL database, as any libpq URL: postgresql://user:password@host:5432/name. "
        "`serve` and `worker` need it; without it the other commands use an embedded one",
        json_schema_extra={"secret": True},
    )
    home: Path | None = Field(
        default=None,
        description="The folder in which `journeys dev` keeps its data, and the commands beside it find them "
        "(~/.local/share/journeys)",
    )
    trace: bool = Field(default=False, description="Show the traceback of an internal error")
    credential: SecretStr | None = Field(
        default=None,
        description="The secret that `journeys credentials add` stores; without it, it is read from stdin",
    )


def home() -> Path:
    """The folder in which `journeys dev` and the commands beside it keep their data, made if new."""
    folder = CommandSettings().home or Path.home() / ".local" / "share" / "journeys"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Stop(f"JOURNEYS_HOME: {folder} cannot be used: {error.strerror}", 2) from error
    return folder


@asynccontextmanager
async def database_address() -> AsyncIterator[str]:
    """The URL of `DATABASE_URL`, else that of the embedded database, which runs while the block lasts."""
    url = CommandSettings().database_url
    if url:
        yield url
        return
    async with embedded(home()) as own:
        yield own


@asynccontextmanager
async def database() -> AsyncIterator[Database]:
    """The database of `DATABASE_URL`, else the embedded one; with our schema."""
    async with database_address() as url, _connected(url) as db:
        yield db


@asynccontextmanager
async def embedded(folder: Path) -> AsyncIterator[str]:
    """The URL of the embedded database in this folder."""
    try:
        async with embedded_postgres(folder / "postgres") as server:
            close_home(folder)
            yield await create_database(server, "journeys")
    except NotStarted as error:
        raise Stop(f"the embedded database in {folder} cannot be started: {error}") from error


async def reached(url: str) -> None:
    """Stop with a line where a database cannot be reached (`Away`: now)."""
    try:
        await (await connect(url, timeout=CONNECT_TIMEOUT)).close()
    except TimeoutError as error:
        raise Away(f"the database cannot be reached: no answer within {CONNECT_TIMEOUT:.0f} s") from error
    except UnusableUrl as error:
        raise Stop(f"DATABASE_URL: {error}", 2) from error
    except SSLCertVerificationError as error:
        raise Stop(f"the certificate of the database is not accepted: {error.verify_message}") from error
    except (ValueError, asyncpg.InterfaceError) as error:  # what it says may show the password
        said = "DATABASE_URL is not the URL of a PostgreSQL database: write postgresql://user:password@host:5432/name"
        raise Stop(said, 2) from error
    except COMES as error:
        raise Away(f"the database cannot be reached: {_without_answer(url, error)}") from error
    except asyncpg.PostgresError as error:
        raise Stop(f"the database cannot be reached: {_line(error)}") from error


async def migrated(url: str) -> None:
    """Bring the schema of a database up to date; stops with a line where it cannot be reached (`Away`: now)."""
    await reached(url)
    try:
        await migrate(url)
    except CommandError as error:
        if isinstance(error.__cause__, ResolutionError):  # the database names a revision that is not here
            said = "the database has the schema of another version of this program"
        else:
            said = "the migrations of this program are broken, which is a fault of the program and not of the database"
        raise Stop(f"{said}: {_line(error)}") from error
    except COMES as error:
        raise Away(f"the connection to the database was lost: {_line(error)}") from error
    except SQLAlchemyError as error:
        cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
        if isinstance(cause.__cause__, COMES):
            raise Away(f"the connection to the database was lost: {_line(cause)}") from error
        raise Stop(f"the database's schema cannot be brought up to date: {_line(cause)}") from error


def _without_answer(url: str, error: BaseException) -> str:
    """Why a database did not answer, with the host where it has no address: the error itself does not name it."""
    if isinstance(error, socket.gaierror):
        hosts = urlsplit(url).netloc.rpartition("@")[2]
        return f"its host {hosts} has no address ({error.strerror})"
    return _line(error)


def _line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).split("\n")[0]


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[Database]:
    await migrated(url)
    async with Database.at(url) as db:
        try:
            yield db
        except (asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError, ConnectionError) as error:
            raise Stop(f"the connection to the database was lost: {_line(error)}") from error


async def workspace(db: Database, name: str) -> Publication:
    """What a workspace runs; stops where there is none of that name."""
    publication = await Published(db).named(name)
    if publication is None:
        known = [row["name"] for row in await db.pool.fetch("select name from workspaces order by name")]
        hint = f"there are: {', '.join(known)}" if known else "`journeys publish` creates one"
        raise Stop(f"there is no workspace “{name}” ({hint})", 2)
    return publication


def explained(error: Exception) -> Stop | None:
    """What is wrong with the environment, where that is the cause; None where it is not."""
    if isinstance(error, Locked | ClockOff | Unfit | WrongFile):
        return Stop(str(error), 1 if isinstance(error, Unfit) else 2)
    return _wrong_variables(error) if isinstance(error, ValidationError) else None


def _wrong_variables(error: ValidationError) -> Stop | None:
    """Which of them; what they hold is shown, but not where it may have a password in it."""
    variables = {
        key: variable
        for settings in every_class()
        if settings.__name__ == error.title
        for variable in variables_of(settings)
        for key in (variable.field, variable.name)
    }
    if not variables:
        return None
    lines = []
    for detail in error.errors(include_url=False):
        known = variables.get(str(detail["loc"][0]) if detail["loc"] else "")
        variable = known.name if known else error.title
        if detail["type"] == "missing":
            lines.append(f"set {variable}")
        else:
            shown = "" if known is None or known.secret else f"“{detail['input']}”: "
            lines.append(f"{variable} is not valid: {shown}{detail['msg']}")
    return Stop("\n".join(lines), 2)
