"""Apps with their publishable keys, the networks of a key, and how often the API was called."""

from alembic import op

revision = "0071"
down_revision = "0070"


def upgrade() -> None:
    op.execute("alter table api_keys add networks text[] default '{}' not null")
    op.execute("""
        create table apps (
            workspace integer not null,
            id uuid not null,
            name text not null,
            platform text not null,
            publishable text not null,
            created timestamp with time zone default now() not null,
            last_seen timestamp with time zone,
            constraint apps_pkey primary key (workspace, id),
            constraint apps_publishable_key unique (publishable),
            constraint apps_workspace_name_key unique (workspace, name)
        )
    """)
    op.execute("""
        create table api_usage (
            workspace integer not null,
            hour timestamp with time zone not null,
            key text not null,
            endpoint text not null,
            calls bigint not null,
            refused bigint not null,
            constraint api_usage_pkey primary key (workspace, hour, key, endpoint)
        )
    """)
    op.execute("""
        create table limit_peaks (
            workspace integer not null,
            hour timestamp with time zone not null,
            bucket text not null,
            calls bigint not null,
            used bigint not null,
            constraint limit_peaks_pkey primary key (workspace, hour, bucket)
        )
    """)
