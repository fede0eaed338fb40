"""What a look-back needs: the attributes that an event is compared with, and which entry heard it."""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.execute("alter table events add compared jsonb")
    op.execute("""
        create table hearings (
            workspace integer not null,
            person uuid not null,
            canvas text not null,
            step text not null,
            no bigint not null,
            entry uuid not null,
            stored timestamp with time zone default now() not null,
            constraint hearings_pkey primary key (workspace, person, canvas, step, no)
        )
    """)
    op.execute("create index hearings_stored on hearings (stored)")
