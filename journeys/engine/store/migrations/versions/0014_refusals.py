"""Who was kept out of a canvas, by which gate, what it saw, and how often: a row each, in the place of a fact each time."""

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.execute("""
        create table refusals (
            workspace integer not null,
            person uuid not null,
            canvas text not null,
            gate text not null,
            shard smallint not null,
            at timestamp with time zone not null,
            seen jsonb default '{}' not null,
            times integer default 1 not null,
            constraint refusals_pkey primary key (workspace, person, canvas, gate)
        )
    """)
    op.execute("create index refusals_of_canvas on refusals (workspace, canvas, gate)")
