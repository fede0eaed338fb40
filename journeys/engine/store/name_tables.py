"""The names that people's events, purchases and attributes came under, so that they can be listed."""

from __future__ import annotations

from sqlalchemy.orm import Mapped, mapped_column

from journeys.engine.store.tables import Now, Table


class KnownName(Table):
    """A name that was used: of an event, of a product, or of a custom attribute. `type`: of an attribute's first value."""

    __tablename__ = "known_names"
    workspace: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    type: Mapped[str | None]
    stored: Mapped[Now]
