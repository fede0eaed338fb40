"""How often people did what and what they spent, as it is kept up in the transaction of each event (PRF-2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from journeys.engine.audience.tallies import Tally

Asked = tuple[UUID, str, str | None, datetime, int | None]
"""A person, a kind, a name (None: any), an instant, and the number of an event that does not count (ENT-16)."""

COUNTED = """
select w.person, w.kind, w.name,
    coalesce(sum(case when c.last <= w.until then c.count else c.count - (
        select coalesce(sum(times_of(e.kind, e.properties)), 0) from events e
        where (e.workspace, e.person, e.kind, e.name) = ($1, c.person, c.kind, c.name) and e.at > w.until) end), 0)
    - coalesce((select times_of(e.kind, e.properties) from events e
        where (e.workspace, e.person, e.no) = ($1, w.person, w.but) and e.at <= w.until
            and e.kind = w.kind and (w.name is null or e.name = w.name)), 0) as times,
    case when w.but is null and max(c.last) <= w.until then max(c.last) end as last
from unnest($2::uuid[], $3::text[], $4::text[], $5::timestamptz[], $6::bigint[])
    as w(person, kind, name, until, but)
left join event_counts c
    on (c.workspace, c.person, c.kind) = ($1, w.person, w.kind) and (w.name is null or c.name = w.name)
group by w.person, w.kind, w.name, w.until, w.but
"""
"""What was stored since, and is of a later instant, is taken off again: an entry that is late sees what a punctual one
would have seen. There is hardly ever any."""

COUNTS = """
select person, kind, name, count, first, last from event_counts
where workspace = $1 and person = any($2::uuid[]) order by person, kind, name
"""
SPENT = """
select person, product, currency, amount from spending
where workspace = $1 and person = any($2::uuid[]) order by person, product, currency
"""


async def tallies(
    connection: Any, workspace: int, asked: Iterable[Asked]
) -> dict[UUID, dict[tuple[str, str | None], Tally]]:
    """How often these people did these things by an instant of each (EVT-3): a look at one row each, whatever they did."""
    wanted = list(asked)
    if not wanted:
        return {}
    rows = await connection.fetch(COUNTED, workspace, *map(list, zip(*wanted, strict=True)))
    found: dict[UUID, dict[tuple[str, str | None], Tally]] = {}
    for row in rows:
        found.setdefault(row["person"], {})[row["kind"], row["name"]] = Tally(int(row["times"]), row["last"])
    return found


async def counts_of(
    connection: Any, workspace: int, people: Iterable[UUID]
) -> dict[UUID, list[dict[str, Any]]]:
    """All that these people did, each kind and name with its count, the first and the last instant (EVT-3, PUR-3)."""
    found: dict[UUID, list[dict[str, Any]]] = {}
    for row in await connection.fetch(COUNTS, workspace, list(people)):
        found.setdefault(row["person"], []).append(
            {name: row[name] for name in ("kind", "name", "count", "first", "last")}
        )
    return found


async def spent_by(
    connection: Any, workspace: int, people: Iterable[UUID]
) -> dict[UUID, Mapping[str, Mapping[str, Decimal]]]:
    """What these people spent on each product, by currency (PUR-2, PUR-3)."""
    found: dict[UUID, dict[str, dict[str, Decimal]]] = {}
    for row in await connection.fetch(SPENT, workspace, list(people)):
        found.setdefault(row["person"], {}).setdefault(row["product"], {})[row["currency"]] = row["amount"]
    return dict(found)
