"""A database of each release is brought to the present schema, and its sleeping entries end where the simulator says."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from journeys.engine.content.services import Call, Reply
from journeys.engine.outgoing.guard import networks
from journeys.engine.people.profiles import load
from journeys.engine.sources.connected.caller import Caller
from journeys.engine.store import Database, migrate
from journeys.engine.workspaces.template_services import Calls
from tests.dumps.expected import MACHINE, alike, expectations, facts_of, instant, lines
from tests.dumps.moving import Handed, go
from tests.dumps.restored import VERSIONS, restored, unpacked
from tests.receiver import Receiver
from tests.stage import FakeClock, stage_on

NOBODY = "https://192.0.2.1"
"""Where the canvas asks that asks others."""

NEVER = ("late", "late_event", "overdue", "deduplicated", "hops_exceeded", "update_failed", "in_doubt")
"""Facts that nobody gives rise to here."""


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def upgraded(postgres: str, version: str) -> AsyncIterator[Database]:
    """The database as the release left it, brought to the present schema."""
    url = await restored(postgres, version)
    await migrate(url)
    async with Database.at(url) as database:
        yield database


# What is in it -------------------------------------------------------------------------------------------------

HOLDS = """
select
    (select count(*) from entries where ended is null and step is not null) as asleep,
    (select count(distinct (canvas, step, phase)) from entries where ended is null) as places,
    (select count(distinct plan) from entries where ended is null and canvas = 'letter') as plans,
    (select count(*) from entries where leaving is not null) as leaving,
    (select count(*) from entries where ended is null and step is null) as unbegun,
    (select count(*) from entries where ended is not null and told < turn) as pending_alarms,
    (select count(*) from inbox) as unheard,
    (select count(*) from dispatches where not held) as queued,
    (select count(*) from dispatches where held) as held,
    (select count(*) from dispatches where context <> '{}' and properties <> '{}') as carrying,
    (select count(*) from echoes) as derived,
    (select count(*) from fetches) as asked,
    (select count(*) from conversions where at is null) as windows,
    (select count(*) from facts where fact = 'sent') as sent
"""


async def test_a_thousand_entries_are_asleep_and_all_that_may_wait_beside_them_is_there(
    upgraded: Database,
) -> None:
    """Unheard events, messages that are to leave, open questions, windows: the dumps are worth their name."""
    holds = dict(await upgraded.pool.fetchrow(HOLDS))

    assert holds.pop("asleep") == 1000
    assert holds.pop("places") >= 20
    assert holds.pop("plans") == 2
    assert {name: count for name, count in holds.items() if count < 10} == {}


def test_a_dump_holds_nothing_of_the_machine_it_was_made_on(version: str) -> None:
    text = unpacked(version, "sql") + unpacked(version, "json")

    assert [word for word in ("OWNER", "GRANT", "/tmp", "/home", "/root", "localhost") if word in text] == []


# The schema ----------------------------------------------------------------------------------------------------

SCHEMA = {
    "columns": """select table_name, ordinal_position, column_name, data_type, udt_name, is_nullable, column_default,
        is_identity from information_schema.columns where table_schema = 'public'""",
    "indexes": "select tablename, indexdef from pg_indexes where schemaname = 'public'",
    "constraints": """select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint
        where connamespace = 'public'::regnamespace""",
    "sequences": """select sequencename, data_type::text, start_value, increment_by, cycle from pg_sequences
        where schemaname = 'public'""",
    "functions": "select proname, pg_get_functiondef(oid) from pg_proc where pronamespace = 'public'::regnamespace",
    "triggers": "select tgrelid::regclass::text, pg_get_triggerdef(oid) from pg_trigger where not tgisinternal",
}

MONTHLY = r"(events|facts)_\d{4}_\d{2}$"


async def schema(db: Database) -> dict[str, list[tuple[Any, ...]]]:
    """All that the schema says, but for the partitions of single months."""
    found = {}
    for name, query in SCHEMA.items():
        rows = await db.pool.fetch(
            f"select * from ({query}) as s(called) where s.called::text !~ $1", MONTHLY
        )
        found[name] = sorted(tuple(row.values()) for row in rows)
    return found


async def test_an_upgraded_database_has_the_schema_of_a_new_one(upgraded: Database, db: Database) -> None:
    was, fresh = await schema(upgraded), await schema(db)

    assert len(fresh["columns"]) > 200
    for name, rows in fresh.items():
        assert was[name] == rows, name


# What becomes of them ------------------------------------------------------------------------------------------

LEFT = """
select (select count(*) from entries where ended is null), (select count(*) from dispatches),
    (select count(*) from inbox), (select count(*) from fetches)
"""


@asynccontextmanager
async def calling(receiver: Receiver) -> AsyncIterator[Calls]:
    """Calls the receiver in the place of the address at which nobody answers."""
    async with Caller(networks("127.0.0.0/8"), timeout=60) as caller:

        async def call(workspace: int, call: Call) -> Reply:
            return await caller(workspace, replace(call, url=call.url.replace(NOBODY, receiver.url)))

        yield call


async def settlements(db: Database) -> dict[str, str]:
    """What became of each message, by its key; of each once."""
    rows = await db.pool.fetch("select dispatch, fact from facts where dispatch is not null")
    assert Counter(row["dispatch"] for row in rows).most_common(1)[0][1] == 1
    return {row["dispatch"]: row["fact"] for row in rows}


@pytest.mark.slow
async def test_a_thousand_entries_that_slept_through_the_upgrade_end_where_the_simulator_says(
    upgraded: Database, version: str, receiver: Receiver
) -> None:
    """Every fact and its instant, every message once and with what it carried, every conversion and attribute."""
    stage = await stage_on(upgraded, "", clock=FakeClock(instant(version)))
    said = await expectations(stage, version)
    receiver.replies.update(said.replies)
    before = await settlements(upgraded)
    profiles = await load(upgraded.pool, stage.workspace, [one.id for one in said.people])
    agenda = deque(
        (at, partial(stage.happens, profile, name, properties, kind=kind))
        for at, kind, name, properties, profile in sorted(
            ((*what, profiles[one.id]) for one in said.people for what in one.does), key=lambda each: each[0]
        )
        if at > said.at
    )
    channel = Handed()
    async with calling(receiver) as calls:

        async def settle() -> int:
            delivered = await stage.deliver(channel)
            return delivered + await stage.hear_derived() + await stage.answer(calls)

        await go(stage, agenda, settle)

    assert set(await upgraded.pool.fetchrow(LEFT)) == {0}
    assert await facts_of(upgraded, *NEVER) == {}

    facts, entries = await facts_of(upgraded, *MACHINE), said.entries
    assert set(facts) == set(entries)
    wrong = [identity for identity, wanted in entries.items() if not alike(facts[identity], wanted.facts)]
    for identity in wrong[:1]:
        assert lines(facts[identity]) == lines(entries[identity].facts), f"{identity}, one of {len(wrong)}"

    sends = {key: what for wanted in entries.values() for key, what in wanted.sends.items()}
    settled = await settlements(upgraded)
    assert set(settled) == set(sends)
    new = {key: what for key, what in sends.items() if key not in before}
    assert {key: settled[key] for key in new} == {key: outcome for key, (_, outcome) in new.items()}
    handed = {key: subject for key, (subject, outcome) in new.items() if outcome in ("sent", "failed")}
    assert sorted(channel.mails) == sorted(handed.items())

    query = "select entry, name, at, revenue from conversions where at is not null"
    credited = {(entry, name): (at, revenue) for entry, name, at, revenue in await upgraded.pool.fetch(query)}
    assert credited == {
        (entry, name): what for entry, wanted in entries.items() for name, what in wanted.conversions.items()
    }
    attributes = dict(await upgraded.pool.fetch("select id, attributes from people"))
    assert attributes == {one.id: one.attributes for one in said.people}
