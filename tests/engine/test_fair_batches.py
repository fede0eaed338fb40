"""Workspaces share out the batches of a process: what is claimed, and what a notice leads to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from journeys.engine.fair_batches import RECHECK, Notices, share_out


@dataclass
class Work:
    workspace: int


class Sharing:
    """What waits, by workspace; each batch lasts until its workspace is let go."""

    def __init__(self) -> None:
        self.waiting: list[int] = []
        self.claims: list[list[int]] = []
        self.taken: list[int] = []
        self.ends: dict[int, asyncio.Event] = {}
        self.notices = Notices()

    async def claim(self, without: Sequence[int]) -> Sequence[Work]:
        self.claims.append(list(without))
        mine = [each for each in self.waiting if each not in without]
        self.waiting = [each for each in self.waiting if each in without]
        return [Work(each) for each in mine]

    async def take(self, batch: Sequence[Work]) -> None:
        self.taken.append(batch[0].workspace)
        await self.ends.setdefault(batch[0].workspace, asyncio.Event()).wait()

    async def arrives(self, workspace: int) -> None:
        """It waits, its workspace is notified of, and the loop has the time to look twice."""
        self.waiting.append(workspace)
        self.notices.add(workspace)
        await asyncio.sleep(0.06)


@asynccontextmanager
async def sharing() -> AsyncIterator[Sharing]:
    one, stop = Sharing(), asyncio.Event()
    running = asyncio.create_task(
        share_out(one.claim, one.take, one.notices, stop, poll=60.0, check=lambda: None)
    )
    try:
        await asyncio.sleep(0)
        yield one
    finally:
        stop.set()
        for end in one.ends.values():
            end.set()
        await running


async def test_a_notice_of_a_workspace_whose_batch_is_under_way_asks_the_database_for_nothing() -> None:
    async with sharing() as one:
        await one.arrives(1)
        await asyncio.sleep(RECHECK)
        before = len(one.claims)
        await one.arrives(1)
        assert one.claims[before:] in ([], [[1]])  # at most the look that a quarter of a second brings
        assert one.taken == [1]


async def test_what_waits_behind_a_batch_of_its_workspace_follows_as_soon_as_that_ends() -> None:
    async with sharing() as one:
        await one.arrives(1)
        await one.arrives(1)
        async with asyncio.timeout(60):
            while not one.ends:
                await asyncio.sleep(0.001)
            one.ends[1].set()
            while one.taken != [1, 1]:
                await asyncio.sleep(0.001)
        assert one.waiting == []


async def test_a_notice_of_another_workspace_is_followed_at_once() -> None:
    async with sharing() as one:
        await one.arrives(1)
        await one.arrives(2)
        assert one.taken == [1, 2]


async def test_notices_without_end_of_a_busy_workspace_keep_no_other_from_being_found() -> None:
    async with sharing() as one:
        await one.arrives(1)
        one.waiting.append(2)  # its notice is lost
        for _ in range(40):
            await one.arrives(1)
            if 2 in one.taken:
                break
        assert one.taken == [1, 2]
