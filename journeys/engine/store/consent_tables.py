"""Tables of what people agreed to beside the channels themselves: their states in subscription groups."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from journeys.engine.store.tables import Instant, Table


class Subscription(Table):
    """A person's state in a subscription group: subscribed or unsubscribed. No row: it was never said (CNS-1)."""

    __tablename__ = "subscriptions"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    person: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    """The name of the group."""
    state: Mapped[str]
    at: Mapped[Instant]
    __table_args__ = (Index("subscriptions_of_group", "workspace", "name", "state"),)
