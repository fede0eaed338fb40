"""The longest pause of an event loop while something is done."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable


async def longest_pause(work: Awaitable[object]) -> float:
    """Seconds for which this loop did nothing else while the work was done.

    Of each pause only what this process computed meanwhile counts: who else uses the machine is not its fault.
    """
    longest, over = 0.0, False

    async def tick() -> None:
        nonlocal longest
        last, used = time.perf_counter(), time.process_time()
        while not over:
            await asyncio.sleep(0.001)
            now, computed = time.perf_counter(), time.process_time()
            longest = max(longest, min(now - last, computed - used))
            last, used = now, computed

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0.01)
    try:
        await work
        await asyncio.sleep(0.002)
    finally:
        over = True
        await ticking
    return longest
