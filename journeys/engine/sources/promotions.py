"""Promotion codes: each is charged to one send, once, also when the work is repeated (P1 to P4)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

import asyncpg

from journeys.engine.content import Aborted
from journeys.engine.store.database import Database

MOST_UNUSED = 20_000_000
"""The maximum number of unused codes of a list (P4)."""

LONGEST_LIFE = timedelta(days=184)
"""How far ahead the end of a list may lie: six months (P4)."""

KEPT = timedelta(days=180)
"""For how long after its end a list and its codes are kept, so that one can look up who got which."""

LONGEST_CODE, LONGEST_NAME = 200, 100
BATCH = 5000
TRIES = 10
FIRST_PAUSE = 0.002
"""Seconds before others who charge at the same time are asked again; then twice as long, and so on.

A code that another transaction takes at this moment may become free again, if that transaction rolls back. So a list is
empty only if no transaction can give a code back.
"""

OPEN = """
insert into promotion_lists (workspace, name, expires) values ($1, $2, $3)
on conflict (workspace, name) do update set expires = excluded.expires
"""
UNUSED = "select count(*) from promotion_codes where workspace = $1 and list = $2 and send is null"
LEFT = """
select exists (select 1 from promotion_codes where workspace = $1 and list = $2 and (send is null or send = $3))
"""
ADD = """
insert into promotion_codes (workspace, list, code) select $1, $2, * from unnest($3::text[]) on conflict do nothing
"""
LISTS = """
select l.name, l.expires, count(c.code) filter (where c.send is null) as unused, count(c.send) as charged
from promotion_lists l left join promotion_codes c on (c.workspace, c.list) = (l.workspace, l.name)
where l.workspace = $1 group by l.name, l.expires order by l.name
"""
KNOWN = "select list, code from promotion_codes where workspace = $1 and send = $2 and list = any($3::text[])"
ENDS = "select name, expires from promotion_lists where workspace = $1 and name = any($2::text[])"
CHARGE = """
with free as materialized (
    select code from promotion_codes where workspace = $1 and list = $2 and send is null
    order by no limit 1 for update skip locked)
update promotion_codes c set send = $3, person = $4, charged = $5
from free where (c.workspace, c.list, c.code) = ($1, $2, free.code) returning c.code
"""
FORGET_CODES = """
delete from promotion_codes where (workspace, list, code) in (
    select c.workspace, c.list, c.code from promotion_lists l
    join promotion_codes c on (c.workspace, c.list) = (l.workspace, l.name) where l.expires < $1 limit $2)
"""
FORGET_LISTS = """
delete from promotion_lists l where l.expires < $1 and not exists (
    select 1 from promotion_codes c where (c.workspace, c.list) = (l.workspace, l.name))
"""


class NoCode(Aborted):
    """A list that a message names gives no code: the message does not leave (P3). `code` says why."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Full(ValueError):
    """Codes that a list cannot take; the text is for people."""


# Filling -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Filled:
    """What became of codes: how many were read, and how many of them were new."""

    read: int = 0
    added: int = 0


def end_of(expires: datetime, now: datetime) -> datetime:
    """The end of a list, as it may be. Raises `Full`."""
    if expires <= now:
        raise Full("the expiry is in the past")
    if expires > now + LONGEST_LIFE:  # P4
        raise Full(f"a list expires at most six months ahead: by {now + LONGEST_LIFE:%Y-%m-%d}")
    return expires


@asynccontextmanager
async def _alone(db: Database, workspace: int, name: str) -> AsyncIterator[Any]:
    """A connection with the lock for filling this list."""
    lock = f"promotions {workspace} {name}"
    async with db.pool.acquire() as connection:
        if not await connection.fetchval("select pg_try_advisory_lock(hashtextextended($1, 0))", lock):
            raise Full(f"another process is adding codes to the list “{name}”")
        try:
            yield connection
        finally:
            await connection.execute("select pg_advisory_unlock(hashtextextended($1, 0))", lock)


async def fill(db: Database, workspace: int, name: str, expires: datetime, codes: Iterable[str]) -> Filled:
    """Put codes into a list, which is made if new and ends then. Codes that it has stay as they are. Raises `Full`."""
    filled = Filled()
    async for one in filling(db, workspace, name, expires, codes):
        filled = one
    return filled


async def filling(
    db: Database, workspace: int, name: str, expires: datetime, codes: Iterable[str]
) -> AsyncIterator[Filled]:
    """The same, batch by batch: what has become of the codes so far. Raises `Full`."""
    if not name.strip() or len(name) > LONGEST_NAME or "\0" in name:
        raise Full(f"the name of a list has 1 to {LONGEST_NAME} characters")
    async with _alone(db, workspace, name) as connection:
        await connection.execute(OPEN, workspace, name, expires)
        unused = await connection.fetchval(UNUSED, workspace, name)
        filled = Filled()
        given = iter(codes)
        while batch := list(islice(given, BATCH)):
            if unused + len(batch) > MOST_UNUSED:  # P4
                raise Full(f"the list “{name}” would have more than {MOST_UNUSED:,} unused codes")
            status = await connection.execute(ADD, workspace, name, batch)
            added = int(status.rpartition(" ")[2])
            unused += added
            filled.read += len(batch)
            filled.added += added
            yield filled


def code_of(text: str) -> str | None:
    """A code as it is kept; None where it cannot be one."""
    code = text.strip()
    return code if 0 < len(code) <= LONGEST_CODE and "\0" not in code else None


async def lists(connection: Any, workspace: int) -> list[Mapping[str, Any]]:
    """The lists of a workspace: name, end, unused and charged codes."""
    return [dict(row) for row in await connection.fetch(LISTS, workspace)]


# Charging ------------------------------------------------------------------------------------------------------


async def charge(
    connection: Any, workspace: int, person: UUID, send: str, snippets: Iterable[str], now: datetime
) -> Mapping[str, str]:
    """One code of each of these lists, by list: those that the send has, else new ones (P2). Raises `NoCode`.

    `send` names what the codes are for; a repetition, also at the same time, gets the same codes. What is
    charged is charged at once, outside of any transaction: it is not given back, whatever becomes of the message (P3).
    """
    wanted = sorted(set(snippets))
    for tries in range(TRIES):
        codes = {row[0]: row[1] for row in await connection.fetch(KNOWN, workspace, send, wanted)}  # P2
        missing = [name for name in wanted if name not in codes]
        ends = {row[0]: row[1] for row in await connection.fetch(ENDS, workspace, missing)} if missing else {}
        try:
            for name in missing:
                _check(name, ends.get(name), now)
                code = await connection.fetchval(CHARGE, workspace, name, send, person, now)
                if code is not None:
                    codes[name] = code
                elif not await connection.fetchval(LEFT, workspace, name, send):  # P3
                    raise NoCode("promo_codes_exhausted", f"the promotion list “{name}” has no code left")
        except (asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError):
            pass  # another transaction charges the same send: take its codes
        else:
            if len(codes) == len(wanted):
                return codes
        await asyncio.sleep(FIRST_PAUSE * 2**tries)
    raise TimeoutError(f"the codes of {send} stay locked by other transactions")


def _check(name: str, ends: datetime | None, now: datetime) -> None:
    if ends is None:  # P3
        raise NoCode("promo_codes_unknown", f"there is no promotion list “{name}”")
    if ends <= now:  # P3
        raise NoCode("promo_codes_expired", f"the promotion list “{name}” has expired")


async def forget(connection: Any, now: datetime, most: int = 50_000) -> None:
    """Delete lists that ended long ago, with their codes; some at a time."""
    await connection.execute(FORGET_CODES, now - KEPT, most)
    await connection.execute(FORGET_LISTS, now - KEPT)
