"""The questions of steps by workspace, in the order in which they are asked: each workspace has a share of a batch."""

from alembic import op

from journeys.engine.store.index_changes import make_index

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    make_index(op, "fetches_of", "fetches (workspace, priority, no)")
