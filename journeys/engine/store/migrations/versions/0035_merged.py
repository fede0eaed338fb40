"""Who was merged into whom, and former names that go on finding a person."""

from alembic import op

revision = "0035"
down_revision = "0030"


def upgrade() -> None:
    op.execute("""
        create table merged (
            workspace integer not null,
            old uuid not null,
            new uuid not null,
            stored timestamp with time zone default now() not null,
            constraint merged_pkey primary key (workspace, old)
        )
    """)
    op.execute("create index merged_new on merged (workspace, new)")
    op.execute("""
        create table former_names (
            workspace integer not null,
            sort text not null,
            value text not null,
            person uuid not null,
            stored timestamp with time zone default now() not null,
            constraint former_names_pkey primary key (workspace, sort, value)
        )
    """)
    op.execute("create index former_names_of on former_names (workspace, person)")
