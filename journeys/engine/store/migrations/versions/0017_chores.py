"""What one process does for all, and when it was done last; a month that cannot be prepared holds up no one."""

from alembic import op

revision = "0017"
down_revision = "0014"


def upgrade() -> None:
    op.execute("""
        create table chores (
            name text not null,
            done timestamp with time zone not null,
            constraint chores_pkey primary key (name)
        )
    """)
    op.execute("""
        create or replace function ensure_partitions(ahead integer) returns void language plpgsql as $$
        declare
            parent text;
            month date;
        begin
            foreach parent in array array['events', 'facts'] loop
                for i in 0..ahead loop
                    month := date_trunc('month', now() at time zone 'UTC')::date + make_interval(months => i);
                    begin
                        execute format(
                            'create table if not exists %I partition of %I for values from (%L) to (%L)',
                            parent || to_char(month, '_YYYY_MM'), parent,
                            month::text || ' 00:00+00', (month + interval '1 month')::date::text || ' 00:00+00'
                        );
                    exception when check_violation then
                        null; -- its rows lie in the rest, which takes what is to come as well
                    end;
                end loop;
            end loop;
        end
        $$
    """)
