"""What is known of addresses and numbers, whoever has them."""

from alembic import op

revision = "0032"
down_revision = "0031"


def upgrade() -> None:
    op.execute("""
        create table addresses (
            workspace integer not null,
            address text not null,
            channel text not null,
            state text,
            said timestamp with time zone,
            bounced timestamp with time zone,
            constraint addresses_pkey primary key (workspace, address, channel)
        )
    """)
    op.execute("create index addresses_bounced on addresses (workspace, channel, bounced)")
    op.execute("create index consents_of_state on consents (workspace, channel, state, at)")
