"""Which processes are alive, and of which version they are."""

from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.execute("""
        create table processes (
            id uuid not null,
            kind text not null,
            version text not null,
            schema text not null,
            host text not null,
            pid integer not null,
            began timestamp with time zone default clock_timestamp() not null,
            seen timestamp with time zone default clock_timestamp() not null,
            ahead double precision default 0 not null,
            constraint processes_pkey primary key (id)
        )
    """)
