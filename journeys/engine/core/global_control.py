"""Who is in the global control group: a share of all people, drawn by their random buckets. Pure."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

from journeys.canvas.assignment import hash_fraction
from journeys.canvas.definition_kinds import GlobalControl

BUCKETS = 10_000
"""How many random buckets there are (IDN-10)."""


def held_out(group: GlobalControl | None, drawn: int, tags: Collection[str]) -> frozenset[int]:
    """The buckets whose people a canvas with these tags does not let in (GCG-2, GCG-3).

    `drawn` says how often a group was drawn in the workspace: each time others are in it (GCG-4).
    """
    if group is None or not set(tags).isdisjoint(group.except_tags):  # GCG-3
        return frozenset()
    return _drawn(group.share, drawn)[0]


def samples(share: int, drawn: int) -> tuple[frozenset[int], frozenset[int]]:
    """The buckets of the group, and of the sample of the others that it is compared with: as many of them (GCG-1).

    >>> group, others = samples(5, 1)
    >>> len(group), len(others), group & others
    (500, 500, frozenset())
    """
    return _drawn(share, drawn)


@lru_cache(maxsize=64)
def _drawn(share: int, drawn: int) -> tuple[frozenset[int], frozenset[int]]:
    """So many per cent of the buckets, spread over all of them: no filter by bucket takes more of them than of others."""
    order = sorted(
        range(BUCKETS), key=lambda bucket: hash_fraction("global_control", str(drawn), str(bucket))
    )
    count = BUCKETS * share // 100
    return frozenset(order[:count]), frozenset(order[count : 2 * count])  # GCG-1
