"""Broadcasts whose pages fail are counted, and set aside with the reason."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.execute("alter table broadcasts add tries smallint default 0 not null, add reason text")
