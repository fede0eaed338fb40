"""Tables of what is counted as it arrives: how often each person did what, and what they spent."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from journeys.engine.store.tables import Instant, Shard, Table


class EventCount(Table):
    """How often a person did a thing in all, and when first and last (EVT-3). A trigger on `events` keeps it up."""

    __tablename__ = "event_counts"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    person: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    shard: Mapped[Shard]
    count: Mapped[int] = mapped_column(BigInteger)
    first: Mapped[Instant]
    last: Mapped[Instant]


class Spending(Table):
    """What a person spent on a product in a currency (PUR-2, PUR-3). A trigger on `events` keeps it up."""

    __tablename__ = "spending"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    person: Mapped[UUID] = mapped_column(primary_key=True)
    product: Mapped[str] = mapped_column(primary_key=True)
    currency: Mapped[str] = mapped_column(primary_key=True)
    shard: Mapped[Shard]
    amount: Mapped[Decimal]
