"""The tables of what runs on the database: the processes that are alive, and what one of them does for all."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from journeys.engine.store.tables import Instant, Table

CLOCK = text("clock_timestamp()")


class Process(Table):
    """A process that is alive: it says so again and again. `schema`: the one that it works with.

    `kind` is worker or api; `ahead`, by how many seconds the database's clock is ahead of its own.
    """

    __tablename__ = "processes"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    version: Mapped[str]
    schema: Mapped[str]
    host: Mapped[str]
    pid: Mapped[int]
    began: Mapped[Instant] = mapped_column(server_default=CLOCK)
    seen: Mapped[Instant] = mapped_column(server_default=CLOCK)
    ahead: Mapped[float] = mapped_column(server_default=text("0"))


class Chore(Table):
    """A chore: what one process does for all, once in a while, and when that was done last."""

    __tablename__ = "chores"
    name: Mapped[str] = mapped_column(primary_key=True)
    done: Mapped[Instant]


class SchemaFit(Table):
    """In one row, the oldest schema whose program can work on the present one, so that versions run beside each other."""

    __tablename__ = "schema_fits"
    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    oldest: Mapped[str]
