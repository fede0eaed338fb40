"""Answers to repeated calls by their age: those past their time are deleted without a look at the others."""

from alembic import op

from journeys.engine.store.index_changes import make_index

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    make_index(op, "replies_stored", "replies (stored)")
