"""How many of a canvas' entry limit have entered, by hour, day, run, or ever."""

from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.execute("""
        create table entry_counters (
            workspace integer not null,
            canvas text not null,
            period text not null,
            until timestamp with time zone,
            entries integer not null,
            granted integer not null,
            stale boolean default false not null,
            constraint entry_counters_pkey primary key (workspace, canvas, period)
        )
    """)
