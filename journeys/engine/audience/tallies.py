"""How often people did things: what is counted as it arrives, and which filters that answers. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from journeys.canvas.events_and_commands import Occurrence
from journeys.canvas.filters import EventFilter, PurchaseFilter

MOST_BOUGHT = 100
"""Of one purchase (PUR-1)."""


class Tally(NamedTuple):
    """How often a person did something by an instant, and when last, where that is known."""

    times: int
    last: datetime | None = None


Tallies = Mapping[tuple[str, str | None], Tally]
"""How often a person did what was asked for, by kind and name (None: any)."""


def times_of(occurrence: Occurrence) -> int:
    """How often a thing counts: a purchase of several as so many (PUR-2).

    Example:
        >>> from datetime import UTC, datetime
        >>> noon = datetime(2026, 12, 7, 12, tzinfo=UTC)
        >>> times_of(Occurrence(no=1, kind="purchase", name="shoe", at=noon, properties={"quantity": 3}))
        3
    """
    quantity = occurrence.properties.get("quantity") if occurrence.kind == "purchase" else None
    if isinstance(quantity, bool) or not isinstance(quantity, int | float):
        return 1
    return int(min(max(quantity, 1), MOST_BOUGHT))  # PUR-2


def counts_all(what: Any) -> bool:
    """Whether a filter asks how often something was done in all: what is counted as it arrives answers it (EVT-3)."""
    plain = isinstance(what, EventFilter | PurchaseFilter) and not what.where and what.within_last is None
    return plain and what.times is not None
