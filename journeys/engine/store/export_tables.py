"""Exports of many people to files."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import BigInteger, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from journeys.engine.store.tables import Instant, Json, Now, Table


class ExportRow(Table):
    """An export: of a segment, or of the global control group (then `segment` is none).

    `after` is the last person who is in a file, `files` and `people` count what is written; `written`: all of it is.
    `claim` and `lease` say which process works on it, and until when no other does. Instants are the database's own, but
    for `at`, on the clock of canvases: as of then the segment is judged.
    """

    __tablename__ = "exports"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    segment: Mapped[str | None]
    wanted: Mapped[Json]
    format: Mapped[str]
    prefix: Mapped[str]
    callback: Mapped[str | None]
    at: Mapped[Instant]
    stored: Mapped[Now]
    after: Mapped[UUID | None]
    files: Mapped[int] = mapped_column(server_default=text("0"))
    people: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    written: Mapped[Instant | None]
    ended: Mapped[Instant | None]
    claim: Mapped[UUID | None]
    lease: Mapped[Instant | None]
    tries: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    not_before: Mapped[Instant | None]
    reason: Mapped[str | None]
    """Why the last try failed; of one that has ended without being written, why it has."""
    __table_args__ = (
        Index(
            "exports_running",
            "workspace",
            text("coalesce(segment, '')"),
            unique=True,
            postgresql_where=text("ended is null"),
        ),
    )
