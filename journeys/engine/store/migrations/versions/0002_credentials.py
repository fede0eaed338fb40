"""Credentials for web services, and how often a message waited for one."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("""
        create table credentials (
            workspace integer not null,
            name text not null,
            kind text not null,
            domains text[] not null,
            sealed bytea not null,
            stored timestamp with time zone default now() not null,
            constraint credentials_pkey primary key (workspace, name)
        )
    """)
    op.execute("alter table dispatches add column waits smallint default 0 not null")
