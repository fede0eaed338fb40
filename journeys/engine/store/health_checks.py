"""What can be wrong with a database: its schema, months, indexes, dead rows, disk, clock, and the processes on it.

Each check says in one sentence what it found and, where something is to be done, what; some can do it themselves.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import journeys
from journeys.engine.clock import Clock
from journeys.engine.store.clock_check import TOLD, measure
from journeys.engine.store.database import Database
from journeys.engine.store.migrate import head, known, migrate, schema_of
from journeys.engine.store.presence import ALIVE

AHEAD = 2
"""So many months after this one have their partitions at any time."""

DEAD = 50_000
"""So many dead rows are too many, where they are also more than half as many as the live ones."""

LEAST_FREE = 0.1
"""A disk with less than this share free is nearly full."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found, and what is to be done; nothing is to be done where that is empty."""

    check: str
    found: str
    todo: str = ""
    fixed: str = ""
    """What was done about it."""


@dataclass(frozen=True, slots=True)
class Examined:
    """The database that is looked at, and the clock of its canvases."""

    db: Database
    clock: Clock


@dataclass(frozen=True, slots=True)
class Check:
    """A thing to look at. `fix` does what is to be done, where that is safe, and says what it did."""

    name: str
    look: Callable[[Examined], Awaitable[tuple[str, str]]]
    fix: Callable[[Examined], Awaitable[str]] | None = None


async def examine(at: Examined, checks: Sequence[Check], *, fix: bool) -> list[Verdict]:
    """Go through the checks; with `fix`, do what is to be done and look again."""
    verdicts = []
    for check in checks:
        found, todo = await check.look(at)
        fixed = ""
        if todo and fix and check.fix is not None:
            fixed = await check.fix(at)
            found, todo = await check.look(at)
        verdicts.append(Verdict(check.name, found, todo, fixed))
    return verdicts


# Schema --------------------------------------------------------------------------------------------------------


async def look_at_schema(at: Examined) -> tuple[str, str]:
    """Whether the schema is the one that this program works with."""
    stands, wanted = await schema_of(at.db.pool), head()
    if stands == wanted:
        return f"the schema is the one that this program works with ({wanted})", ""
    if stands is None:
        return "the database has no tables of Journeys", "let `--fix` make them"
    if stands in known():
        return f"the schema is {stands}, this program works with {wanted}", "let `--fix` bring it up to date"
    return f"the schema is {stands}, of a newer version than this program's {wanted}", "use that version here"


async def bring_up_to_date(at: Examined) -> str:
    """Migrate. Where the database is of a newer version, nothing is done."""
    stands = await schema_of(at.db.pool)
    if stands is not None and stands not in known():
        return ""
    await migrate(at.db.url)
    return f"brought the schema from {stands or 'nothing'} to {head()}"


SCHEMA = Check("schema", look_at_schema, bring_up_to_date)

# Partitions ----------------------------------------------------------------------------------------------------

MISSING = """
select p || to_char(m, '_YYYY_MM') as name
from unnest(array['events', 'facts']) p,
    generate_series(0, $1::int) i, lateral (select date_trunc('month', now() at time zone 'UTC') + make_interval(months => i) as m) months
where to_regclass(p || to_char(m, '_YYYY_MM')) is null order by 1
"""
RESTING = """
select p from unnest(array['events', 'facts']) p
where case p when 'events' then exists (select from events_rest) else exists (select from facts_rest) end
"""


async def look_at_partitions(at: Examined) -> tuple[str, str]:
    """Whether the months to come have their partitions, and no row had to go to the rest."""
    missing = [row["name"] for row in await at.db.pool.fetch(MISSING, AHEAD)]
    resting = [row["p"] for row in await at.db.pool.fetch(RESTING)]
    said = []
    if missing:
        said.append(f"partitions of months are missing: {', '.join(missing)}")
    if resting:
        said.append(
            f"rows of {' and '.join(resting)} lie in no month's partition and are never dropped at once"
        )
    if not said:
        return f"events and facts have partitions for this month and the {AHEAD} after it", ""
    return "; ".join(said), "let `--fix` make them and move the rows there (who writes waits meanwhile)"


async def prepare_months(at: Examined) -> str:
    """Make the partitions that are missing, and move rows of the rest to their months."""
    moved = 0
    for row in await at.db.pool.fetch(RESTING):
        moved += await _move(at.db, row["p"])
    await at.db.pool.execute("select ensure_partitions($1)", AHEAD + 1)
    return f"made the partitions up to {AHEAD + 1} months ahead" + (
        f", moved {moved:,} rows to theirs" if moved else ""
    )


async def _move(db: Database, parent: str) -> int:
    """Give the months of the rest partitions of their own. `parent` is events or facts."""
    moved = 0
    async with db.transaction() as connection:
        await connection.execute(f"lock table {parent} in access exclusive mode")
        months = await connection.fetch(
            f"select distinct date_trunc('month', stored, 'UTC') as begins from {parent}_rest order by 1"  # noqa: S608 - one of two tables
        )
        for begins in [row["begins"] for row in months]:
            ends = (begins + timedelta(days=32)).replace(day=1)
            name = f"{parent}_{begins:%Y_%m}"
            await connection.execute(f"create table {name} (like {parent} including defaults)")
            moved += await connection.fetchval(
                f"""with gone as (delete from {parent}_rest where stored >= $1 and stored < $2 returning *),
                there as (insert into {name} select * from gone returning 1) select count(*) from there""",  # noqa: S608 - a name made of a date
                begins,
                ends,
            )
            await connection.execute(
                f"alter table {parent} attach partition {name} for values from ('{begins}') to ('{ends}')"
            )
    return moved


PARTITIONS = Check("partitions", look_at_partitions, prepare_months)

# Indexes and dead rows -----------------------------------------------------------------------------------------

INVALID = """
select i.indexrelid::regclass::text as name from pg_index i join pg_class c on c.oid = i.indexrelid
where not i.indisvalid and c.relnamespace = current_schema()::regnamespace order by 1
"""
BLOATED = """
select relid::regclass::text as name, n_dead_tup as dead, n_live_tup as live,
    greatest(last_vacuum, last_autovacuum) as vacuumed
from pg_stat_user_tables where schemaname = current_schema() and n_dead_tup > $1 and n_dead_tup * 2 > n_live_tup order by 2 desc
"""


async def look_at_indexes(at: Examined) -> tuple[str, str]:
    """Whether every index is in use: one that was being made when its process was killed is not."""
    names = [row["name"] for row in await at.db.pool.fetch(INVALID)]
    if not names:
        return "all indexes are valid", ""
    return f"indexes that PostgreSQL does not use: {', '.join(names)}", "let `--fix` make them anew"


async def make_indexes_anew(at: Examined) -> str:
    """Rebuild those that are not valid, beside live work."""
    names = [row["name"] for row in await at.db.pool.fetch(INVALID)]
    for name in names:
        await at.db.pool.execute(f"reindex index concurrently {name}")
    return f"made anew: {', '.join(names)}"


async def look_at_bloat(at: Examined) -> tuple[str, str]:
    """Whether dead rows are cleared away."""
    rows = await at.db.pool.fetch(BLOATED, DEAD)
    if not rows:
        return "no table has many dead rows", ""
    tables = ", ".join(
        f"{row['name']} ({row['dead']:,} beside {row['live']:,}, {_vacuumed(row)})" for row in rows
    )
    todo = (
        "let `--fix` vacuum them; where they come back, autovacuum is too slow, or a transaction stays open"
    )
    return f"tables with many dead rows: {tables}", todo


def _vacuumed(row: Any) -> str:
    at: datetime | None = row["vacuumed"]
    return "never vacuumed" if at is None else f"vacuumed at {at:%Y-%m-%d %H:%M} UTC"


async def vacuum(at: Examined) -> str:
    """Vacuum the tables with many dead rows."""
    names = [row["name"] for row in await at.db.pool.fetch(BLOATED, DEAD)]
    for name in names:
        await at.db.pool.execute(f"vacuum (analyze) {name}")
    return f"vacuumed {', '.join(names)}"


INDEXES = Check("indexes", look_at_indexes, make_indexes_anew)
BLOAT = Check("bloat", look_at_bloat, vacuum)

# Disk and clock ------------------------------------------------------------------------------------------------

LOCAL = "inet_server_addr() is null or inet_server_addr() = inet_client_addr()"
SIZE = f"""
select pg_database_size(current_database()) as size, {LOCAL} as local,
    case when pg_has_role(current_user, 'pg_read_all_settings', 'member') then current_setting('data_directory') end as folder
"""


async def look_at_disk(at: Examined) -> tuple[str, str]:
    """Whether the disk of the database has room; unknown where it is another machine's."""
    row = await at.db.pool.fetchrow(SIZE)
    has = f"the database has {_bytes(row['size'])}"
    try:
        disk = shutil.disk_usage(row["folder"]) if row["local"] and row["folder"] else None
    except OSError:
        disk = None
    if disk is None:
        return f"{has}; how full its disk is can only be seen on its machine", ""
    said = f"{has}, its disk {_bytes(disk.free)} free of {_bytes(disk.total)}"
    if disk.free >= LEAST_FREE * disk.total and disk.free >= row["size"] * LEAST_FREE:
        return said, ""
    return said, "give it more room, or let workspaces keep less (`retention` in `kind: workspace`)"


def _bytes(count: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


OFF = "select kind, host, pid, ahead from processes where seen > clock_timestamp() - $1::interval and abs(ahead) > $2 order by 2, 3"


async def look_at_clocks(at: Examined) -> tuple[str, str]:
    """Whether the clocks of this machine and of the processes go by the database's."""
    async with at.db.pool.acquire() as connection:
        await measure(connection, at.clock)
    off = {"this machine": at.clock.skew.ahead.total_seconds()}
    for row in await at.db.pool.fetch(OFF, ALIVE, TOLD.total_seconds()):
        off[_process(row)] = row["ahead"]
    wrong = [
        f"{name} is {abs(ahead):.0f} s {'behind' if ahead > 0 else 'ahead of'} the database"
        for name, ahead in off.items()
        if abs(ahead) > TOLD.total_seconds()
    ]
    if not wrong:
        return "the clocks of this machine and of all processes go by the database's", ""
    return f"clocks are off: {'; '.join(wrong)}", "let NTP set them (beyond a minute a process does no work)"


DISK = Check("disk", look_at_disk)
CLOCKS = Check("clock", look_at_clocks)

# Processes -----------------------------------------------------------------------------------------------------

LIVING = """
select kind, version, schema, host, pid from processes where seen > clock_timestamp() - $1::interval order by kind, host, pid
"""


async def look_at_processes(at: Examined) -> tuple[str, str]:
    """Which processes are alive, and whether they are of this version."""
    rows = await at.db.pool.fetch(LIVING, ALIVE)
    counts = Counter((row["kind"], row["version"], row["schema"]) for row in rows)
    said = ", ".join(
        f"{count} {kind if count == 1 or kind != 'worker' else 'workers'} of {version} (schema {schema})"
        for (kind, version, schema), count in counts.items()
    )
    mine = (journeys.__version__, head())
    others = [_process(row) for row in rows if (row["version"], row["schema"]) != mine]
    todo = []
    if not any(row["kind"] == "worker" for row in rows):
        todo.append("start a worker: without one nobody moves and nothing leaves")
    if others:
        todo.append(f"replace those of another version than this program's: {', '.join(others)}")
    return f"alive: {said or 'no process'}", "; ".join(todo)


def _process(row: Any) -> str:
    return f"{row['kind']} {row['pid']} on {row['host']}"


PROCESSES = Check("processes", look_at_processes)


OF_THE_STORE: Sequence[Check] = (PARTITIONS, INDEXES, BLOAT, DISK, CLOCKS, PROCESSES)
"""Beside the schema, without which the others cannot look."""
