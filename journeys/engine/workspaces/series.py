"""Series: what happened day by day or hour by hour, in the company's zone. A series is a query, never a second truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Literal

Unit = Literal["day", "hour"]


@dataclass(frozen=True, slots=True)
class Buckets:
    """Spans of time, one after the other: `edges` are their bounds (one more than there are spans), `labels` their names."""

    edges: Sequence[datetime]
    labels: Sequence[str]

    @classmethod
    def of(cls, unit: Unit, length: int, ending_at: datetime, zone: tzinfo) -> Buckets:
        """So many days or hours of a zone; the last is the one of this instant. A day is as long as its zone makes it.

        Example:
            >>> Buckets.of("day", 2, datetime(2026, 12, 7, 9, tzinfo=UTC), UTC).labels
            ['2026-12-06', '2026-12-07']
            >>> Buckets.of("hour", 1, datetime(2026, 12, 7, 9, 30, tzinfo=UTC), UTC).labels
            ['2026-12-07T09:00:00+00:00']
        """
        local = ending_at.astimezone(zone)
        if unit == "hour":
            last = local.replace(minute=0, second=0, microsecond=0).astimezone(UTC)
            edges = [last + timedelta(hours=n) for n in range(1 - length, 2)]
            return cls(edges, [each.astimezone(zone).isoformat() for each in edges[:-1]])
        days = [local.date() + timedelta(days=n) for n in range(1 - length, 2)]
        edges = [datetime(each.year, each.month, each.day, tzinfo=zone).astimezone(UTC) for each in days]
        return cls(edges, [each.isoformat() for each in days[:-1]])

    def whole(self) -> Buckets:
        """The same time as one span."""
        return Buckets((self.edges[0], self.edges[-1]), self.labels[:1])


PURCHASES = """
select width_bucket(at, $2::timestamptz[]) as bucket, sum(quantity)::bigint as quantity, sum(price * quantity)::float8 as revenue
from (
    select at,
        case when jsonb_typeof(properties -> 'quantity') = 'number' then (properties ->> 'quantity')::numeric else 1 end
            as quantity,
        case when jsonb_typeof(properties -> 'price') = 'number' then (properties ->> 'price')::numeric else 0 end as price
    from events where workspace = $1 and kind = 'purchase' and at >= $3 and at < $4 and ($5::text is null or name = $5)) as p
group by 1
"""


@dataclass(frozen=True, slots=True)
class Bought:
    """What was bought in a span: how many pieces, and their price in all, whatever the currency."""

    quantity: int = 0
    revenue: float = 0.0


async def purchases(
    connection: Any, workspace: int, buckets: Buckets, product: str | None = None
) -> list[Bought]:
    """What was bought in each span; of one product where it is named (PUR-1)."""
    edges = list(buckets.edges)
    rows = await connection.fetch(PURCHASES, workspace, edges, edges[0], edges[-1], product)
    found: Mapping[int, Bought] = {row["bucket"]: Bought(row["quantity"], row["revenue"]) for row in rows}
    return [found.get(place, Bought()) for place in range(1, len(edges))]
