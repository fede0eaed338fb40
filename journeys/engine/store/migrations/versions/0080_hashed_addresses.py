"""Addresses of people who were erased are kept as keyed hashes, and known again once somebody has them.

The trigger fires at the commit, when the people are locked, so that nobody who has rows of addresses locked waits for a person.
"""

from alembic import op

revision = "0080"
down_revision = "0033"

HASH = """
create function address_hash(of_workspace integer, address text) returns text language sql stable strict as $$
    select 'sha256:' || encode(sha256(secret || sha256(secret || convert_to('journeys address 1' || chr(10) || address, 'UTF8'))), 'hex')
    from workspaces where id = of_workspace
$$
"""
RECALL = """
create function recall_address(of_workspace integer, given text) returns void language plpgsql as $$
declare hashed text := address_hash(of_workspace, given);
begin
    perform from addresses a where (a.workspace, a.address) = (of_workspace, given) order by channel for share;
    perform from addresses a where (a.workspace, a.address) = (of_workspace, hashed) order by channel for update;
    if found then
        with gone as (delete from addresses a where (a.workspace, a.address) = (of_workspace, hashed) returning *)
        insert into addresses as known (workspace, address, channel, state, said, bounced)
        select workspace, given, channel, state, said, bounced from gone order by channel
        on conflict (workspace, address, channel) do update set
            state = case when known.said is null or excluded.said > known.said then excluded.state else known.state end,
            said = greatest(known.said, excluded.said), bounced = least(known.bounced, excluded.bounced);
    end if;
end $$
"""
RECALLS = """
create function recall_addresses() returns trigger language plpgsql as $$
begin
    if new.email is not null then perform recall_address(new.workspace, new.email); end if;
    if new.phone is not null then perform recall_address(new.workspace, new.phone); end if;
    return null;
end $$
"""


def upgrade() -> None:
    for function in (HASH, RECALL, RECALLS):
        op.execute(function)
    op.execute("""
        create constraint trigger recall_addresses_of_new after insert on people deferrable initially deferred
        for each row when (new.email is not null or new.phone is not null) execute function recall_addresses()
    """)
    op.execute("""
        create constraint trigger recall_addresses after update on people deferrable initially deferred
        for each row when (new.email is distinct from old.email or new.phone is distinct from old.phone)
        execute function recall_addresses()
    """)
