"""Exports of many people to files."""

from alembic import op

revision = "0048"
down_revision = "0047"


def upgrade() -> None:
    op.execute("""
        create table exports (
            workspace integer not null,
            id uuid not null,
            segment text,
            wanted jsonb not null,
            format text not null,
            prefix text not null,
            callback text,
            at timestamp with time zone not null,
            stored timestamp with time zone default now() not null,
            after uuid,
            files integer default 0 not null,
            people bigint default 0 not null,
            written timestamp with time zone,
            ended timestamp with time zone,
            claim uuid,
            lease timestamp with time zone,
            tries smallint default 0 not null,
            not_before timestamp with time zone,
            reason text,
            constraint exports_pkey primary key (workspace, id)
        )
    """)
    op.execute(
        "create unique index exports_running on exports (workspace, coalesce(segment, '')) where ended is null"
    )
