"""Every table, typed. Tests compare the migrations with these.

Primary keys begin with (workspace, person, …), so that the schema spreads over any PostgreSQL that distributes by key;
what belongs to a person carries `shard`. Facts and events are partitioned by the month in which they were stored.
`at`, `until`, `begun` … are instants of the canvas' time; `stored` and `moved` are the database's own.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, LargeBinary, MetaData, SmallInteger, Text, UniqueConstraint, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

SHARDS = 1024
"""How many shards people are dealt to: `shard = hash(person) % 1024`."""

NAMES = {
    "ix": "%(table_name)s_%(column_0_N_name)s",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "pk": "%(table_name)s_pkey",
}

Instant = Annotated[datetime, mapped_column(TIMESTAMP(timezone=True))]
Json = Annotated[dict[str, Any], mapped_column(JSONB)]
Now = Annotated[datetime, mapped_column(TIMESTAMP(timezone=True), server_default=text("now()"))]
Shard = Annotated[int, mapped_column(SmallInteger)]


class Table(DeclarativeBase):
    """What all tables share: types and the way that keys are named."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {str: Text, UUID: postgresql.UUID(as_uuid=True)}


class Workspace(Table):
    """A tenant. `secret` signs its links; `zone` is the company's; `revision` counts publications."""

    __tablename__ = "workspaces"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    zone: Mapped[str] = mapped_column(server_default="UTC")
    settings: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    revision: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    created: Mapped[Now]


class ApiKey(Table):
    """A key of one workspace: only its SHA-256 is kept (API-3). `former_*`: the secret before its last rotation."""

    __tablename__ = "api_keys"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    prefix: Mapped[str]
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    permissions: Mapped[list[str]] = mapped_column(ARRAY(Text))
    networks: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    created: Mapped[Now]
    last_seen: Mapped[Instant | None]
    former_digest: Mapped[bytes | None] = mapped_column(LargeBinary, unique=True)
    former_prefix: Mapped[str | None]
    former_until: Mapped[Instant | None]
    former_seen: Mapped[Instant | None]
    __table_args__ = (UniqueConstraint("workspace", "name"),)


class ClockRow(Table):
    """The clock of the whole database, in one row, where the canvas' time is not the real one.

    At the real instant `start` it was `begins`, and it goes `scale` times as fast. `until` is the real instant up to
    which some process has gone by it.
    """

    __tablename__ = "clock"
    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    scale: Mapped[float]
    start: Mapped[Instant]
    begins: Mapped[Instant]
    until: Mapped[Instant]


class CredentialRow(Table):
    """What is sent along to web services of some domains: `sealed` opens only with the operator's key."""

    __tablename__ = "credentials"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    domains: Mapped[list[str]] = mapped_column(ARRAY(Text))
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    stored: Mapped[Now]


class Person(Table):
    """A profile: what is known of one person, from anonymous to identified (IDN-1). `bucket` is 0–9999 (IDN-10)."""

    __tablename__ = "people"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    shard: Mapped[Shard]
    external_id: Mapped[str | None]
    anonymous_id: Mapped[str | None]
    email: Mapped[str | None]
    phone: Mapped[str | None]
    first_name: Mapped[str | None]
    last_name: Mapped[str | None]
    language: Mapped[str | None]
    country: Mapped[str | None]
    zone: Mapped[str | None]
    bucket: Mapped[int] = mapped_column(SmallInteger)
    standard: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    attributes: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    summary: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    created: Mapped[Now]
    updated: Mapped[Now]
    __table_args__ = (
        Index(
            "people_external_id",
            "workspace",
            "external_id",
            unique=True,
            postgresql_where=text("external_id is not null"),
        ),
        Index(
            "people_anonymous_id",
            "workspace",
            "anonymous_id",
            unique=True,
            postgresql_where=text("anonymous_id is not null"),
        ),
        Index("people_email", "workspace", "email", postgresql_where=text("email is not null")),
        Index("people_phone", "workspace", "phone", postgresql_where=text("phone is not null")),
    )


class Alias(Table):
    """Another name for a person: at most one per label, unique per label in the workspace (IDN-3)."""

    __tablename__ = "aliases"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    person: Mapped[UUID] = mapped_column(primary_key=True)
    label: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    __table_args__ = (UniqueConstraint("workspace", "label", "name"),)


class Consent(Table):
    """What a person agreed to hear on a channel: opted_in, subscribed or unsubscribed. No row: subscribed."""

    __tablename__ = "consents"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    person: Mapped[UUID] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]
    at: Mapped[Instant]
    __table_args__ = (Index("consents_of_state", "workspace", "channel", "state", "at"),)


class Occurrence(Table):
    """Something that a person did, or that happened to a message to them. Rows are only added.

    `kind` is event, purchase or message; `no` is drawn under the person's lock, so it orders their events. `hops` counts how
    often an event made a canvas make an event.
    """

    __tablename__ = "events"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    person: Mapped[UUID] = mapped_column(primary_key=True)
    no: Mapped[int] = mapped_column(
        BigInteger, primary_key=True, server_default=text("nextval('occurrence_no')")
    )
    stored: Mapped[Now] = mapped_column(primary_key=True)
    shard: Mapped[Shard]
    kind: Mapped[str]
    name: Mapped[str]
    at: Mapped[Instant]
    properties: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    hops: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    compared: Mapped[Json | None]
    """The attributes that triggers compare it with, as they were; none where no trigger does."""
    former: Mapped[UUID | None]
    """The person as whose it was stored, where that person was merged into `person` since (IDN-18)."""
    __table_args__ = (
        Index("events_of", "workspace", "person", "kind", "name", "at"),
        Index("events_purchases", "workspace", "at", postgresql_where=text("kind = 'purchase'")),
        {"postgresql_partition_by": "RANGE (stored)"},
    )


class Seen(Table):
    """What refuses doubles: the digest of an event's id. Kept for a stated time."""

    __tablename__ = "seen"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    person: Mapped[UUID] = mapped_column(primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    stored: Mapped[Now]
    __table_args__ = (Index("seen_stored", "stored"),)


class Fact(Table):
    """What became of entries and messages, in a log that is only added to. `dispatch` names the message."""

    __tablename__ = "facts"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    person: Mapped[UUID] = mapped_column(primary_key=True)
    no: Mapped[int] = mapped_column(BigInteger, primary_key=True, server_default=text("nextval('fact_no')"))
    stored: Mapped[Now] = mapped_column(primary_key=True)
    shard: Mapped[Shard]
    fact: Mapped[str]
    at: Mapped[Instant]
    canvas: Mapped[str | None]
    entry: Mapped[UUID | None]
    step: Mapped[str | None]
    dispatch: Mapped[str | None]
    data: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    former: Mapped[UUID | None]
    """As that of an event."""
    __table_args__ = (
        Index("facts_of_entry", "workspace", "person", "entry"),
        Index("facts_of_canvas", "workspace", "canvas", "fact", "step"),
        {"postgresql_partition_by": "RANGE (stored)"},
    )


class Definition(Table):
    """A published definition beside canvases: segment, template, workspace … The newest of a name is in force."""

    __tablename__ = "definitions"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    hash: Mapped[str]
    body: Mapped[Json]
    published: Mapped[Now]


class PlanRow(Table):
    """A compiled canvas as canonical JSON; its id is `name@hash`. Never changed, kept as long as an entry names it."""

    __tablename__ = "plans"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    canvas: Mapped[str]
    body: Mapped[Json]
    published: Mapped[Now]


class EntryRow(Table):
    """One person's run through one canvas: the unit of state.

    `turn` goes up with every change, `answered` is the turn of the last burst's reply to its workflow, `told` the
    last that the workflow knows of. `alarm` names the workflow that wakes it: `<alarm>:<generation>`. `admission_key` (the
    column `key`) makes admission repeatable: with the same one no one enters twice. `entry_key` is what the canvas' `key`
    named when the person entered: they have one open entry for each. `alarm_at` is `wake_at`, and the grace for events on their
    way where the step listens.
    """

    __tablename__ = "entries"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    person: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    shard: Mapped[Shard]
    canvas: Mapped[str]
    plan: Mapped[str]
    admission_key: Mapped[str] = mapped_column("key")
    entry_key: Mapped[Any | None] = mapped_column(JSONB)
    alarm: Mapped[UUID]
    generation: Mapped[int] = mapped_column(server_default=text("0"))
    turn: Mapped[int] = mapped_column(server_default=text("1"))
    answered: Mapped[int] = mapped_column(server_default=text("0"))
    told: Mapped[int] = mapped_column(server_default=text("0"))
    moved: Mapped[Now]
    """On the database's clock: the sweep leaves rows younger than a second alone."""
    priority: Mapped[int] = mapped_column(SmallInteger, server_default=text("1"))
    entered: Mapped[Instant]
    at: Mapped[Instant]
    """The instant of the last event that the entry heard: the machine's `moved`."""
    variant: Mapped[str | None]
    step: Mapped[str | None]
    begun: Mapped[Instant | None]
    wake_at: Mapped[Instant | None]
    alarm_at: Mapped[Instant | None]
    phase: Mapped[str] = mapped_column(server_default="")
    leaving: Mapped[str | None]
    ended: Mapped[str | None]
    ended_at: Mapped[Instant | None]
    context: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    properties: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    heard: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    hops: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    change: Mapped[int] = mapped_column(server_default=text("0"))
    """The last change of its canvas that the entry has behind it."""
    __table_args__ = (
        Index("entries_key", "workspace", "canvas", "person", "key", unique=True),
        Index("entries_of", "workspace", "person", "canvas", "entered"),
        Index("entries_open", "workspace", "person", postgresql_where=text("ended is null")),
        Index("entries_ended", "workspace", "person", "ended_at", postgresql_where=text("ended is not null")),
        Index("entries_alarm", "alarm", postgresql_where=text("ended is null")),
        Index("entries_untold", "moved", postgresql_where=text("told < turn")),
        Index("entries_due", "alarm_at", postgresql_where=text("ended is null")),
    )


class InboxRow(Table):
    """What an entry should hear and has not heard: judged for the step `step`, dropped when the entry leaves it.

    `what` is happened, delivered or answered; `label` is the trigger's label, the outcome of the delivery, or found.
    """

    __tablename__ = "inbox"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    person: Mapped[UUID] = mapped_column(primary_key=True)
    entry: Mapped[UUID] = mapped_column(primary_key=True)
    no: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    step: Mapped[str]
    what: Mapped[str]
    label: Mapped[str]
    kind: Mapped[str] = mapped_column(server_default="event")
    name: Mapped[str] = mapped_column(server_default="")
    at: Mapped[Instant]
    properties: Mapped[Json] = mapped_column(server_default=text("'{}'"))


class Dispatch(Table):
    """A message that is to leave; the table holds only the unsent, what was sent is a fact.

    `state` is queued, claimed (may be taken over freely when its lease expires), calling (in doubt then) or erased
    (claimed, and its person was erased: it is not called for).
    `context` and `properties` are what its template needs of the entry; `not_before` holds back a repetition.
    """

    __tablename__ = "dispatches"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    person: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    shard: Mapped[Shard]
    no: Mapped[int] = mapped_column(BigInteger, server_default=text("nextval('dispatch_no')"))
    entry: Mapped[UUID]
    canvas: Mapped[str]
    plan: Mapped[str]
    step: Mapped[str]
    variant: Mapped[str | None]
    channel: Mapped[str]
    at: Mapped[Instant]
    context: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    properties: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    held: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether the entry waits for what becomes of it."""
    priority: Mapped[int] = mapped_column(SmallInteger, server_default=text("1"))
    state: Mapped[str] = mapped_column(server_default="queued")
    claim: Mapped[UUID | None]
    lease: Mapped[Instant | None]
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    """How often its provider failed."""
    waits: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    """How often it waited for a web service of its template."""
    not_before: Mapped[Instant | None]
    created: Mapped[Now]
    change: Mapped[int] = mapped_column(server_default=text("0"))
    """The last change of its canvas when it was queued."""
    __table_args__ = (
        Index("dispatches_drain", "channel", "workspace", "priority", "no"),
        Index("dispatches_of_entry", "workspace", "person", "entry"),
        Index("dispatches_key", "key"),
    )


class Conversion(Table):
    """An open window: what would count as a conversion of this entry, until when, and when it was credited (CNV-4)."""

    __tablename__ = "conversions"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    person: Mapped[UUID] = mapped_column(primary_key=True)
    entry: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    shard: Mapped[Shard]
    canvas: Mapped[str]
    plan: Mapped[str]
    variant: Mapped[str | None]
    since: Mapped[Instant]
    until: Mapped[Instant]
    at: Mapped[Instant | None]
    step: Mapped[str | None]
    """The step whose message was the latest that the person had received in this entry by then, if any (ANA-1, ANA-2)."""
    revenue: Mapped[str | None]
    __table_args__ = (
        Index("conversions_until", "workspace", "person", "until"),
        Index("conversions_of", "workspace", "canvas", "name"),
    )
