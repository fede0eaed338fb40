"""The clock that all processes on the database share, where the canvas' time is not the real one."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute("""
        create table clock (
            id smallint not null,
            scale double precision not null,
            start timestamp with time zone not null,
            begins timestamp with time zone not null,
            until timestamp with time zone not null,
            constraint clock_pkey primary key (id)
        )
    """)
