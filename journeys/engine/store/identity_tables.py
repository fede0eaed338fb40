"""The tables of identity: who was merged into whom, and former names that go on finding a person."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from journeys.engine.store.tables import Now, Table


class Merged(Table):
    """A person `old` who is one with the person `new`, who is there. Kept as long as `new` is: links and ids live on.

    There are no chains: whoever was merged into `old` before stands here with the same `new`.
    """

    __tablename__ = "merged"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    old: Mapped[UUID] = mapped_column(primary_key=True)
    new: Mapped[UUID]
    stored: Mapped[Now]
    __table_args__ = (Index("merged_new", "workspace", "new"),)


class FormerName(Table):
    """A name that finds a person beside their own: an external id that they had (IDN-29), an anonymous id of another device."""

    __tablename__ = "former_names"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    sort: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(primary_key=True)
    person: Mapped[UUID]
    stored: Mapped[Now]
    __table_args__ = (Index("former_names_of", "workspace", "person"),)
