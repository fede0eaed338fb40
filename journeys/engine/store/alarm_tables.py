"""The table of alarms that are not one entry's own: of several entries that wait for the same instant, and of runs."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from journeys.engine.store.tables import Instant, Now, Table


class AlarmRow(Table):
    """The alarm of several, whose workflow is `<id>:<generation>`; an entry alone is its own alarm, in its own row.

    `kind` is `entries` or `run`. `turn` goes up with every change from outside, `told` is the last that the workflow
    knows of, `at` the instant at which it wakes at first (null: at once).
    """

    __tablename__ = "alarms"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    canvas: Mapped[str]
    plan: Mapped[str]
    generation: Mapped[int] = mapped_column(server_default=text("0"))
    turn: Mapped[int] = mapped_column(server_default=text("1"))
    told: Mapped[int] = mapped_column(server_default=text("0"))
    priority: Mapped[int] = mapped_column(SmallInteger, server_default=text("1"))
    at: Mapped[Instant | None]
    moved: Mapped[Now]
    __table_args__ = (Index("alarms_untold", "moved", postgresql_where=text("told < turn")),)
