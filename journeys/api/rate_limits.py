"""Rate limits of a workspace: fixed windows, aligned to the clock, counted over all API processes (LIM-1).

The count is a row of the database. A process takes calls of a window from it in blocks, and lets them through without a
statement: a block is as large as what the process has used so far, and at most an eighth of what is left, so that few
statements are needed and little lies idle. What a process does not use within a second it gives back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from journeys.engine.store.database import Database
from journeys.engine.workspaces.shared_limits import Block, Shared

HOUR, MINUTE = 3600, 60
NONE: Mapping[str, int] = MappingProxyType({})

EVERY = 1.0
"""Seconds after which a process gives back what it has not used, and asks again whether a window that was full still is."""

SHARE = 8
"""A process that begins a window takes at once the eighth part of what it used of the last one."""


@dataclass(frozen=True, slots=True)
class Limit:
    """So many calls in a window of so many seconds. Routes that name the same bucket share it.

    `part`: of what each part of the bucket is counted by itself, such as one audience.
    """

    bucket: str
    calls: int
    seconds: int
    part: str = ""

    def of(self, part: str) -> Limit:
        """The same limit for one part."""
        return replace(self, part=part)


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
BROADCAST_AUDIENCE = Limit("broadcast.audience", 10, MINUTE)
"""Of calls to a canvas with the same audience."""
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
class _Taken:
    """What this process has taken of a window, by number. `rest`: what others may still take, as the store said last."""

    limit: Limit
    workspace: int
    window: int = -1
    calls: int = 0
    left: int = 0
    rest: int = 0
    used: int = 0
    """Calls that this process let through in this window."""
    before: int = 0
    """The same, of the window before."""
    full_until: float = 0.0
    touched: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def lets_through(self, window: int, calls: int) -> bool:
        """Let a call through, where some of the block are left."""
        if self.window < window or self.calls != calls or not self.left:
            return False
        self.left -= 1
        self.used += 1
        self.touched = time.monotonic()
        return True

    def full(self, window: int, calls: int) -> bool:
        """Whether the store has just said that nothing is left."""
        return self.window >= window and self.calls == calls and time.monotonic() < self.full_until

    def take(self, window: int, calls: int, block: Block) -> None:
        """Hold a block. The window of the store may be later than ours: another process's clock is ahead of ours."""
        opened = max(window, block.opened // self.limit.seconds)
        if opened != self.window:
            self.before, self.used = self.used if opened == self.window + 1 else 0, 0
        self.window, self.calls, self.left, self.rest = opened, calls, block.granted, block.rest
        self.touched = time.monotonic()
        self.full_until = 0.0 if block.granted else self.touched + EVERY

    @property
    def block(self) -> int:
        """How many calls it asks for next."""
        return max(1, self.used, self.before // SHARE)


class Limits:
    """The limits as one process counts them. `changed` gives buckets another number of calls, `clock` the epoch seconds.

    `noted` hears of each block: the workspace, the bucket, its calls, and how many of them have been given out.

    Example:
        >>> counted = await Limits(db).count(TRACK, workspace)      # doctest: +SKIP
        >>> counted.passed, counted.headers["x-ratelimit-remaining"]      # doctest: +SKIP
        (True, '2999')
    """

    def __init__(
        self,
        db: Database,
        changed: Mapping[str, int] = NONE,
        clock: Callable[[], float] = time.time,
        noted: Callable[[int, str, int, int], None] = lambda *_: None,
    ) -> None:
        self.changed, self.clock, self._noted = changed, clock, noted
        self._shared = Shared(db)
        self._taken: dict[tuple[str, str, int], _Taken] = {}

    async def count(self, limit: Limit, workspace: int, own: Mapping[str, int] = NONE) -> Counted:
        """Count a call of the workspace, by its own number of calls where it has set one (LIM-3)."""
        window = int(self.clock()) // limit.seconds  # LIM-1
        calls = self.changed.get(limit.bucket, own.get(limit.bucket, limit.calls))  # LIM-3
        key = limit.bucket, limit.part, workspace
        taken = self._taken.setdefault(key, _Taken(limit, workspace))
        passed = taken.lets_through(window, calls)
        if not passed:
            async with taken.lock:
                passed = taken.lets_through(
                    window, calls
                )  # of the block that another call has taken meanwhile
                if not passed and not taken.full(window, calls):
                    await self._take(taken, window, calls)
                    passed = taken.lets_through(window, calls)
        return self._counted(
            limit, calls, taken.left + taken.rest if passed else 0, taken.window, passed=passed
        )

    async def _take(self, taken: _Taken, window: int, calls: int) -> None:
        if taken.window >= window:  # the number of calls has changed within the window
            await self._give_back(taken)
            block = taken.block
        else:
            block = max(1, taken.used // SHARE)
        limit, begins = taken.limit, window * taken.limit.seconds
        place = taken.workspace, limit.bucket, limit.part
        found = await self._shared.take(*place, begins, calls, block)
        taken.take(window, calls, found)  # LIM-1
        self._noted(taken.workspace, limit.bucket, calls, calls - found.rest)  # RTE-1

    async def _give_back(self, taken: _Taken) -> None:
        left, taken.left = taken.left, 0
        if left:
            place = taken.workspace, taken.limit.bucket, taken.limit.part
            await self._shared.give_back(*place, taken.window * taken.limit.seconds, left)

    def idle(self, limit: Limit) -> Mapping[str, str]:
        """What an answer says that belongs to no workspace."""
        calls = self.changed.get(limit.bucket, limit.calls)
        return self._counted(limit, calls, calls, int(self.clock()) // limit.seconds, passed=True).headers

    def _counted(self, limit: Limit, calls: int, remaining: int, window: int, *, passed: bool) -> Counted:
        reset = (window + 1) * limit.seconds
        headers = {
            "x-ratelimit-limit": str(calls),  # LIM-1
            "x-ratelimit-remaining": str(max(0, remaining)),  # LIM-1
            "x-ratelimit-reset": str(reset),  # LIM-1
        }
        if not passed:
            headers["retry-after"] = str(max(1, reset - int(self.clock())))
        return Counted(passed, headers)  # LIM-2

    async def give_back(self, unused_for: float = 0.0) -> None:
        """Give back what has not been used for so many seconds, and forget what has long been over."""
        for key, taken in list(self._taken.items()):
            if time.monotonic() - taken.touched < unused_for or taken.lock.locked():
                continue
            if taken.window < int(self.clock()) // taken.limit.seconds - 1:
                self._taken.pop(key, None)
                continue
            async with taken.lock:
                await self._give_back(taken)

    async def clear(self) -> None:
        """Forget the windows that are long over."""
        await self._shared.clear()
