"""Deletes what the workspaces keep no longer: a month of events or facts at once where no one keeps it, else page by page.

A page is one short statement over so many rows, in the order of the primary key: it locks what it deletes and nothing
else. What is interrupted begins again, and finds what is left.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import asyncpg

from journeys.canvas.retention import Retention
from journeys.engine.clock import Clock
from journeys.engine.logs import logger
from journeys.engine.store.database import Database
from journeys.engine.workspaces.stored_plans import settings_of

PAGE = 1000
"""How many rows a statement looks at."""

EVERY = timedelta(days=1)
"""How often it is gone through everything."""

LOCK = 0x6A6F757272657461
"""The advisory lock of the process that goes through it."""

LONGEST_WAIT = "100ms"
"""For how long the drop of a month waits for those who use the table; whoever comes meanwhile waits behind it."""

TRIES = 20

Word = Literal["events", "facts", "refusals", "runs"]

NEEDED = "exists (select from entries o where (o.workspace, o.person) = (t.workspace, t.person) and o.ended is null {more})"
LATEST = """
(t.kind = 'schedule' and exists (select from canvases c
    where (c.workspace, c.name, c.launched) = (t.workspace, t.canvas, t.launched)) and not exists (select from runs n
    where (n.workspace, n.canvas, n.launched) = (t.workspace, t.canvas, t.launched) and n.occurrence > t.occurrence))
"""
"""The last run of a schedule that is in force: it says which occurrence is next."""
OPEN = NEEDED.format(more="and o.id = t.entry")


@dataclass(frozen=True, slots=True)
class Stored:
    """One table: its key after the workspace, and which of its rows `t` go that are older than the instant `$2`.

    `stored`: whether that instant is on the database's own clock; else on that of canvases.
    """

    table: str
    key: Mapping[str, str]
    gone: str
    stored: bool = False


EVENTS = Stored(
    "events",
    {"person": "uuid", "no": "bigint", "stored": "timestamptz"},
    f"t.stored < $2 and not {NEEDED.format(more='and o.entered <= t.at')}",
    stored=True,
)
FACTS = Stored(
    "facts",
    {"person": "uuid", "no": "bigint", "stored": "timestamptz"},
    f"t.stored < $2 and not {OPEN}",
    stored=True,
)
BY_MONTH: Mapping[Word, Stored] = {"events": EVENTS, "facts": FACTS}
"""What is partitioned by the month in which it was stored."""

BY_ROW: Sequence[tuple[Word, Stored]] = (
    ("facts", Stored("conversions", {"person": "uuid", "entry": "uuid", "name": "text"}, f"t.until < $2 and not {OPEN}")),
    (
        "facts",
        Stored(
            "entries",
            {"person": "uuid", "id": "uuid"},
            """t.ended_at < $2 and t.told >= t.turn
            and exists (select from entries o where (o.workspace, o.person, o.canvas) = (t.workspace, t.person, t.canvas)
                and (o.entered, o.id) > (t.entered, t.id))
            and not exists (select from conversions o where (o.workspace, o.person, o.entry) = (t.workspace, t.person, t.id))
            and not exists (select from dispatches o where (o.workspace, o.person, o.entry) = (t.workspace, t.person, t.id))""",
        ),
    ),
    ("refusals", Stored("refusals", {"person": "uuid", "canvas": "text", "gate": "text"}, "t.at < $2")),
    ("runs", Stored("broadcasts", {"id": "uuid"}, "t.ended < $2", stored=True)),
    ("runs", Stored("runs", {"id": "uuid"}, f"t.ended < $2 and not {LATEST}", stored=True)),
)  # fmt: skip
"""In this order: an entry goes after its windows. The last entry of a person in a canvas decides on their next."""

KEEPS = """
select w.id, d.body from workspaces w left join definitions d on d.workspace = w.id and d.kind = 'workspace'
order by w.id, d.name = w.name
"""
PARTITIONS = (
    "select inhrelid::regclass::text as name from pg_inherits where inhparent = $1::text::regclass order by 1"
)
MONTH = re.compile(r"(?:events|facts)_(\d{4})_(\d{2})")
BEGUN_BEFORE = "select exists (select from entries where ended is null and entered < $1)"
LAST = "select done from chores where name = 'retention'"
FIRST_WORKSPACE = "select min(created) from workspaces"
DONE = """
insert into chores (name, done) values ('retention', clock_timestamp())
on conflict (name) do update set done = excluded.done
"""

log = logger(__name__)


def first_after(partition: str) -> datetime | None:
    """The instant with which the month of a partition is over; None for the one that takes what no month takes."""
    month = MONTH.fullmatch(partition)
    if month is None:
        return None
    year, number = int(month[1]), int(month[2])
    return datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC)


def _page(kind: Stored, table: str, *, after: bool) -> str:
    """The statement that looks at a page of a table (of ours, or a partition) and deletes of it what goes."""
    names = ", ".join(kind.key)
    given = ", ".join(f"${place}::{type_}" for place, type_ in enumerate(kind.key.values(), 4))
    same = " and ".join(f"t.{name} = p.{name}" for name in kind.key)
    last = ", ".join(f"{name} desc" for name in kind.key)
    return f"""
with page as materialized (
    select {names} from {table} where workspace = $1 {f"and ({names}) > ({given})" if after else ""}
    order by {names} limit $3),
gone as (delete from {table} t using page p where t.workspace = $1 and {same} and {kind.gone} returning 1)
select (select count(*) from page) as seen, (select count(*) from gone) as gone, l.*
from (select 1) as one left join lateral (select {names} from page order by {last} limit 1) l on true
"""  # noqa: S608 - constants and names of our partitions


async def retentions(connection: Any) -> dict[int, Retention]:
    """How long each workspace keeps its data, by its id; a workspace that says nothing keeps everything."""
    found: dict[int, Retention] = {}
    for row in await connection.fetch(KEEPS):
        settings = settings_of(row["body"]) if row["body"] is not None else None
        found[row["id"]] = (settings.retention if settings else None) or Retention()
    return found


@dataclass(slots=True)
class Deletion:
    """One time through everything that is stored. `before` says up to which instant a workspace drops a kind of data."""

    connection: Any
    clock: Clock
    keeps: Mapping[int, Retention]
    now: datetime
    """On the database's own clock."""
    size: int = PAGE

    def before(self, workspace: int, word: Word, *, stored: bool) -> datetime | None:
        """What is older goes; None where everything is kept."""
        kept: timedelta | None = getattr(self.keeps[workspace], word)
        return None if kept is None else (self.now if stored else self.clock.now()) - kept

    async def go(self) -> Counter[str]:
        """Drop and delete; returns how many rows of each table went, and under their names the months that were dropped."""
        gone: Counter[str] = Counter()
        for word, kind in BY_MONTH.items():
            rows = await self.connection.fetch(PARTITIONS, kind.table)
            for partition in [row["name"] for row in rows]:
                if MONTH.fullmatch(partition) or partition == f"{kind.table}_rest":
                    gone += await self._partition(word, kind, partition)
        for word, kind in BY_ROW:
            for workspace in self.keeps:
                if (before := self.before(workspace, word, stored=kind.stored)) is not None:
                    gone[kind.table] += await self._pages(kind, kind.table, workspace, before)
        return +gone

    async def _partition(self, word: Word, kind: Stored, partition: str) -> Counter[str]:
        over, drop, keep = first_after(partition), {}, []
        for workspace in self.keeps:
            before = self.before(workspace, word, stored=True)
            if before is None or (over is not None and before < over):
                keep.append(workspace)
            else:
                drop[workspace] = before
        if not drop:
            return Counter()
        if over is not None and await self._unneeded(partition, over, keep):
            return Counter({partition: 1}) if await self._dropped(partition) else Counter()
        return Counter({
            kind.table: sum([
                await self._pages(kind, partition, workspace, before) for workspace, before in drop.items()
            ])
        })  # fmt: skip

    async def _unneeded(self, partition: str, over: datetime, keep: Sequence[int]) -> bool:
        """Whether no workspace keeps anything in it, and no open entry is as old."""
        kept = f"select exists (select from {partition} where workspace = any($1))"  # noqa: S608 - our partition
        if await self.connection.fetchval(kept, keep):
            return False
        return not await self.connection.fetchval(BEGUN_BEFORE, self.clock.virtual(over))

    async def _dropped(self, partition: str) -> bool:
        """Drop a month; gives up, until the next time, where it is always in use."""
        for _ in range(TRIES):
            try:
                async with self.connection.transaction():
                    await self.connection.execute(f"set local lock_timeout = '{LONGEST_WAIT}'")
                    await self.connection.execute(f"drop table {partition}")
            except asyncpg.LockNotAvailableError:
                await asyncio.sleep(1)
            else:
                log.info("month_dropped", table=partition)
                return True
        return False

    async def _pages(self, kind: Stored, table: str, workspace: int, before: datetime) -> int:
        """Page by page, with as much rest as work, so that there is room for others."""
        gone = 0
        after: tuple[Any, ...] = ()
        while True:
            began = time.monotonic()
            query = _page(kind, table, after=bool(after))
            row = await self.connection.fetchrow(query, workspace, before, self.size, *after)
            gone += int(row["gone"])
            if row["seen"] < self.size:
                return gone
            after = tuple(row[name] for name in kind.key)
            await asyncio.sleep(time.monotonic() - began)


async def drop_expired(db: Database, clock: Clock, *, size: int = PAGE) -> Counter[str] | None:
    """Go through everything once a day, one process at a time; None where it is not the time, or another one does."""
    async with db.pool.acquire() as connection:
        if not await connection.fetchval("select pg_try_advisory_lock($1)", LOCK):
            return None
        try:
            now = await connection.fetchval("select clock_timestamp()")
            last = await connection.fetchval(LAST)
            if last is not None and now - last < EVERY:
                return None
            gone = await Deletion(connection, clock, await retentions(connection), now, size).go()
            await connection.execute(DONE)
        finally:
            if not connection.is_closed():
                await connection.execute("select pg_advisory_unlock($1)", LOCK)
    if gone:
        log.info("dropped", **gone)
    return gone
