"""The oldest schema whose program can work on this one: a migration that takes something away raises it."""

from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.execute("""
        create table schema_fits (
            id smallint not null,
            oldest text not null,
            constraint schema_fits_pkey primary key (id)
        )
    """)
    op.execute("insert into schema_fits values (1, '0020')")
