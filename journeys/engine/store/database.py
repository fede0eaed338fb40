"""The database: one asyncpg pool for hot statements, one SQLAlchemy engine for the rest."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import cached_property
from typing import Any, TypeVar

import asyncpg
import msgspec
from asyncpg.pool import PoolConnectionProxy
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import NullPool

from journeys.canvas.storable_characters import storable
from journeys.engine.clock import ClockOff
from journeys.engine.metrics import SIZED, committing
from journeys.engine.store.database_url import connect, driver_arguments, driver_url
from journeys.engine.store.stored_objects import stored_object

Connection = PoolConnectionProxy | asyncpg.Connection

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def engine_of(url: str) -> AsyncEngine:
    """SQLAlchemy's engine over asyncpg, which reads the URL itself: it knows all of PostgreSQL's parameters."""
    return create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: connect(url), poolclass=NullPool
    )


def _jsonb(value: Any) -> bytes:
    """As PostgreSQL takes it. A text that it cannot hold never fails a transaction that others share."""
    try:
        raw = _encode(value)
    except UnicodeEncodeError:
        return b"\x01" + _encode(storable(value))
    return b"\x01" + (_encode(storable(value)) if b"\\u0000" in raw else raw)


async def prepare(connection: asyncpg.Connection) -> None:
    """Teach a connection to read and write jsonb as Python values; json is read when it is looked into."""
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=_jsonb,
        decoder=lambda raw: _decode(raw[1:]),
        format="binary",
    )
    await connection.set_type_codec(
        "json", schema="pg_catalog", encoder=_encode, decoder=stored_object, format="binary"
    )


async def _keep(connection: asyncpg.Connection) -> None:
    """Nothing to reset: we leave no session state behind, and a reset costs a statement for every use."""


PASSING = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    ClockOff,
)
"""Faults of the database, the way to it or this process, not of a person or a canvas: it is done again later."""


ATTEMPTS = 10
"""How often a transaction starts again before it fails."""

PAUSE, LONGEST_BUSY = 0.02, 30.0
"""Seconds until a transaction starts again that found rows locked, and for how long it does."""


def away(error: BaseException) -> bool:
    """Whether an error says that the database does not answer."""
    return isinstance(error, (*PASSING, TimeoutError)) and not isinstance(error, ClockOff)


T = TypeVar("T")


class Moved(Exception):
    """A row belongs to a person whose lock is not held: it moved, or they went, while a transaction waited for the lock."""


class Busy(Exception):
    """Somebody has locked rows for a moment that are to be moved: they are not waited for, so that no two wait in a circle."""


class Undone(Exception):
    """Ends a transaction whose work is only to be seen: nothing of it is written. `seen` is what came of it."""

    def __init__(self, seen: Any) -> None:
        self.seen = seen
        super().__init__()


def check_locked(rows: Iterable[Mapping[str, Any]], locked: Iterable[Mapping[str, Any]]) -> None:
    """Raise `Moved` unless each row belongs to a person (`workspace`, `person`) of those that are locked."""
    held = {(each["workspace"], each["person"]) for each in locked}
    if any((row["workspace"], row["person"]) not in held for row in rows):
        raise Moved


class Database:
    """One PostgreSQL database (15 or later).

    `pool` gives asyncpg connections that read and write jsonb as Python values; `session()` a SQLAlchemy session.

    Example:
        >>> async with Database.at("postgresql:///journeys") as db:      # doctest: +SKIP
        ...     async with db.transaction() as connection:
        ...         await connection.fetchval("select 1")
    """

    def __init__(self, url: str, pool: asyncpg.Pool) -> None:
        self.url = driver_url(url)
        self.pool = pool
        SIZED.databases.add(self)

    @classmethod
    async def open(cls, url: str, *, size: int = 10) -> Database:
        """Connect, with at most `size` connections for the hot statements."""
        pool = await asyncpg.create_pool(
            **driver_arguments(url), min_size=1, max_size=size, init=prepare, reset=_keep
        )
        return cls(url, pool)

    @classmethod
    @asynccontextmanager
    async def at(cls, url: str, *, size: int = 10) -> AsyncIterator[Database]:
        """Connect, and disconnect at the end of the block."""
        database = await cls.open(url, size=size)
        try:
            yield database
        finally:
            await database.close()

    async def close(self) -> None:
        """Give back all connections."""
        await self.pool.close()
        if "engine" in self.__dict__:
            await self.engine.dispose()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        """A connection within a transaction: committed at the end of the block, rolled back on an exception."""
        async with self.pool.acquire() as connection:
            with committing():
                async with connection.transaction():
                    yield connection

    async def anew(self, work: Callable[[Any], Awaitable[T]]) -> T:
        """Do the work in a transaction; from the beginning where a row has moved to a person who is not locked.

        `work` takes the connection and changes nothing but the database. Raises `Moved` after ten attempts, and `Busy`
        where rows are locked by others for half a minute.
        """
        began, moved = time.monotonic(), 0
        while True:
            try:
                async with self.transaction() as connection:  # TRK-10
                    return await work(connection)
            except Moved:
                moved += 1
                if moved == ATTEMPTS:
                    raise
            except Busy:
                if time.monotonic() > began + LONGEST_BUSY:
                    raise
                await asyncio.sleep(PAUSE)

    @cached_property
    def engine(self) -> AsyncEngine:
        """SQLAlchemy's way in. It keeps no connections: what goes through here is rare."""
        return engine_of(self.url)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """A session within a transaction."""
        async with async_sessionmaker(self.engine, expire_on_commit=False).begin() as session:
            yield session
