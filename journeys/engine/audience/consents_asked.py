"""Tells which filters look at what people agreed to, so that it is read where one does, and nowhere else. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from journeys.canvas.events_and_commands import NOTHING
from journeys.canvas.filters import (
    AllOf,
    AnyOf,
    ConsentFilter,
    Filter,
    NoneOf,
    SegmentFilter,
    SubscriptionFilter,
)


def asks_consents(
    several: Iterable[Any], segments: Mapping[str, Filter] = NOTHING, inside: frozenset[str] = frozenset()
) -> bool:
    """Whether one of these filters looks at consents or subscriptions, itself or by a segment. `inside`: segments not to follow."""
    for each in several:
        match each:
            case ConsentFilter() | SubscriptionFilter():
                return True
            case AllOf(all=within) | AnyOf(any=within) | NoneOf(none=within):
                if asks_consents(within, segments, inside):
                    return True
            case SegmentFilter(segment=name) if name in segments and name not in inside:
                if asks_consents([segments[name]], segments, inside | {name}):
                    return True
    return False
