"""Tables of what people agreed to beside the channels themselves: their states in subscription groups."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from journeys.engine.store.tables import Instant, Now, Table


class Subscription(Table):
    """A person's state in a subscription group: subscribed or unsubscribed. No row: it was never said (CNS-1)."""

    __tablename__ = "subscriptions"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    person: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    """The name of the group."""
    state: Mapped[str]
    at: Mapped[Instant]
    channel: Mapped[str]
    """The channel of the group: who has unsubscribed from it is unsubscribed from the group as well (CNS-2)."""
    __table_args__ = (Index("subscriptions_of_group", "workspace", "name", "state"),)


class Address(Table):
    """What is known of an address or number on a channel, whoever has it, and whether or not somebody has (EML-5)."""

    __tablename__ = "addresses"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    address: Mapped[str] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str | None]
    """The consent that a call said of it last."""
    said: Mapped[Instant | None]
    """Since when."""
    bounced: Mapped[Instant | None]
    """Since when it is known that it does not exist."""
    __table_args__ = (Index("addresses_bounced", "workspace", "channel", "bounced"),)


class PreferenceCentre(Table):
    """A page on which people say what they want to hear (PFC-1). `page` and `confirmation` are HTML with Liquid."""

    __tablename__ = "preference_centres"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(unique=True)
    title: Mapped[str] = mapped_column(server_default="")
    page: Mapped[str]
    confirmation: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="active")
    created: Mapped[Now]
    edited: Mapped[Now]
