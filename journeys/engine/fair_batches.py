"""Batches that workspaces share out: each has one under way, and one that takes long holds up no other workspace's."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

RECHECK = 0.25
"""Seconds that a batch is waited for before the next is claimed beside it."""

BATCHES = 64
"""So many workspaces may have a batch under way before no other is claimed in a process."""

BREATH = 0.02
"""Seconds between two looks for more while batches are under way, however many notifications come."""


class OfWorkspace(Protocol):
    """What belongs to a workspace."""

    @property
    def workspace(self) -> int:
        """The workspace."""


T = TypeVar("T", bound=OfWorkspace)


async def share_out(
    claim: Callable[[Sequence[int]], Awaitable[Sequence[T]]],
    take: Callable[[Sequence[T]], Awaitable[None]],
    notified: asyncio.Event,
    stop: asyncio.Event,
    *,
    poll: float,
    check: Callable[[], None],
) -> None:
    """Claim what waits and take it, as it comes, until `stop` is set; then finish what was begun.

    `claim` gets the workspaces whose turn it is not, and `take` what was claimed of one workspace; `check` is done before
    each claim. What these raise ends it, and with it what is under way.
    """
    batches: set[asyncio.Task[None]] = set()
    under_way: Counter[int] = Counter()

    async def one(workspace: int, batch: Sequence[T]) -> None:
        try:
            await take(batch)
        finally:
            under_way[workspace] -= 1

    try:
        while not stop.is_set():
            check()
            notified.clear()
            batch: Sequence[T] = ()
            if len(batches) < BATCHES:
                batch = await claim([each for each in under_way if under_way[each]])
            for workspace in {each.workspace for each in batch}:
                part = [each for each in batch if each.workspace == workspace]
                under_way[workspace] += 1
                batches.add(asyncio.create_task(one(workspace, part)))
            if batches and not batch:
                await asyncio.sleep(BREATH)
            batches = await _wait(batches, notified, stop, RECHECK if batch else poll)
        await asyncio.gather(*batches)
    finally:
        for each in batches:
            each.cancel()
        await asyncio.gather(*batches, return_exceptions=True)


async def _wait(
    batches: set[asyncio.Task[None]], notified: asyncio.Event, stop: asyncio.Event, seconds: float
) -> set[asyncio.Task[None]]:
    """Wait for a batch to end, for a notification, or for the end; returns the batches that are still under way."""
    signals = {asyncio.ensure_future(notified.wait()), asyncio.ensure_future(stop.wait())}
    try:
        done, _ = await asyncio.wait(
            {*batches, *signals}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        for each in signals:
            each.cancel()
    for batch in batches & done:
        batch.result()
    return batches - done
