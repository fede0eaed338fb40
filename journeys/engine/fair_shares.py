"""Shares of the workspaces: what each may have at once and in each second, and when who comes again has a turn."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

REMEMBERED = 10_000
"""Workspaces of which it is known how much they had lately."""

LATELY = 2.0
"""Seconds for which a workspace counts as one that has work."""


class Turns:
    """When those come again who found no place: of a workspace one after the other, so that they do not all ask at once.

    `soonest` and `apart`: seconds until the first comes, and between two of them.
    """

    def __init__(self, soonest: float, apart: float) -> None:
        self._soonest = soonest
        self._apart = apart
        self._last: dict[int, float] = {}

    def next(self, workspace: int, now: float) -> float:
        """Seconds from now until the turn of one more."""
        self._last = {each: at for each, at in self._last.items() if at > now}
        at = max(now + self._soonest, self._last.get(workspace, 0.0) + self._apart)
        self._last[workspace] = at
        return at - now


class Allowance:
    """So much for each workspace at once, and so much more in each second: of whatever is counted."""

    def __init__(self, at_once: float, each_second: float) -> None:
        self._most = at_once
        self._rate = each_second
        self._left: OrderedDict[int, tuple[float, float]] = OrderedDict()

    def left(self, workspace: int, now: float) -> float:
        """What it may still have at this instant; below nothing where it had too much."""
        left, then = self._left.get(workspace, (self._most, now))
        return min(self._most, left + self._rate * (now - then))

    def spend(self, workspace: int, amount: float, now: float) -> None:
        """It had so much. What it had too much is remembered up to what it may have at once."""
        self._left[workspace] = max(self.left(workspace, now) - amount, -self._most), now
        self._left.move_to_end(workspace)
        if len(self._left) > REMEMBERED:
            self._left.popitem(last=False)

    def pause(self, workspace: int, now: float) -> float:
        """Seconds until it may have something again."""
        return max(0.0, -self.left(workspace, now)) / self._rate


class Lanes:
    """So many at once, of all workspaces together; who has one can see whether another waits for it."""

    def __init__(self, most: int) -> None:
        self._free = asyncio.Semaphore(most)
        self._waiting: Counter[int] = Counter()

    @asynccontextmanager
    async def held(self, workspace: int) -> AsyncIterator[None]:
        """One of them, for as long as the block takes: whoever waits longest has the next."""
        self._waiting[workspace] += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting[workspace] -= 1
        try:
            yield
        finally:
            self._free.release()

    def wanted(self, workspace: int) -> bool:
        """Whether another workspace than this one waits."""
        self._waiting = +self._waiting
        return any(each != workspace for each in self._waiting)


class AtWork:
    """Which workspaces had something done lately."""

    def __init__(self) -> None:
        self._lately: OrderedDict[int, float] = OrderedDict()

    def add(self, workspace: int, now: float) -> None:
        """Something is done for it."""
        self._lately[workspace] = now
        self._lately.move_to_end(workspace)
        if len(self._lately) > 2:  # whether there is another is all that is asked
            self._lately.popitem(last=False)

    def others(self, workspace: int, now: float) -> bool:
        """Whether something was done for another within `LATELY`."""
        return any(each != workspace and at > now - LATELY for each, at in self._lately.items())
