"""Rate limits of a workspace: fixed windows, aligned to the clock, counted in each process separately (LIM-1).

With several API processes the limit is multiplied by their number.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

HOUR, MINUTE = 3600, 60
NONE: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Limit:
    """So many calls in a window of so many seconds. Routes that name the same bucket share it."""

    bucket: str
    calls: int
    seconds: int


GENERAL = Limit("general", 250_000, HOUR)
TRACK = Limit("users.track", 3_000, 3)
TRACK_SYNC = Limit("users.track.sync", 500, MINUTE)
SUBSCRIPTIONS = Limit("subscriptions", 5_000, MINUTE)
USERS = Limit("users", 20_000, MINUTE)
"""Shared by what changes who people are (1.3)."""
RENAMES = Limit("users.external_ids.rename", 1_000, MINUTE)
REMOVALS = Limit("users.external_ids.remove", 1_000, MINUTE)
LISTS = Limit("lists", 1_000, HOUR)
PREFERENCES = Limit("preference_centers", 1_000, MINUTE)
PREFERENCES_CHANGED = Limit("preference_centers.update", 10, MINUTE)
BROADCAST = Limit("broadcast", 250, MINUTE)
EXPORT_IDS = Limit("users.export.ids", 250, MINUTE)
EXPORT_FIELDS = Limit("users.export.ids.fields", 40, 1)
CATALOGS = Limit("catalogs", 50, MINUTE)
CATALOG_FIELDS = Limit("catalogs.fields", 50, MINUTE)
CATALOG_ITEMS = Limit("catalogs.items", 16_000, MINUTE)
CATALOG_ITEM = Limit("catalogs.item", 50, MINUTE)


@dataclass(frozen=True, slots=True)
class Counted:
    """What a call finds: whether it may pass, and what its answer says of the window."""

    passed: bool
    headers: Mapping[str, str]


@dataclass(slots=True)
class Limits:
    """The counters of one process. `changed` gives buckets another number of calls."""

    changed: Mapping[str, int] = field(default_factory=dict)
    clock: Callable[[], float] = time.time
    _counts: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)

    def count(self, limit: Limit, workspace: int, own: Mapping[str, int] = NONE) -> Counted:
        """Count a call of the workspace, by its own number of calls where it has set one (LIM-3)."""
        window = int(self.clock()) // limit.seconds  # LIM-1
        known, used = self._counts.get((limit.bucket, workspace), (window, 0))  # LIM-1
        used = used + 1 if known == window else 1  # LIM-1
        calls = self.changed.get(limit.bucket, own.get(limit.bucket, limit.calls))  # LIM-3
        if used <= calls:
            self._counts[limit.bucket, workspace] = window, used
        return self._counted(limit, calls, used, window)

    def idle(self, limit: Limit) -> Mapping[str, str]:
        """What an answer says that belongs to no workspace."""
        calls = self.changed.get(limit.bucket, limit.calls)
        return self._counted(limit, calls, 0, int(self.clock()) // limit.seconds).headers

    def _counted(self, limit: Limit, calls: int, used: int, window: int) -> Counted:
        reset = (window + 1) * limit.seconds
        headers = {
            "x-ratelimit-limit": str(calls),  # LIM-1
            "x-ratelimit-remaining": str(max(0, calls - used)),  # LIM-1
            "x-ratelimit-reset": str(reset),  # LIM-1
        }
        if used > calls:
            headers["retry-after"] = str(max(1, reset - int(self.clock())))
        return Counted(used <= calls, headers)  # LIM-2
