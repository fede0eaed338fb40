"""Preference centres: pages on which people say what they want to hear."""

from alembic import op

revision = "0033"
down_revision = "0032"


def upgrade() -> None:
    op.execute("""
        create table preference_centres (
            workspace integer not null,
            name text not null,
            id uuid not null,
            title text not null default '',
            page text not null,
            confirmation text not null,
            state text not null default 'active',
            created timestamp with time zone not null default now(),
            edited timestamp with time zone not null default now(),
            constraint preference_centres_pkey primary key (workspace, name),
            constraint preference_centres_id_key unique (id)
        )
    """)
