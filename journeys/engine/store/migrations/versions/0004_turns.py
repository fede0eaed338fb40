"""Delivery goes in turns over the workspaces."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("drop index dispatches_drain")
    op.execute("create index dispatches_drain on dispatches (channel, workspace, priority, no)")
