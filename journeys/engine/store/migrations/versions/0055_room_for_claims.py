"""Pages of dispatches with room for a second version of each row, so that a claim and a mark change no index."""

from alembic import op

revision = "0055"
down_revision = "0080"


def upgrade() -> None:
    op.execute("alter table dispatches set (fillfactor = 45)")
