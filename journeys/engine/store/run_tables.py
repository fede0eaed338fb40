"""The tables of runs: each opening of a canvas for many people at once, and who is among them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, SmallInteger, text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from journeys.engine.store.tables import Instant, Json, Now, Table


class RunRow(Table):
    """One opening of a canvas for an audience: by its schedule, by a broadcast of the API, or by a trigger for later.

    `occurrence` numbers those of a schedule from its launch on. `wall` is what the clock on the wall shows; `instant`
    is the same for everybody, null where it is each person's own clock. `at` is when it begins, `wake_at`
    when it goes on, `due` up to when the audience was asked. `state` is waiting, running, done, stopped, missed, withdrawn or set_aside; a `held` run lets
    nobody in. `tries` counts how often its next page was begun and not finished.
    """

    __tablename__ = "runs"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    canvas: Mapped[str]
    kind: Mapped[str]
    launched: Mapped[Instant | None]
    occurrence: Mapped[int] = mapped_column(server_default=text("1"))
    wall: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=False))
    instant: Mapped[Instant | None]
    at: Mapped[Instant]
    state: Mapped[str] = mapped_column(server_default="waiting")
    held: Mapped[bool] = mapped_column(server_default=text("false"))
    audience: Mapped[Json | None]
    recipients: Mapped[Json | None]
    context: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    best_time: Mapped[str | None]
    """Each person at their best time of the day; at this one where it is not known."""
    wake_at: Mapped[Instant]
    due: Mapped[Instant | None]
    members: Mapped[int] = mapped_column(server_default=text("0"))
    entered: Mapped[int] = mapped_column(server_default=text("0"))
    refused: Mapped[int] = mapped_column(server_default=text("0"))
    gates: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    """How many each gate kept out."""
    failed: Mapped[int] = mapped_column(server_default=text("0"))
    gone: Mapped[int] = mapped_column(server_default=text("0"))
    merged: Mapped[int] = mapped_column(server_default=text("0"))
    tries: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    reason: Mapped[str | None]
    began: Mapped[Instant | None]
    """On the database's clock, as `moved`, `ended` and `stored`."""
    moved: Mapped[Now]
    ended: Mapped[Instant | None]
    stored: Mapped[Now]
    __table_args__ = (
        Index("runs_of_canvas", "workspace", "canvas", "at"),
        Index("runs_open", "wake_at", postgresql_where=text("ended is null")),
    )


class RunMember(Table):
    """Somebody who is in a run that is not over. `at` is the instant of their occurrence.

    `outcome` is entered, refused, failed, gone or merged; null before their turn.
    """

    __tablename__ = "run_members"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    person: Mapped[UUID] = mapped_column(primary_key=True)
    run: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[Instant]
    context: Mapped[Json | None]
    """Their own, where they were named with one."""
    outcome: Mapped[str | None]
    __table_args__ = (Index("run_members_of_run", "workspace", "run", "person"),)
