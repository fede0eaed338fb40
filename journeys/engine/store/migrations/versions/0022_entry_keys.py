"""Entries have the key by which a person may be in a canvas several times at once: one entry for each."""

from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.execute("alter table entries add column entry_key jsonb")
