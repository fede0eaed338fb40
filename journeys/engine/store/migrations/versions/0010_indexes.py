"""Entries that have ended and windows by their end: what a look-back reads."""

from alembic import op

from journeys.engine.store.index_changes import drop_index, make_index

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    make_index(op, "entries_ended", "entries (workspace, person, ended_at) where ended is not null")
    make_index(op, "conversions_until", "conversions (workspace, person, until)")
    drop_index(op, "conversions_open")
