"""A key is rotated: its former secret is accepted for a while beside the new one."""

from alembic import op

revision = "0013"
down_revision = "0010"


def upgrade() -> None:
    op.execute(
        "alter table api_keys add former_digest bytea, add former_prefix text, "
        "add former_until timestamptz, add former_seen timestamptz"
    )
    op.execute("alter table api_keys add constraint api_keys_former_digest_key unique (former_digest)")
