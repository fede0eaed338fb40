"""What context steps want to know of others."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute("""
        create table fetches (
            workspace integer not null,
            person uuid not null,
            entry uuid not null,
            step text not null,
            at timestamp with time zone not null,
            no bigint default nextval('dispatch_no') not null,
            priority smallint default 1 not null,
            tries smallint default 0 not null,
            not_before timestamp with time zone,
            claim uuid,
            lease timestamp with time zone,
            stored timestamp with time zone default now() not null,
            constraint fetches_pkey primary key (workspace, person, entry)
        )
    """)
    op.execute("create index fetches_drain on fetches (priority, no)")
