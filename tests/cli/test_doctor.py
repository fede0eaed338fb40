"""`journeys doctor` finds what is wrong, says what is to be done, and does what is safe."""

from __future__ import annotations

import json
import shutil
from collections import namedtuple
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from journeys.cli.doctor import found_in
from journeys.engine import clock as clocks
from journeys.engine.clock import Clock
from journeys.engine.store import Database, health_checks
from journeys.engine.store.embedded_postgres import create_database
from journeys.engine.store.health_checks import Verdict
from journeys.engine.store.migrate import head
from journeys.engine.store.presence import announced
from tests.cli.test_commands import journeys
from tests.dumps.restored import VERSIONS, restored
from tests.stage import EMAIL, Stage, canvas, stage_on

STORY = (
    canvas(
        "  - {type: delay, id: wait, duration: 30 days}\n"
        "  - {type: message, id: last, channel: email, template: hello}\n"
    )
    + EMAIL
)

ALL = {
    "schema", "partitions", "indexes", "bloat", "disk", "clock", "processes", "overdue", "alarms", "claims", "retention",
}  # fmt: skip


@pytest.fixture
async def worker(db: Database) -> AsyncIterator[None]:
    """A worker is alive."""
    async with announced(db, "worker", Clock()):
        yield


async def check(db: Database, name: str, *, fix: bool = False) -> Verdict:
    return next(one for one in await found_in(db, fix=fix) if one.check == name)


async def mended(db: Database, name: str) -> Verdict:
    """What is to be done, then what was done; nothing is left to be done after it."""
    assert (await check(db, name)).todo != ""
    found = await check(db, name, fix=True)
    assert (found.todo, found.fixed != "") == ("", True)
    assert (await check(db, name)).todo == ""
    return found


async def test_where_all_is_well_each_check_says_so_and_the_exit_code_is_0(
    db: Database, worker: None
) -> None:
    await stage_on(db, STORY)
    said = await journeys("doctor", url=db.url)
    assert (said.code, said.err) == (0, "")
    assert {line.partition(":")[0] for line in said.out.strip().split("\n")} == ALL

    found = json.loads((await journeys("doctor", "--json", url=db.url)).out)
    assert {one["check"]: one["todo"] for one in found} == dict.fromkeys(ALL, "")
    assert all(one["found"] for one in found)


async def test_what_is_to_be_done_is_said_and_the_exit_code_is_1(db: Database) -> None:
    said = await journeys("doctor", url=db.url)
    assert said.code == 1
    assert said.err.startswith("processes: alive: no process: start a worker")
    [found] = [one for one in json.loads((await journeys("doctor", "--json", url=db.url)).out) if one["todo"]]
    assert found["check"] == "processes"


async def test_a_database_that_cannot_be_reached_is_said_in_a_line() -> None:
    said = await journeys("doctor", url="postgresql://nobody@127.0.0.1:1/none")
    assert (said.code, said.err.startswith("the database cannot be reached")) == (1, True)
    assert said.err.count("\n") == 1


async def test_a_host_without_an_address_is_named_and_the_password_is_not() -> None:
    said = await journeys("doctor", url="postgresql://nobody:sesame@db.invalid:5432/none")
    assert (said.code, "its host db.invalid:5432 has no address" in said.err) == (1, True)
    assert "sesame" not in said.out + said.err


# The database --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["", *VERSIONS])
async def test_a_schema_that_is_missing_or_old_is_said_alone_and_brought_up_to_date(
    postgres: str, version: str
) -> None:
    name = f"journeys_{uuid4().hex[:12]}"
    url = await restored(postgres, version) if version else await create_database(postgres, name)
    async with Database.at(url) as db:
        [found] = await found_in(db, fix=False)
        assert (found.check, "--fix" in found.todo) == ("schema", True)
        first, *others = await found_in(db, fix=True)
        assert (first.todo, first.fixed.endswith(str(head()))) == ("", True)
        assert {one.check for one in others} == ALL - {"schema"}


async def test_the_schema_of_a_newer_version_is_left_alone(db: Database) -> None:
    await db.pool.execute("update alembic_version set version_num = '9999'")
    [found] = await found_in(db, fix=True)
    assert (found.fixed, "newer version" in found.found) == ("", True)
    assert await db.pool.fetchval("select version_num from alembic_version") == "9999"


async def test_months_without_a_partition_get_theirs(db: Database) -> None:
    soon = (datetime.now(UTC).replace(day=1) + timedelta(days=32)).strftime("%Y_%m")
    await db.pool.execute(f"drop table facts_{soon}")
    assert f"facts_{soon}" in (await check(db, "partitions")).found
    await mended(db, "partitions")
    assert await db.pool.fetchval("select to_regclass($1) is not null", f"facts_{soon}")


async def test_rows_that_lie_in_no_month_are_moved_to_theirs(db: Database) -> None:
    stage = await stage_on(db, STORY)
    for table, columns in (("events", "kind, name"), ("facts", "fact, step")):
        for at in (datetime(2024, 12, 31, 23, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)):
            await db.pool.execute(
                f"insert into {table} (workspace, person, shard, at, stored, {columns})"
                " values ($1, gen_random_uuid(), 0, $2, $2, 'event', 'seen')",
                stage.workspace,
                at,
            )
    assert "moved 4 rows" in (await mended(db, "partitions")).fixed
    for table in ("events", "facts"):
        for name in ("2024_12", "2025_01"):
            assert await db.pool.fetchval(f"select count(*) from {table}_{name}") == 1
        assert await db.pool.fetchval(f"select count(*) from {table}") == 2


async def test_this_month_can_be_in_the_rest_and_processes_start_all_the_same(db: Database) -> None:
    """Who migrates or prepares months meanwhile is not held up by rows that nobody prepared for."""
    stage = await stage_on(db, STORY)
    this = f"{datetime.now(UTC):%Y_%m}"
    await db.pool.execute(f"drop table events_{this}")
    insert = (
        "insert into events (workspace, person, shard, kind, name, at)"
        " values ($1, gen_random_uuid(), 0, 'event', 'seen', now())"
    )
    await db.pool.execute(insert, stage.workspace)
    await db.pool.execute("select ensure_partitions(3)")
    await mended(db, "partitions")
    await db.pool.execute(insert, stage.workspace)
    assert await db.pool.fetchval(f"select count(*) from events_{this}") == 2


async def test_an_index_that_is_not_valid_is_made_anew(db: Database) -> None:
    await db.pool.execute(
        "update pg_index set indisvalid = false where indexrelid = 'refusals_of_canvas'::regclass"
    )
    assert "refusals_of_canvas" in (await mended(db, "indexes")).fixed


async def test_tables_with_many_dead_rows_are_vacuumed(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_checks, "DEAD", 100)
    await db.pool.execute("alter table seen set (autovacuum_enabled = false)")
    async with db.pool.acquire() as connection:
        await connection.execute(
            "insert into seen select 1, gen_random_uuid(), 'x' from generate_series(1, 500)"
        )
        await connection.execute("delete from seen")
        await connection.execute("select pg_stat_force_next_flush()")
        await connection.execute("select 1")
    found = await check(db, "bloat")
    assert "seen (500 beside 0, never vacuumed)" in found.found
    assert "seen" in (await mended(db, "bloat")).fixed


async def test_a_disk_that_is_nearly_full_is_said(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")  # noqa: PYI024
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(100 * 10**9, 95 * 10**9, 5 * 10**9))
    found = await check(db, "disk")
    assert "5 GB free of 100 GB" in found.found
    assert "more room" in found.todo


@pytest.mark.parametrize(("seconds", "said"), [(-90, "90 s behind"), (5, "5 s ahead of")])
async def test_a_clock_that_is_off_is_said(
    db: Database, monkeypatch: pytest.MonkeyPatch, seconds: int, said: str
) -> None:
    real = clocks._now
    monkeypatch.setattr(clocks, "_now", lambda: real() + timedelta(seconds=seconds))
    found = await check(db, "clock")
    assert f"this machine is {said} the database" in found.found
    assert "NTP" in found.todo


PROCESS = """
insert into processes (id, kind, version, schema, host, pid, ahead, seen)
values (gen_random_uuid(), $1, $2, $3, 'far', 7, $4, now() - $5::interval)
"""


async def test_a_process_whose_clock_is_off_is_said(db: Database, worker: None) -> None:
    await db.pool.execute(PROCESS, "worker", "0.1.0", head(), 4.0, timedelta(0))
    assert "worker 7 on far is 4 s behind the database" in (await check(db, "clock")).found


async def test_a_process_of_another_version_is_named_and_one_that_is_gone_is_not(
    db: Database, worker: None
) -> None:
    await db.pool.execute(PROCESS, "api", "0.0.9", "0014", 0.0, timedelta(0))
    await db.pool.execute(PROCESS, "worker", "0.0.8", "0013", 0.0, timedelta(minutes=2))
    found = await check(db, "processes")
    assert "1 api of 0.0.9 (schema 0014)" in found.found
    assert "0.0.8" not in found.found
    assert found.todo == "replace those of another version than this program's: api 7 on far"


# What runs -----------------------------------------------------------------------------------------------------


async def asleep(stage: Stage, *, since: timedelta) -> None:
    """An entry whose alarm rang so long ago, and of which Temporal was told."""
    await stage.enter(await stage.person())
    await stage.db.pool.execute(
        "update entries set told = turn, alarm_at = $1, moved = now() - interval '1 hour'",
        datetime.now(UTC) - since,
    )
    await stage.db.pool.execute("update canvases set settled = change")


async def test_entries_past_their_alarm_are_told_again(db: Database, worker: None) -> None:
    stage = await stage_on(db, STORY, clock=Clock())
    await asleep(stage, since=timedelta(minutes=5))
    assert "1 entries are past their alarm" in (await check(db, "overdue")).found
    await mended(db, "overdue")
    assert await db.pool.fetchval("select count(*) from entries where told < turn") == 1


async def test_who_sleeps_in_a_stopped_canvas_is_not_overdue(db: Database, worker: None) -> None:
    stage = await stage_on(db, STORY, clock=Clock())
    await asleep(stage, since=timedelta(minutes=5))
    await db.pool.execute("update canvases set status = 'stopped'")
    assert (await check(db, "overdue")).todo == ""


async def test_alarms_of_which_temporal_is_not_told_are_said(db: Database, worker: None) -> None:
    stage = await stage_on(db, STORY, clock=Clock())
    await asleep(stage, since=timedelta(0))
    await db.pool.execute("update entries set told = turn - 1")
    assert "not told of 1 alarms" in (await check(db, "alarms")).found


async def test_claims_that_no_one_takes_over_are_given_back_but_what_is_in_doubt(
    db: Database, worker: None
) -> None:
    stage = await stage_on(db, STORY, clock=Clock())
    late = datetime.now(UTC) - timedelta(minutes=5)
    for state, name, lease in (
        ("claimed", "story", late),
        ("calling", "story", late),
        ("claimed", "stopped", late),
        ("claimed", "story", late + timedelta(hours=1)),
    ):
        await db.pool.execute(
            "insert into dispatches (workspace, person, key, shard, entry, canvas, plan, step, channel, at, state, claim, lease)"
            " values ($1, gen_random_uuid(), $5, 0, gen_random_uuid(), $2, 'p', 's', 'email', now(), $4,"
            " gen_random_uuid(), $3)",
            stage.workspace,
            name,
            lease,
            state,
            uuid4().hex,
        )
    await db.pool.execute(
        "insert into canvases (workspace, name, id, plan, status) values ($1, 'stopped', gen_random_uuid(), 'p', 'stopped')",
        stage.workspace,
    )
    await db.pool.execute(
        "insert into fetches (workspace, person, entry, step, at, claim, lease)"
        " values ($1, gen_random_uuid(), gen_random_uuid(), 's', now(), gen_random_uuid(), $2)",
        stage.workspace,
        late,
    )
    await db.pool.execute(
        "insert into broadcasts (workspace, id, canvas, context, lease) values ($1, gen_random_uuid(), 'story', '{}', $2)",
        stage.workspace,
        late,
    )
    found = await check(db, "claims", fix=True)

    assert found.fixed == "gave back 4 claims"
    assert found.found.count(" of ") == 1
    assert "1 of email (calling" in found.found
    assert await db.pool.fetchval("select count(*) from dispatches where state = 'queued'") == 2
    assert await db.pool.fetchval("select count(lease) from fetches") == 0


async def test_retention_that_is_not_gone_through_is_said_and_done(db: Database, worker: None) -> None:
    stage = await stage_on(
        db,
        STORY + "---\n{kind: workspace, format: 1, name: default, retention: {refusals: 90 days}}\n",
        clock=Clock(),
    )
    await db.pool.execute(
        "insert into refusals (workspace, person, canvas, gate, shard, at)"
        " values ($1, gen_random_uuid(), 'story', 'audience', 0, now() - interval '1 year')",
        stage.workspace,
    )
    assert (await check(db, "retention")).todo == ""  # the database is not two days old
    await db.pool.execute("update workspaces set created = now() - interval '3 days'")
    assert (await mended(db, "retention")).fixed == "deleted 1 of refusals"


async def test_whatever_is_said_names_no_person(db: Database, worker: None) -> None:
    stage = await stage_on(db, STORY, clock=Clock())
    person: Any = await stage.person(email="mel@example.com", first_name="Mel")
    await stage.enter(person)
    await db.pool.execute(
        "update entries set alarm_at = now() - interval '1 day', moved = now() - interval '1 day'"
    )
    said = str(await found_in(db, fix=True))
    assert [word for word in ("mel", "Mel", str(person.id), person.external_id) if word in said] == []
