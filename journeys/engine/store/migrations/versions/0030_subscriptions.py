"""The states of people in subscription groups."""

from alembic import op

revision = "0030"
down_revision = "0025"


def upgrade() -> None:
    op.execute("""
        create table subscriptions (
            workspace integer not null,
            person uuid not null,
            name text not null,
            state text not null,
            at timestamp with time zone not null,
            constraint subscriptions_pkey primary key (workspace, person, name)
        )
    """)
    op.execute("create index subscriptions_of_group on subscriptions (workspace, name, state)")
