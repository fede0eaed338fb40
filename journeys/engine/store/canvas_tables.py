"""The tables of canvases: how each stands now, and the log of how it came to that."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from journeys.engine.store.tables import Instant, Json, Now, Table


class CanvasRow(Table):
    """A canvas of a workspace and the plan by which people enter now.

    `status` and `change`, the number of its last change, go with the log of changes. `settled` is the change up to
    which those inside were seen to: who slept through a stop is woken, who was inside an archived one has left.
    """

    __tablename__ = "canvases"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(unique=True)
    plan: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="active")
    published: Mapped[Now]
    change: Mapped[int] = mapped_column(server_default=text("0"))
    settled: Mapped[int] = mapped_column(server_default=text("0"))
    __table_args__ = (
        Index("canvases_unsettled", "workspace", "name", postgresql_where=text("settled < change")),
    )


class CanvasChange(Table):
    """One change of a canvas: publish, stop, resume, archive. Only added to; `no` counts them, `who` did it."""

    __tablename__ = "canvas_changes"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    canvas: Mapped[str] = mapped_column(primary_key=True)
    no: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[Instant]
    kind: Mapped[str]
    who: Mapped[str] = mapped_column(server_default="")
    data: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    stored: Mapped[Instant] = mapped_column(server_default=text("clock_timestamp()"))
