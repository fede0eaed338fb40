"""What the workspaces keep no longer is deleted: months at once, else rows page by page, and nothing that is needed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from journeys.engine.people.profiles import Profile
from journeys.engine.store import Database
from journeys.engine.workspaces import retention
from journeys.engine.workspaces.retention import _page, drop_expired
from tests.stage import EMAIL, FakeClock, Stage, canvas, stage_on

STORY = (
    canvas(
        "  - {type: delay, id: wait, duration: 30 days}\n"
        "  - {type: message, id: last, channel: email, template: hello}\n",
        more="reentry: {after: 0 days}",
    )
    + EMAIL
)
NOW = datetime.now(UTC)
LONG_AGO = datetime(2024, 3, 10, 12, tzinfo=UTC)
YESTERDAY = NOW - timedelta(days=1)


def keeping(words: str, workspace: str = "default") -> str:
    return f"{STORY}---\n{{kind: workspace, format: 1, name: {workspace}, retention: {{{words}}}}}\n"


async def stage_that_keeps(db: Database, words: str, workspace: str = "default") -> Stage:
    text = keeping(words, workspace) if words else STORY
    return await stage_on(db, text, clock=FakeClock(NOW), workspace=workspace)


async def month(db: Database, table: str, year: int, number: int) -> str:
    """The partition of a month that has gone by."""
    name, after = f"{table}_{year}_{number:02d}", (year + number // 12, number % 12 + 1)
    await db.pool.execute(
        f"create table {name} partition of {table} for values"
        f" from ('{year}-{number:02d}-01 00:00+00') to ('{after[0]}-{after[1]:02d}-01 00:00+00')"
    )
    return name


async def events(stage: Stage, person: Profile, stored: datetime, count: int = 1, **more: Any) -> None:
    await stage.db.pool.execute(
        "insert into events (workspace, person, shard, kind, name, at, stored)"
        " select $1, $2, 0, 'event', 'seen', $4, $3 from generate_series(1, $5)",
        stage.workspace,
        person.id,
        stored,
        more.get("at", stored),
        count,
    )


async def facts(stage: Stage, person: Profile, stored: datetime, entry: UUID | None = None) -> None:
    await stage.db.pool.execute(
        "insert into facts (workspace, person, shard, fact, at, stored, entry) values ($1, $2, 0, 'reached', $3, $3, $4)",
        stage.workspace,
        person.id,
        stored,
        entry,
    )


async def rows(stage: Stage, table: str) -> int:
    query = f"select count(*) from {table} where workspace = $1"
    return int(await stage.db.pool.fetchval(query, stage.workspace))


async def there(db: Database, *tables: str) -> list[bool]:
    return [await db.pool.fetchval("select to_regclass($1) is not null", table) for table in tables]


async def drop(stage: Stage, size: int = 100) -> dict[str, int]:
    """As a day after the last time."""
    await stage.db.pool.execute("delete from chores")
    gone = await drop_expired(stage.db, stage.clock, size=size)
    assert gone is not None
    return dict(gone)


# Months --------------------------------------------------------------------------------------------------------


async def test_a_month_that_no_workspace_keeps_anything_in_is_dropped(db: Database) -> None:
    stage = await stage_that_keeps(db, "events: 1 year, facts: 1 year")
    person = await stage.person()
    names = [await month(db, table, 2024, 3) for table in ("events", "facts")]
    await events(stage, person, LONG_AGO)
    await events(stage, person, YESTERDAY)
    await facts(stage, person, LONG_AGO)

    assert await drop(stage) == {"events_2024_03": 1, "facts_2024_03": 1}
    assert await there(db, *names) == [False, False]
    assert (await rows(stage, "events"), await rows(stage, "facts")) == (1, 0)


async def test_a_month_that_another_workspace_keeps_loses_the_rows_of_those_that_do_not(db: Database) -> None:
    stage = await stage_that_keeps(db, "events: 1 year")
    keeper = await stage_that_keeps(db, "facts: 1 year", "keeper")
    longer = await stage_that_keeps(db, "events: 90 years", "longer")
    name = await month(db, "events", 2024, 3)
    for one in (stage, keeper, longer):
        await events(one, await one.person(), LONG_AGO, 250)

    assert await drop(stage) == {"events": 250}
    assert [await rows(one, name) for one in (stage, keeper, longer)] == [0, 250, 250]


async def test_the_month_in_which_the_time_ends_stays_whole(db: Database) -> None:
    """It is kept for at least as long as is said."""
    stage = await stage_that_keeps(db, "events: 31 days")
    ends = NOW - timedelta(days=31)
    names = [
        await month(db, "events", each.year, each.month)
        for each in (ends, ends.replace(day=1) - timedelta(days=1))
        if (each.year, each.month) != (NOW.year, NOW.month)
    ]
    person = await stage.person()
    await events(stage, person, ends - timedelta(hours=1))

    await drop(stage)

    assert await there(db, names[0], names[-1]) == [True, False]


async def test_what_lies_in_no_months_partition_goes_row_by_row(db: Database) -> None:
    stage = await stage_that_keeps(db, "events: 1 year, facts: 1 year")
    person = await stage.person()
    for at in (LONG_AGO, NOW - timedelta(days=200)):
        await events(stage, person, at)
        await facts(stage, person, at)

    assert await drop(stage) == {"events": 1, "facts": 1}
    assert (await rows(stage, "events_rest"), await rows(stage, "facts_rest")) == (1, 1)


async def test_without_a_retention_nothing_goes(db: Database) -> None:
    stage = await stage_that_keeps(db, "")
    name = await month(db, "events", 2024, 3)
    await events(stage, await stage.person(), LONG_AGO)

    assert await drop(stage) == {}
    assert await there(db, name) == [True]


async def test_what_an_open_entry_may_look_back_at_and_what_became_of_it_stays(db: Database) -> None:
    stage = await stage_that_keeps(db, "events: 1 year, facts: 1 year")
    for table in ("events", "facts"):
        await month(db, table, 2024, 3)
    inside, outside = await stage.person(), await stage.person()
    [entry] = await stage.enter(inside)
    await db.pool.execute("update entries set entered = $1 where id = $2", LONG_AGO, entry)
    for person in (inside, outside):
        await events(stage, person, LONG_AGO + timedelta(hours=1))
        await events(stage, person, LONG_AGO, at=LONG_AGO - timedelta(hours=1))
        await facts(stage, person, LONG_AGO, entry)
    await facts(stage, inside, LONG_AGO, uuid4())

    gone = await drop(stage)

    assert gone == {"events": 3, "facts": 2}
    [kept] = await db.pool.fetch("select person, at from events_2024_03")
    assert (kept["person"], kept["at"]) == (inside.id, LONG_AGO + timedelta(hours=1))
    [kept] = await db.pool.fetch("select person, entry from facts_2024_03")
    assert (kept["person"], kept["entry"]) == (inside.id, entry)


async def test_a_month_that_is_in_use_holds_up_nobody_and_goes_later(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "TRIES", 1)
    stage = await stage_that_keeps(db, "events: 1 year")
    person = await stage.person()
    name = await month(db, "events", 2024, 3)
    await events(stage, person, LONG_AGO)
    async with db.transaction() as connection:
        await connection.fetchval("select count(*) from events")
        began = time.monotonic()
        assert await drop(stage) == {}
        await events(stage, person, YESTERDAY)
        assert time.monotonic() - began < 30
        assert await there(db, name) == [True]

    assert await drop(stage) == {name: 1}


# Rows ----------------------------------------------------------------------------------------------------------


async def entry_of(stage: Stage, person: Profile, entered: datetime, ended: datetime | None) -> UUID:
    [entry] = await stage.enter(person)
    await stage.db.pool.execute(
        "update entries set entered = $2, ended = case when $3::timestamptz is not null then 'completed' end,"
        " ended_at = $3, told = turn where id = $1",
        entry,
        entered,
        ended,
    )
    return entry


async def window(stage: Stage, person: Profile, entry: UUID, until: datetime) -> None:
    await stage.db.pool.execute(
        "insert into conversions (workspace, person, entry, name, shard, canvas, plan, since, until)"
        " values ($1, $2, $3, 'bought', 0, 'story', 'story@1', $4, $4)",
        stage.workspace,
        person.id,
        entry,
        until,
    )


async def test_entries_that_ended_go_with_the_facts_but_each_persons_last_in_a_canvas(db: Database) -> None:
    """The last decides on re-entry."""
    stage = await stage_that_keeps(db, "facts: 1 year")
    mel, ann = await stage.person(), await stage.person()
    days = [LONG_AGO + timedelta(days=n) for n in range(4)]
    first = await entry_of(stage, mel, days[0], days[1])
    last = await entry_of(stage, mel, days[1], days[2])
    only = await entry_of(stage, ann, days[0], days[1])

    assert await drop(stage) == {"entries": 1}
    assert {row["id"] for row in await db.pool.fetch("select id from entries")} == {last, only}
    assert first not in {last, only}


async def test_an_entry_stays_while_a_window_a_message_or_its_alarm_needs_it(db: Database) -> None:
    stage = await stage_that_keeps(db, "facts: 1 year")
    kept = set()
    for need in ("window", "message", "alarm", "young", "open", "nothing"):
        person = await stage.person()
        ended = {"young": YESTERDAY, "open": None}.get(need, LONG_AGO + timedelta(days=1))
        entry = await entry_of(stage, person, LONG_AGO, ended)
        await entry_of(stage, person, YESTERDAY, NOW)
        if need == "window":
            await window(stage, person, entry, YESTERDAY)
        if need == "message":
            await db.pool.execute(
                "insert into dispatches (workspace, person, key, shard, entry, canvas, plan, step, channel, at)"
                " values ($1, $2, 'k', 0, $3, 'story', 'story@1', 'hello', 'email', now())",
                stage.workspace,
                person.id,
                entry,
            )
        if need == "alarm":
            await db.pool.execute("update entries set told = turn - 1 where id = $1", entry)
        if need != "nothing":
            kept.add(entry)

    assert await drop(stage) == {"entries": 1}
    left = {row["id"] for row in await db.pool.fetch("select id from entries where entered = $1", LONG_AGO)}
    assert left == kept


async def test_windows_go_with_the_facts_and_their_entries_after_them(db: Database) -> None:
    stage = await stage_that_keeps(db, "facts: 1 year")
    person = await stage.person()
    ended = await entry_of(stage, person, LONG_AGO, LONG_AGO + timedelta(days=1))
    inside = await entry_of(stage, person, LONG_AGO + timedelta(days=2), None)
    young = await entry_of(stage, person, YESTERDAY, NOW)
    for entry, until in ((ended, LONG_AGO), (inside, LONG_AGO), (young, NOW)):
        await window(stage, person, entry, until)

    assert await drop(stage) == {"conversions": 1, "entries": 1}
    assert {row["entry"] for row in await db.pool.fetch("select entry from conversions")} == {inside, young}


REFUSED = "insert into refusals (workspace, person, canvas, gate, shard, at) values ($1, $2, 'story', 'audience', 0, $3)"
BROADCAST = "insert into broadcasts (workspace, id, canvas, context, stored, ended) values ($1, $2, 'story', '{}', $3, $4)"


@pytest.mark.parametrize(("word", "table"), [("refusals", "refusals"), ("runs", "broadcasts")])
async def test_refusals_and_broadcasts_go_when_they_are_past_their_time_in_their_workspace_alone(
    db: Database, word: str, table: str
) -> None:
    stage = await stage_that_keeps(db, f"{word}: 90 days")
    other = await stage_that_keeps(db, "", "other")
    for one in (stage, other):
        for at in (*[LONG_AGO] * 5, YESTERDAY):
            await db.pool.execute(REFUSED, one.workspace, uuid4(), at)
            await db.pool.execute(BROADCAST, one.workspace, uuid4(), at, at)
        await db.pool.execute(BROADCAST, one.workspace, uuid4(), LONG_AGO, None)

    assert await drop(stage, size=2) == {table: 5}
    assert (await rows(other, "refusals"), await rows(other, "broadcasts")) == (6, 7)
    assert await rows(stage, table) == {"refusals": 1, "broadcasts": 2}[table]


# Pages ---------------------------------------------------------------------------------------------------------


def plan_nodes(plan: dict[str, Any]) -> Iterable[str]:
    yield f"{plan['Node Type']} {plan.get('Relation Name', '')}".strip()
    for each in plan.get("Plans", ()):
        yield from plan_nodes(each)


async def test_a_page_has_so_many_rows_and_is_found_by_the_index(db: Database) -> None:
    stage = await stage_that_keeps(db, "refusals: 90 days")
    kind = next(kind for word, kind in retention.BY_ROW if word == "refusals")
    await db.pool.execute(
        "insert into refusals (workspace, person, canvas, gate, shard, at)"
        " select $1, gen_random_uuid(), 'story', 'audience', 0, $2 from generate_series(1, 20000)",
        stage.workspace,
        LONG_AGO,
    )
    await db.pool.execute("analyze refusals")
    given = (stage.workspace, NOW - timedelta(days=90), 50)
    row = await db.pool.fetchrow(_page(kind, kind.table, after=False), *given)

    assert (row["seen"], row["gone"]) == (50, 50)
    after = [row[name] for name in kind.key]
    explained = await db.pool.fetchval(
        f"explain (format json) {_page(kind, kind.table, after=True)}", *given, *after
    )
    assert "Seq Scan refusals" not in set(plan_nodes(explained[0]["Plan"]))


async def test_who_is_killed_midway_leaves_whole_pages_and_the_next_one_goes_on(db: Database) -> None:
    stage = await stage_that_keeps(db, "events: 1 year")
    keeper = await stage_that_keeps(db, "", "keeper")
    name = await month(db, "events", 2024, 3)
    await events(keeper, await keeper.person(), LONG_AGO)
    for _ in range(6):
        await events(stage, await stage.person(), LONG_AGO, 50)
    async with db.transaction() as connection:
        nth = f"select no from {name} where workspace = $1 order by person, no offset 205 limit 1"
        await connection.execute(f"select from {name} where no = ({nth}) for update", stage.workspace)
        going = asyncio.create_task(drop_expired(db, stage.clock, size=10))

        async def waits() -> bool:
            query = "select exists (select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database())"
            return bool(await db.pool.fetchval(query))

        await stage.until(waits, "the page with the locked row")
        going.cancel()
        with pytest.raises(asyncio.CancelledError):
            await going
    assert await rows(stage, name) == 100

    gone = await drop_expired(db, stage.clock)

    assert gone == {"events": 100}
    assert (await rows(stage, name), await rows(keeper, name)) == (0, 1)


async def test_one_process_does_it_once_a_day(db: Database) -> None:
    stage = await stage_that_keeps(db, "refusals: 90 days")
    for _ in range(3000):
        await db.pool.execute(REFUSED, stage.workspace, uuid4(), LONG_AGO)
    at_once = await asyncio.gather(*(drop_expired(db, stage.clock, size=50) for _ in range(3)))

    assert sorted(each is None for each in at_once) == [False, True, True]
    assert await drop_expired(db, stage.clock) is None
    await db.pool.execute("update chores set done = done - interval '25 hours'")
    assert await drop_expired(db, stage.clock) == {}


async def test_a_round_that_finds_nothing_locks_nothing(db: Database) -> None:
    """It gives the lock back, so that the next process may go."""
    stage = await stage_that_keeps(db, "refusals: 90 days")
    await drop(stage)
    assert await db.pool.fetchval("select count(*) from pg_locks where locktype = 'advisory'") == 0
