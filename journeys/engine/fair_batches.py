"""Batches that workspaces share out: each has one under way, and one that takes long holds up no other workspace's."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

RECHECK = 0.25
"""Seconds that a batch is waited for before the next is claimed beside it."""

BATCHES = 64
"""So many workspaces may have a batch under way before no other is claimed in a process."""

BREATH = 0.02
"""Seconds between two looks for more while batches are under way, however many notifications come."""


class Notices:
    """The workspaces that have something new to do, as they are notified of."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._workspaces: set[int] = set()

    def add(self, workspace: int) -> None:
        """Say that this workspace has something new."""
        self._workspaces.add(workspace)
        self._event.set()

    def take(self) -> set[int]:
        """Those that were added since the last call."""
        taken, self._workspaces = self._workspaces, set()
        self._event.clear()
        return taken

    async def wait(self) -> None:
        """Wait until there is one."""
        await self._event.wait()


class OfWorkspace(Protocol):
    """What belongs to a workspace."""

    @property
    def workspace(self) -> int:
        """The workspace."""


T = TypeVar("T", bound=OfWorkspace)


async def share_out(
    claim: Callable[[Sequence[int]], Awaitable[Sequence[T]]],
    take: Callable[[Sequence[T]], Awaitable[None]],
    notices: Notices,
    stop: asyncio.Event,
    *,
    poll: float,
    check: Callable[[], None],
) -> None:
    """Claim what waits and take it, as it comes, until `stop` is set; then finish what was begun.

    `claim` gets the workspaces whose turn it is not, and `take` what was claimed of one workspace; `check` is done before
    each claim. What these raise ends it, and with it what is under way. Notices of workspaces that have a batch under way
    lead to no claim: theirs follows when the batch ends.
    """
    batches: set[asyncio.Task[None]] = set()
    under_way: Counter[int] = Counter()
    looked, only_notified = 0.0, False

    async def one(workspace: int, batch: Sequence[T]) -> None:
        try:
            await take(batch)
        finally:
            under_way[workspace] -= 1

    try:
        while not stop.is_set():
            check()
            busy = {each for each in under_way if under_way[each]}
            known = notices.take() <= busy and only_notified and time.monotonic() < looked + RECHECK
            batch: Sequence[T] = ()
            if len(batches) < BATCHES and not known:
                looked = time.monotonic()
                batch = await claim(sorted(busy))
            for workspace in {each.workspace for each in batch}:
                part = [each for each in batch if each.workspace == workspace]
                under_way[workspace] += 1
                batches.add(asyncio.create_task(one(workspace, part)))
            if batches and not batch:
                await asyncio.sleep(BREATH)
            left, heard = await _wait(batches, notices, stop, RECHECK if batch else poll)
            only_notified = heard and left == batches
            batches = left
        await asyncio.gather(*batches)
    finally:
        for each in batches:
            each.cancel()
        await asyncio.gather(*batches, return_exceptions=True)


async def _wait(
    batches: set[asyncio.Task[None]], notices: Notices, stop: asyncio.Event, seconds: float
) -> tuple[set[asyncio.Task[None]], bool]:
    """Wait for a batch to end, for a notice, or for the end; returns the batches still under way, and if there is a notice."""
    noticing = asyncio.ensure_future(notices.wait())
    signals = {noticing, asyncio.ensure_future(stop.wait())}
    try:
        done, _ = await asyncio.wait(
            {*batches, *signals}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        for each in signals:
            each.cancel()
    for batch in batches & done:
        batch.result()
    return batches - done, noticing in done
