"""Tables of what templates read besides profiles: catalogs, content blocks, promotion codes, shopping carts."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from journeys.engine.store.tables import Instant, Json, Now, Table

JsonList = Annotated[list[Any], mapped_column(JSONB)]


class CatalogRow(Table):
    """A table of items: its fields in their order, each `{name, type}`, the first of them `id` (CAT-1)."""

    __tablename__ = "catalogs"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    description: Mapped[str] = mapped_column(server_default="")
    fields: Mapped[JsonList]
    created: Mapped[Now]
    updated: Mapped[Now]


class CatalogItem(Table):
    """One item of a catalog: its values by field, with its id among them, each of its field's type (CAT-2)."""

    __tablename__ = "catalog_items"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    catalog: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    payload: Mapped[Json]
    updated: Mapped[Now]


class CatalogSelection(Table):
    """A question to a catalog that has a name: filters, order, limit (CAT-5)."""

    __tablename__ = "catalog_selections"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    catalog: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    body: Mapped[Json]
    created: Mapped[Now]


class ContentBlockRow(Table):
    """A piece of content that many templates share (B1 to B3). `content` is that of the newest version."""

    __tablename__ = "content_blocks"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(unique=True)
    description: Mapped[str] = mapped_column(server_default="")
    state: Mapped[str] = mapped_column(server_default="active")
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    version: Mapped[int] = mapped_column(server_default=text("1"))
    content: Mapped[str]
    created: Mapped[Now]
    edited: Mapped[Now]
    owner: Mapped[str] = mapped_column(server_default="api")
    """Who manages it: file or api."""


class EmailTemplateRow(Table):
    """What is known of a template for mails beside its definition. `title`: the name that the API gave it.

    `owner` manages it: file or api. `inline_css` is what the API said of it.
    """

    __tablename__ = "email_templates"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(unique=True)
    title: Mapped[str]
    owner: Mapped[str]
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    inline_css: Mapped[bool] = mapped_column(server_default=text("false"))
    created: Mapped[Now]
    edited: Mapped[Now]


class ContentBlockVersion(Table):
    """What a content block was at one time. Only added to."""

    __tablename__ = "content_block_versions"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    content: Mapped[str]
    stored: Mapped[Now]


class PromotionList(Table):
    """A list of promotion codes, by the snippet that templates name (P1). No code of it leaves after `expires`."""

    __tablename__ = "promotion_lists"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    expires: Mapped[Instant]
    created: Mapped[Now]


class PromotionCode(Table):
    """A code: unused, or charged to one send (P2) permanently. `send` names an entry and its step."""

    __tablename__ = "promotion_codes"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    list: Mapped[str] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True)
    no: Mapped[int] = mapped_column(BigInteger, server_default=text("nextval('promotion_no')"))
    send: Mapped[str | None]
    person: Mapped[UUID | None]
    charged: Mapped[Instant | None]
    __table_args__ = (
        Index("promotion_codes_free", "workspace", "list", "no", postgresql_where=text("send is null")),
        Index("promotion_codes_person", "workspace", "person", postgresql_where=text("person is not null")),
        Index(
            "promotion_codes_send",
            "workspace",
            "send",
            "list",
            unique=True,
            postgresql_where=text("send is not null"),
        ),
    )


class Cart(Table):
    """A person's shopping cart, built from events (S1). `ordered`: the person has bought it."""

    __tablename__ = "carts"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    person: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    body: Mapped[Json]
    ordered: Mapped[bool] = mapped_column(server_default=text("false"))
    at: Mapped[Instant]
    """The instant of the newest event about it: an older one changes nothing."""
