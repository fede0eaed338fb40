"""Calls of a window that have been given out to the API processes."""

from alembic import op

revision = "0070"
down_revision = "0055"


def upgrade() -> None:
    op.execute("""
        create table rate_limits (
            workspace integer not null,
            bucket text not null,
            part text not null,
            opened bigint not null,
            used bigint not null,
            granted bigint not null,
            constraint rate_limits_pkey primary key (workspace, bucket, part)
        )
    """)
