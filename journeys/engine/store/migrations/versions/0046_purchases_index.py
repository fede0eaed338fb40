"""Purchases by their instants, for series by day and hour."""

from alembic import op

from journeys.engine.store.index_changes import make_partitioned_index

revision = "0046"
down_revision = "0045"


def upgrade() -> None:
    make_partitioned_index(op, "events_purchases", "events", "(workspace, at) where kind = 'purchase'")
