"""The rows of exports: begun by a call, worked on by one process at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from uuid_utils.compat import uuid7

LEASE = timedelta(minutes=2)
"""How long no other process takes an export whose process has gone."""

LONGEST_PAUSE = 600
"""Seconds after which an export is tried again at the latest."""

MOST_TRIES = 20
"""How often the same part of an export is tried."""

BEGIN = """
insert into exports (workspace, id, segment, wanted, format, prefix, callback, at) values ($1, $2, $3, $4, $5, $6, $7, $8)
"""
CLAIM = """
update exports set claim = $1, lease = clock_timestamp() + $2 where (workspace, id) = (
    select workspace, id from exports where ended is null and coalesce(lease, '-infinity') < clock_timestamp()
        and coalesce(not_before, '-infinity') < clock_timestamp()
    order by stored limit 1 for update skip locked)
returning *
"""
WROTE = """
update exports set after = $4, files = files + $8, people = people + $5, tries = 0, lease = clock_timestamp() + $6,
    written = case when $7 then clock_timestamp() end
where (workspace, id, claim) = ($1, $2, $3) and ended is null returning *
"""
END = """
update exports set ended = clock_timestamp(), reason = $4, claim = null, lease = null where (workspace, id, claim) = ($1, $2, $3)
"""
AGAIN = """
update exports set claim = null, lease = null, tries = tries + 1, reason = $4,
    not_before = clock_timestamp() + least($5, power(2, tries)) * interval '1 second'
where (workspace, id, claim) = ($1, $2, $3)
"""
ONE = "select * from exports where workspace = $1 and id = $2"


class Running(ValueError):
    """There is an export of this segment that has not ended."""


@dataclass(frozen=True, slots=True)
class Export:
    """An export as its row says."""

    workspace: int
    id: UUID
    segment: str | None
    fields: frozenset[str]
    attributes: tuple[str, ...]
    format: str
    prefix: str
    callback: str | None
    at: datetime
    after: UUID | None
    files: int
    people: int
    written: datetime | None
    ended: datetime | None
    claim: UUID | None
    tries: int

    @property
    def object_prefix(self) -> str:
        """The last part of the prefix, which tells one export of a day from another."""
        return self.prefix.rpartition("/")[2]


def _export(row: Mapping[str, Any]) -> Export:
    wanted = row["wanted"]
    return Export(
        fields=frozenset(wanted["fields"]),
        attributes=tuple(wanted["attributes"]),
        **{name: row[name] for name in Export.__slots__ if name not in ("fields", "attributes")},
    )


async def begin(
    connection: Any,
    workspace: int,
    *,
    segment: str | None,
    fields: frozenset[str],
    attributes: tuple[str, ...],
    format_: str,
    callback: str | None,
    now: datetime,
) -> Export:
    """Record an export; a worker does it. Raises `Running` where one of the same people has not ended."""
    identity = uuid7()
    folder = segment or "global_control_group"
    prefix = f"segment-export/{folder}/{now:%Y-%m-%d}/{uuid4()}-{int(now.timestamp())}"
    wanted = {"fields": sorted(fields), "attributes": list(attributes)}
    try:
        await connection.execute(BEGIN, workspace, identity, segment, wanted, format_, prefix, callback, now)
    except asyncpg.UniqueViolationError:
        raise Running from None
    found = await export_of(connection, workspace, identity)
    assert found is not None
    return found


async def export_of(connection: Any, workspace: int, identity: UUID) -> Export | None:
    """An export by its id."""
    row = await connection.fetchrow(ONE, workspace, identity)
    return None if row is None else _export(row)


async def claim(connection: Any) -> Export | None:
    """The export that has waited longest, for this process; None where there is none to work on."""
    row = await connection.fetchrow(CLAIM, uuid4(), LEASE)
    return None if row is None else _export(row)


async def wrote(
    connection: Any, one: Export, after: UUID | None, people: int, *, files: int, last: bool
) -> Export | None:
    """Note that a file is written (or none, where nobody was left); None where another process has taken the export over."""
    row = await connection.fetchrow(
        WROTE, one.workspace, one.id, one.claim, after, people, LEASE, last, files
    )
    return None if row is None else _export(row)


async def end(connection: Any, one: Export, reason: str | None = None) -> None:
    """Note that nothing more is done of it."""
    await connection.execute(END, one.workspace, one.id, one.claim, reason)


async def again(connection: Any, one: Export, reason: str) -> None:
    """Leave it to a later try."""
    await connection.execute(AGAIN, one.workspace, one.id, one.claim, reason[:500], LONGEST_PAUSE)
