"""Pages of people: those who match a filter, found in SQL as far as SQL can say it, in the order of their ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from journeys.canvas.events_and_commands import NOTHING
from journeys.canvas.filters import Filter
from journeys.engine.people.audience_sql import PeopleCondition, to_sql
from journeys.engine.people.profiles import BYTES, SELECT, Profile, profile_of

WINDOW = 20_000
"""How many people are looked at for one page, divided by the conditions: a page that finds nobody takes no longer."""

MOST_STORED = 16 * 1024 * 1024
"""Bytes of custom attributes, as they are stored, that are looked at for one page."""

FIRST, LAST = UUID(int=0), UUID(int=2**128 - 1)
"""The ends of all ids."""

BOUND = """
with looked as (
    select p.id, row_number() over w as place, sum(case when $5 then pg_column_size(p.attributes) else 0 end) over w as held
    from people p where p.workspace = $1 and p.id > $2
    window w as (order by p.id rows unbounded preceding) order by p.id limit $3 + 1)
select id, place < (select count(*) from looked) as more from looked
where place <= $3 and (held <= $4 or place = 1) order by place desc limit 1
"""
"""The last of those who are looked at for one page, and whether there are more."""


def _page(condition: str, columns: str) -> str:
    """The statement that reads a page."""
    once = ""
    if condition.count("p.attributes") > 1:  # what is stored compressed is unpacked once for each of them
        condition = condition.replace("p.attributes", "once.attributes")
        once = "cross join lateral (select p.attributes || '{}' as attributes offset 0) once"
    return f"""
with recursive found as materialized (
    select array(select p.id from people p {once} where p.workspace = $1 and p.id > $2 and p.id <= $3 and {condition}
        order by p.id limit $4) as ids),
page(id, held, place) as (
    select p.id, ({BYTES})::bigint, 1 from found join people p on p.workspace = $1 and p.id = found.ids[1]
    union all
    select p.id, page.held + ({BYTES})::bigint, page.place + 1 from page cross join found
        join people p on p.workspace = $1 and p.id = found.ids[page.place + 1]
    where page.held < $5)
select {columns}, cardinality(found.ids) as found from page cross join found
    join people p on (p.workspace, p.id) = ($1, page.id) order by p.id
"""  # noqa: S608 - constants, and a condition with parameters


@dataclass(frozen=True, slots=True)
class Page:
    """Some people, and the person after whom the next page begins (None: it is the last).

    `unsure` are their profiles where some of them may not match: they are left to `matches`. None: all of them match.
    """

    people: Sequence[UUID]
    unsure: Sequence[Profile] | None
    after: UUID | None


async def window_of(
    connection: Any, workspace: int, after: UUID, parts: int, *, least: int = 1, attributes: bool = True
) -> tuple[UUID, bool]:
    """The last of those after a person who are looked at in one statement, and whether there are more.

    `parts`: how many conditions are asked of each; `attributes`: whether their custom attributes are read. At `least` so
    many are looked at, but for those whose attributes are large.
    """
    many = max(WINDOW // parts, least)
    bound = await connection.fetchrow(BOUND, workspace, after, many, MOST_STORED, attributes)
    return (LAST, False) if bound is None else (bound["id"], bound["more"])


async def page_of(
    connection: Any,
    workspace: int,
    what: Filter | None,
    *,
    now: datetime,
    segments: Mapping[str, Filter] = NOTHING,
    canvas: str | None = None,
    after: UUID | None = None,
    most: int,
    most_bytes: int,
) -> Page:
    """The next people who match a filter (None: all) at an instant: at most so many, and of so many bytes or one more.

    `canvas`: the one whose steps a filter means that names no other. A page may have fewer people than that, or nobody, and not be the last.
    """
    first, last, more = after or FIRST, LAST, False
    found = PeopleCondition("true", (), exact=True, parts=1)
    if what is not None:
        found = to_sql(what, now=now, segments=segments, canvas=canvas, first=6)
        attributes = "p.attributes" in found.text
        last, more = await window_of(
            connection, workspace, first, found.parts, least=most, attributes=attributes
        )
    query = _page(found.text, "p.id" if found.exact else SELECT)
    rows = await connection.fetch(query, workspace, first, last, most, most_bytes, *found.parameters)
    people = [row["id"] for row in rows]
    unsure = None if found.exact else [profile_of(workspace, row) for row in rows]
    some = rows[0]["found"] if rows else 0
    full = some == most or len(rows) < some
    return Page(people, unsure, people[-1] if full else last if more else None)
