"""Runs: each opening of a canvas for many people, with who is among them; broadcasts become such runs."""

from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    op.execute("alter table canvases add launched timestamp with time zone, add launched_schedule jsonb")
    op.execute("""
        create table runs (
            workspace integer not null,
            id uuid not null,
            canvas text not null,
            kind text not null,
            launched timestamp with time zone,
            occurrence integer default 1 not null,
            wall timestamp without time zone,
            instant timestamp with time zone,
            at timestamp with time zone not null,
            state text default 'waiting' not null,
            held boolean default false not null,
            audience jsonb,
            recipients jsonb,
            context jsonb default '{}' not null,
            best_time text,
            wake_at timestamp with time zone not null,
            due timestamp with time zone,
            members integer default 0 not null,
            entered integer default 0 not null,
            refused integer default 0 not null,
            gates jsonb default '{}' not null,
            failed integer default 0 not null,
            gone integer default 0 not null,
            merged integer default 0 not null,
            tries smallint default 0 not null,
            reason text,
            began timestamp with time zone,
            moved timestamp with time zone default now() not null,
            ended timestamp with time zone,
            stored timestamp with time zone default now() not null,
            constraint runs_pkey primary key (workspace, id)
        )
    """)
    op.execute("create index runs_of_canvas on runs (workspace, canvas, at)")
    op.execute("create index runs_open on runs (wake_at) where ended is null")
    op.execute("""
        create table run_members (
            workspace integer not null,
            person uuid not null,
            run uuid not null,
            at timestamp with time zone not null,
            context jsonb,
            outcome text,
            constraint run_members_pkey primary key (workspace, person, run)
        ) with (fillfactor = 70)
    """)
    op.execute("create index run_members_of_run on run_members (workspace, run, person)")
