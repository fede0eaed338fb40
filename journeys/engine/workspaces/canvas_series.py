"""The counts of a canvas by spans of time: the same facts, windows and events that its report counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from journeys.canvas.plan import Plan
from journeys.engine.store.database import Database
from journeys.engine.workspaces.series import Buckets

ENTERED = """
select width_bucket(at, $3::timestamptz[]) as bucket, data ->> 'variant' as variant, count(*) as count
from facts where workspace = $1 and canvas = $2 and fact = 'entered' and at >= $4 and at < $5 group by 1, 2
"""
SENT = """
select width_bucket(at, $3::timestamptz[]) as bucket, step, fact, count(*) as count
from facts where workspace = $1 and canvas = $2 and fact in ('sent', 'failed') and step is not null and at >= $4 and at < $5
group by 1, 2, 3
"""
ENGAGED = """
select width_bucket(first, $3::timestamptz[]) as bucket, step, name, count(*) as messages, sum(times)::bigint as times from (
    select properties ->> 'step' as step, name, min(at) as first, count(*) as times from events
    where workspace = $1 and kind = 'message' and name <> 'sent' and properties ->> 'canvas' = $2 and at >= $4 and at < $5
    group by 1, 2, person, properties ->> 'dispatch') as each_once
where step is not null group by 1, 2, 3
"""
"""Of the messages of the span: how many were opened (clicked …), and how often in all."""
CONVERTED = r"""
select width_bucket({at}, $3::timestamptz[]) as bucket, name, variant, step, count(*) as count,
    coalesce(sum(case when length(revenue) < 40 and revenue ~ '^-?\d+(\.\d+)?([eE][-+]?\d\d?)?$' then revenue::numeric end), 0)::float8
        as revenue
from conversions where workspace = $1 and canvas = $2 and at is not null and {at} >= $4 and {at} < $5 group by 1, 2, 3, 4
"""
BY_CONVERSION, BY_ENTRY = CONVERTED.format(at="at"), CONVERTED.format(at="since")


@dataclass(slots=True)
class Successes:
    """Conversions by the day on which they came and by the day of their entry, and their revenue."""

    revenue: float = 0.0
    conversions: int = 0
    conversions_by_entry_time: int = 0


@dataclass(slots=True)
class Entered(Successes):
    """The same with the entries: of the canvas, or of one variant."""

    entries: int = 0


@dataclass(slots=True)
class StepThen(Successes):
    """The same of one step, with what became of its messages, by the names that clients read."""

    messages: dict[str, int] = field(default_factory=lambda: defaultdict(int))


@dataclass(slots=True)
class Then:
    """The counts of one span."""

    total: Entered = field(default_factory=Entered)
    variants: dict[str, Entered] = field(default_factory=lambda: defaultdict(Entered))
    steps: dict[str, StepThen] = field(default_factory=lambda: defaultdict(StepThen))


ENGAGEMENTS = {"opened": ("opens", "unique_opens"), "clicked": ("clicks", "unique_clicks")}
"""How often, and how many messages, by the name of the event."""
ONCE = {"unsubscribed": "unsubscribes", "bounced": "bounces", "delivered": "delivered"}
FACTS = {"sent": "sent", "failed": "errors"}


async def series_of(db: Database, workspace: int, canvas: str, plan: Plan, buckets: Buckets) -> list[Then]:
    """The counts of a canvas in each of these spans, as it stands at one moment.

    The conversions are those of its first conversion, the revenue is that of the first that adds one up.
    """
    edges = list(buckets.edges)
    asked = workspace, canvas, edges, edges[0], edges[-1]
    async with (
        db.pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        rows = {
            query: await connection.fetch(query, *asked)
            for query in (ENTERED, SENT, ENGAGED, BY_CONVERSION, BY_ENTRY)
        }
    found = [Then() for _ in buckets.labels]

    def then(row: Mapping[str, Any]) -> Then:
        place: int = row["bucket"]
        return found[place - 1]

    for row in rows[ENTERED]:
        then(row).total.entries += row["count"]
        if row["variant"] is not None:
            then(row).variants[row["variant"]].entries += row["count"]
    for row in rows[SENT]:
        then(row).steps[row["step"]].messages[FACTS[row["fact"]]] += row["count"]
    for row in rows[ENGAGED]:
        _engage(then(row).steps[row["step"]].messages, row)
    first = next((each.name for each in plan.canvas.conversions), None)
    paying = next((each.name for each in plan.canvas.conversions if each.revenue), None)
    for query, key in ((BY_CONVERSION, "conversions"), (BY_ENTRY, "conversions_by_entry_time")):
        for row in rows[query]:
            _succeed(_places(then(row), row), row, first, paying, key)
    return found


def _engage(messages: dict[str, int], row: Mapping[str, Any]) -> None:
    name = row["name"]
    if name in ENGAGEMENTS:
        often, once = ENGAGEMENTS[name]
        messages[often] += row["times"]
        messages[once] += row["messages"]
    elif name in ONCE:
        messages[ONCE[name]] += row["messages"]


def _places(then: Then, row: Mapping[str, Any]) -> Sequence[Successes]:
    """Where a conversion counts: in all, in its variant, and at the step whose message was the latest."""
    places: list[Successes] = [then.total]
    if row["variant"] is not None:
        places.append(then.variants[row["variant"]])
    if row["step"] is not None:
        places.append(then.steps[row["step"]])
    return places


def _succeed(
    places: Sequence[Successes], row: Mapping[str, Any], first: str | None, paying: str | None, key: str
) -> None:
    for place in places:
        if row["name"] == first:
            setattr(place, key, getattr(place, key) + row["count"])
        if row["name"] == paying and key == "conversions":
            place.revenue += row["revenue"]


ENTRIES = "select min(at) as first, max(at) as last from facts where workspace = $1 and canvas = $2 and fact = 'entered'"
EDITED = "select max(at) from canvas_changes where workspace = $1 and canvas = $2 and kind = 'publish'"
LIST = """
select c.id, c.name, c.status, c.published, c.plan, coalesce(l.at, c.published) as edited
from canvases c left join lateral (
    select max(at) as at from canvas_changes
    where (workspace, canvas) = (c.workspace, c.name) and kind = 'publish') l on true
where c.workspace = $1 and ($2 or c.status <> 'archived') and ($3::timestamptz is null or coalesce(l.at, c.published) > $3)
order by case when $4 then c.published end desc, c.published, c.name limit $5 offset $6
"""


@dataclass(frozen=True, slots=True)
class Dated:
    """When people first and last entered a canvas, and when it was last edited; None: never."""

    first_entry: datetime | None
    last_entry: datetime | None
    edited: datetime | None


async def dates_of(connection: Any, workspace: int, canvas: str) -> Dated:
    """The dates of a canvas."""
    row = await connection.fetchrow(ENTRIES, workspace, canvas)
    return Dated(row["first"], row["last"], await connection.fetchval(EDITED, workspace, canvas))


async def list_canvases(
    connection: Any,
    workspace: int,
    *,
    archived: bool,
    edited_after: datetime | None,
    newest_first: bool,
    most: int,
    offset: int,
) -> Sequence[Mapping[str, Any]]:
    """Canvases in the order in which they were made."""
    return list(await connection.fetch(LIST, workspace, archived, edited_after, newest_first, most, offset))
