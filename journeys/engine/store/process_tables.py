"""The table of what one of the processes on the database does for all."""

from __future__ import annotations

from sqlalchemy.orm import Mapped, mapped_column

from journeys.engine.store.tables import Instant, Table


class Chore(Table):
    """A chore: what one process does for all, once in a while, and when that was done last."""

    __tablename__ = "chores"
    name: Mapped[str] = mapped_column(primary_key=True)
    done: Mapped[Instant]
