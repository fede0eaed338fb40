"""The names of events, products and custom attributes."""

from alembic import op

revision = "0045"
down_revision = "0037"


def upgrade() -> None:
    op.execute("""
        create table known_names (
            workspace integer not null,
            kind text not null,
            name text not null,
            type text,
            stored timestamp with time zone default now() not null,
            constraint known_names_pkey primary key (workspace, kind, name)
        )
    """)
    op.execute("""
        insert into known_names (workspace, kind, name)
        select distinct workspace, kind, name from events where kind in ('event', 'purchase')
    """)
    op.execute("""
        insert into known_names (workspace, kind, name, type)
        select p.workspace, 'attribute', a.key, max(jsonb_typeof(a.value))
        from people p cross join lateral jsonb_each(p.attributes) a group by 1, 3
    """)
