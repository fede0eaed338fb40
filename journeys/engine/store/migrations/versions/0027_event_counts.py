"""How often each person did what, and what they spent: kept up by the statement that stores an event, whoever makes it.

A trigger, so that processes of the version before, which run on during an upgrade, count as well.
"""

from alembic import op

revision = "0027"
down_revision = "0026"

TIMES = """
create function times_of(kind text, properties jsonb) returns integer language sql immutable parallel safe return
    case when kind = 'purchase' and jsonb_typeof(properties -> 'quantity') = 'number'
        then trunc(least(greatest((properties ->> 'quantity')::numeric, 1), 100))::integer else 1 end
"""
COUNTED = """
insert into event_counts as c (workspace, person, kind, name, shard, count, first, last)
select s.workspace, s.person, s.kind, s.name, min(s.shard), sum(times_of(s.kind, s.properties)), min(s.at), max(s.at)
from {stored} s where s.kind in ('event', 'purchase')
group by s.workspace, s.person, s.kind, s.name order by s.workspace, s.person, s.kind, s.name
on conflict (workspace, person, kind, name) do update set count = c.count + excluded.count,
    first = least(c.first, excluded.first), last = greatest(c.last, excluded.last);
"""
SPENT = """
insert into spending as c (workspace, person, product, currency, shard, amount)
select s.workspace, s.person, s.name, s.properties ->> 'currency', min(s.shard),
    sum((s.properties ->> 'price')::numeric * times_of(s.kind, s.properties))
from {stored} s where s.kind = 'purchase' and jsonb_typeof(s.properties -> 'price') = 'number'
    and jsonb_typeof(s.properties -> 'currency') = 'string'
group by s.workspace, s.person, s.name, s.properties ->> 'currency'
order by s.workspace, s.person, s.name, s.properties ->> 'currency'
on conflict (workspace, person, product, currency) do update set amount = c.amount + excluded.amount;
"""


def upgrade() -> None:
    op.execute("""
        create table event_counts (
            workspace integer not null,
            person uuid not null,
            kind text not null,
            name text not null,
            shard smallint not null,
            count bigint not null,
            first timestamp with time zone not null,
            last timestamp with time zone not null,
            constraint event_counts_pkey primary key (workspace, person, kind, name)
        ) with (fillfactor = 80)
    """)
    op.execute("""
        create table spending (
            workspace integer not null,
            person uuid not null,
            product text not null,
            currency text not null,
            shard smallint not null,
            amount numeric not null,
            constraint spending_pkey primary key (workspace, person, product, currency)
        ) with (fillfactor = 80)
    """)
    op.execute(TIMES)
    spent = f"if exists (select from stored s where s.kind = 'purchase') then {SPENT.format(stored='stored')} end if;"
    op.execute(f"""
        create function count_events() returns trigger language plpgsql as $$
        begin {COUNTED.format(stored="stored")} {spent} return null; end $$
    """)
    op.execute("""
        create trigger count_events after insert on events referencing new table as stored
        for each statement execute function count_events()
    """)  # nobody stores events from here to the commit, so that each is counted once
    op.execute(COUNTED.format(stored="events"))
    op.execute(SPENT.format(stored="events"))
