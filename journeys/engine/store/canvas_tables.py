"""The tables of canvases: the current status of each, the log of its changes, its counters, whom it did not let in."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from journeys.engine.store.tables import Instant, Json, Now, Shard, Table


class CanvasRow(Table):
    """A canvas of a workspace and the plan by which people enter now.

    `status` and `change`, the number of its last change, follow the log of changes. `settled` is the change up to
    which all entries are up to date: those that slept through a stop or a pause are woken, those of an archived canvas have
    ended.
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
    launched: Mapped[Instant | None]
    """From when on its schedule counts, and `launched_schedule`, the one that does."""
    launched_schedule: Mapped[Json | None]
    __table_args__ = (
        Index("canvases_unsettled", "workspace", "name", postgresql_where=text("settled < change")),
    )


class CanvasChange(Table):
    """One change of a canvas: publish, stop, pause, resume, archive. Rows are only added.

    `no` counts them, `who` made it. `data`: the plan of a publication, the `timers` of a resume after a pause.
    """

    __tablename__ = "canvas_changes"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    canvas: Mapped[str] = mapped_column(primary_key=True)
    no: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[Instant]
    kind: Mapped[str]
    who: Mapped[str] = mapped_column(server_default="")
    data: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    stored: Mapped[Instant] = mapped_column(server_default=text("clock_timestamp()"))


class EntryCounter(Table):
    """How many of a canvas' entry limit entered in one period: an hour, a day, a run, or ever.

    `granted`: how many places the last transaction took that asked for some; it reads there what it got. `stale`: the
    limit counted by another period meanwhile, so it has to be counted again.
    """

    __tablename__ = "entry_counters"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    canvas: Mapped[str] = mapped_column(primary_key=True)
    period: Mapped[str] = mapped_column(primary_key=True)
    until: Mapped[Instant | None]
    entries: Mapped[int]
    granted: Mapped[int]
    stale: Mapped[bool] = mapped_column(server_default=text("false"))


class Refusal(Table):
    """Whom a gate of a canvas kept out: `at`, when it did so last, and `seen`, what it saw then; `times`, how often."""

    __tablename__ = "refusals"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    person: Mapped[UUID] = mapped_column(primary_key=True)
    canvas: Mapped[str] = mapped_column(primary_key=True)
    gate: Mapped[str] = mapped_column(primary_key=True)
    shard: Mapped[Shard]
    at: Mapped[Instant]
    seen: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    times: Mapped[int] = mapped_column(server_default=text("1"))
    __table_args__ = (Index("refusals_of_canvas", "workspace", "canvas", "gate"),)
