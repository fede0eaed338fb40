"""Alarms of several entries that wait for the same instant, and of runs: a row each, with what its workflow knows."""

from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    op.execute("""
        create table alarms (
            workspace integer not null,
            id uuid not null,
            kind text not null,
            canvas text not null,
            plan text not null,
            generation integer default 0 not null,
            turn integer default 1 not null,
            told integer default 0 not null,
            priority smallint default 1 not null,
            at timestamp with time zone,
            moved timestamp with time zone default now() not null,
            constraint alarms_pkey primary key (workspace, id)
        )
    """)
    op.execute("create index alarms_untold on alarms (moved) where told < turn")
