"""What canvases change of people is told as their events are: each has its kind, and its place in their order."""

from alembic import op

revision = "0026"
down_revision = "0035"


def upgrade() -> None:
    op.execute("""
        alter table echoes add column kind text not null default 'event',
            add column no bigint not null default nextval('occurrence_no')
    """)
