"""The tables of who may call the API, beside the keys, and of how often they do."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import BigInteger, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from journeys.engine.store.tables import Instant, Now, Table


class AppRow(Table):
    """An app of a workspace (WSP-2). `publishable`: its key, which is no secret."""

    __tablename__ = "apps"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    platform: Mapped[str]
    publishable: Mapped[str] = mapped_column(unique=True)
    created: Mapped[Now]
    last_seen: Mapped[Instant | None]
    __table_args__ = (UniqueConstraint("workspace", "name"),)


class RateLimit(Table):
    """Calls of a window that have been given out to the API processes. `opened`: the epoch second it began at.

    `part`: of what each part of the bucket is counted by itself; else empty. `granted`: the last block.
    """

    __tablename__ = "rate_limits"
    workspace: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    bucket: Mapped[str] = mapped_column(primary_key=True)
    part: Mapped[str] = mapped_column(primary_key=True)
    opened: Mapped[int] = mapped_column(BigInteger)
    used: Mapped[int] = mapped_column(BigInteger)
    granted: Mapped[int] = mapped_column(BigInteger)


class ApiUsage(Table):
    """The calls of a key to a route within an hour. `refused`: those of them that were too many."""

    __tablename__ = "api_usage"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    hour: Mapped[Instant] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    endpoint: Mapped[str] = mapped_column(primary_key=True)
    calls: Mapped[int] = mapped_column(BigInteger)
    refused: Mapped[int] = mapped_column(BigInteger)


class LimitPeak(Table):
    """The window of an hour in which a limit came nearest to its end: `used` of `calls`."""

    __tablename__ = "limit_peaks"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    hour: Mapped[Instant] = mapped_column(primary_key=True)
    bucket: Mapped[str] = mapped_column(primary_key=True)
    calls: Mapped[int] = mapped_column(BigInteger)
    used: Mapped[int] = mapped_column(BigInteger)
