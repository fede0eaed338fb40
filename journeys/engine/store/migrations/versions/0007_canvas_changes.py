"""The log of what became of each canvas: published, stopped, resumed, archived."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.execute("""
        create table canvas_changes (
            workspace integer not null,
            canvas text not null,
            no integer not null,
            at timestamp with time zone not null,
            kind text not null,
            who text default '' not null,
            data jsonb default '{}' not null,
            stored timestamp with time zone default clock_timestamp() not null,
            constraint canvas_changes_pkey primary key (workspace, canvas, no)
        )
    """)
    op.execute("alter table canvases add change integer default 0 not null")
    op.execute("alter table canvases add settled integer default 0 not null")
    op.execute("create index canvases_unsettled on canvases (workspace, name) where settled < change")
    op.execute("alter table entries add change integer default 0 not null")
    op.execute("alter table dispatches add change integer default 0 not null")
    op.execute("""
        insert into canvas_changes (workspace, canvas, no, at, kind, data)
        select workspace, name, 1, published, 'publish', jsonb_build_object('plan', plan) from canvases
    """)
    op.execute("""
        insert into canvas_changes (workspace, canvas, no, at, kind)
        select workspace, name, 2, now(), 'stop' from canvases where status <> 'active'
    """)
    op.execute("""
        update canvases set change = case when status = 'active' then 1 else 2 end,
            settled = case when status = 'active' then 1 else 2 end,
            status = case when status = 'active' then status else 'stopped' end
    """)
