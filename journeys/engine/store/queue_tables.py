"""Tables of pending work: derived events, questions of steps, stored responses, broadcasts."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import BigInteger, Index, LargeBinary, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from journeys.engine.store.tables import Instant, Json, Now, Table


class DerivedEventRow(Table):
    """An event that a burst made, or a change: stored in the burst's transaction, heard in a later one."""

    __tablename__ = "echoes"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    person: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    at: Mapped[Instant]
    properties: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    hops: Mapped[int] = mapped_column(SmallInteger)
    stored: Mapped[Now]
    kind: Mapped[str] = mapped_column(server_default="event")
    no: Mapped[int] = mapped_column(BigInteger, server_default=text("nextval('occurrence_no')"))
    """They are heard in the order of their instants, and those of one instant in this one."""


class FetchRow(Table):
    """What a step wants to know of others: asked outside of any transaction, answered through the inbox.

    `tries`: how often they could not be reached; `not_before` holds back the next try.
    """

    __tablename__ = "fetches"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    person: Mapped[UUID] = mapped_column(primary_key=True)
    entry: Mapped[UUID] = mapped_column(primary_key=True)
    step: Mapped[str]
    at: Mapped[Instant]
    no: Mapped[int] = mapped_column(BigInteger, server_default=text("nextval('dispatch_no')"))
    priority: Mapped[int] = mapped_column(SmallInteger, server_default=text("1"))
    tries: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    not_before: Mapped[Instant | None]
    claim: Mapped[UUID | None]
    lease: Mapped[Instant | None]
    stored: Mapped[Now]
    __table_args__ = (
        Index("fetches_drain", "priority", "no"),
        Index("fetches_of", "workspace", "priority", "no"),
    )


class Reply(Table):
    """The answer to a call that carried an `Idempotency-Key`: given again for 24 hours, the work done once."""

    __tablename__ = "replies"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    route: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int]
    body: Mapped[Json]
    stored: Mapped[Now]
    __table_args__ = (Index("replies_stored", "stored"),)


class Hearing(Table):
    """Which entry of a person heard an event at a step, where several could have. Kept as long as digests of events."""

    __tablename__ = "hearings"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    person: Mapped[UUID] = mapped_column(primary_key=True)
    canvas: Mapped[str] = mapped_column(primary_key=True)
    step: Mapped[str] = mapped_column(primary_key=True)
    no: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    entry: Mapped[UUID]
    stored: Mapped[Now]
    __table_args__ = (Index("hearings_stored", "stored"),)


class Broadcast(Table):
    """An entry by API for an audience, on its way: people are taken by their ids, `after` the last one.

    `tries`: how often its next page was begun and not finished; `reason`: why it failed last, or was set aside.
    """

    __tablename__ = "broadcasts"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    canvas: Mapped[str]
    audience: Mapped[Json | None]
    context: Mapped[Json]
    after: Mapped[UUID | None]
    entered: Mapped[int] = mapped_column(server_default=text("0"))
    tries: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    reason: Mapped[str | None]
    lease: Mapped[Instant | None]
    ended: Mapped[Instant | None]
    stored: Mapped[Now]
    __table_args__ = (Index("broadcasts_open", "stored", postgresql_where=text("ended is null")),)
