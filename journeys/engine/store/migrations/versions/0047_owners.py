"""Who manages a content block and a template for mails; what the API tells of templates."""

from alembic import op

revision = "0047"
down_revision = "0046"


def upgrade() -> None:
    op.execute("alter table content_blocks add owner text default 'api' not null")
    op.execute("""
        update content_blocks b set owner = 'file' from definitions d
        where (d.workspace, d.kind, d.name) = (b.workspace, 'content_block', b.name)
    """)
    op.execute("""
        create table email_templates (
            workspace integer not null,
            name text not null,
            id uuid not null,
            title text not null,
            owner text not null,
            tags text[] default '{}' not null,
            inline_css boolean default false not null,
            created timestamp with time zone default now() not null,
            edited timestamp with time zone default now() not null,
            constraint email_templates_pkey primary key (workspace, name),
            constraint email_templates_id_key unique (id)
        )
    """)
    op.execute("""
        insert into email_templates (workspace, name, id, title, owner, created, edited)
        select workspace, name, gen_random_uuid(), name, 'file', published, published from definitions
        where kind = 'template' and body ->> 'channel' = 'email'
    """)
