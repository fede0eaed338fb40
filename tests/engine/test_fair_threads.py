"""Threads that workspaces share: one that gives much to do keeps no other from having its turn."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial

import pytest

from journeys.cli.servers import SWITCH, up
from journeys.engine import fair_threads
from journeys.engine.fair_shares import LATELY, AtWork
from journeys.engine.fair_threads import FairThreads, work_for, working_for


@pytest.fixture
def over() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


class Work:
    """Counts how much is under way at once, until it is over."""

    def __init__(self, over: threading.Event) -> None:
        self.over = over
        self.most = self.begun = 0
        self._lock = threading.Lock()
        self._now = 0

    def __call__(self) -> None:
        with self._lock:
            self._now += 1
            self.begun += 1
            self.most = max(self.most, self._now)
        self.over.wait()
        with self._lock:
            self._now -= 1


async def _for(workspace: int, threads: FairThreads, work: Work) -> None:
    working_for.set(workspace)
    await threads.run(work)


async def test_a_workspace_with_much_to_do_leaves_a_thread_to_others(over: threading.Event) -> None:
    threads, much = FairThreads(2, "test"), Work(over)
    several = [asyncio.create_task(_for(1, threads, much)) for _ in range(8)]
    while not much.begun:
        await asyncio.sleep(0.001)
    done = threading.Event()
    done.set()

    await _for(2, threads, Work(done))

    assert (much.begun, much.most) == (1, 1), "its other work waits for its own turn"
    over.set()
    await asyncio.gather(*several)
    assert (much.begun, much.most) == (8, 1)


async def test_work_whose_caller_is_gone_holds_its_place_until_it_ends(over: threading.Event) -> None:
    threads, work = FairThreads(2, "test"), Work(over)
    gone = asyncio.create_task(_for(1, threads, work))
    while not work.begun:
        await asyncio.sleep(0.001)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    next_ = asyncio.create_task(_for(1, threads, work))
    await asyncio.sleep(0.02)

    assert work.begun == 1
    over.set()
    await next_
    assert (work.begun, work.most) == (2, 1)


async def test_what_work_raises_is_raised_and_its_place_is_free(over: threading.Event) -> None:
    over.set()
    threads = FairThreads(1, "test")
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            await threads.run(lambda: 1 // 0)
    await _for(0, threads, Work(over))


def _compute(seconds: float) -> None:
    ends = time.thread_time() + seconds
    while time.thread_time() < ends:
        pass


async def test_a_workspace_that_has_computed_its_share_waits_while_others_have_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It goes on as soon as nobody else has any, and others need not wait for it to be paid back."""
    at_work = AtWork()
    monkeypatch.setattr(fair_threads, "AT_WORK", at_work)
    monkeypatch.setattr(fair_threads, "LONGEST_PAUSE", 0.001)
    monkeypatch.setattr(fair_threads, "AT_ONCE", 0.05)
    monkeypatch.setattr(fair_threads, "SHARE", 1e-6)
    threads, ran = FairThreads(1, "test"), list[int]()

    async def one(workspace: int, seconds: float) -> None:
        work_for(workspace)
        await threads.run(partial(_compute, seconds))
        ran.append(workspace)

    await one(1, 0.1)
    await one(1, 0.0)
    assert ran == [1, 1], "nobody else has work: it may compute all the time"
    await one(2, 0.0)
    waits = asyncio.create_task(one(1, 0.0))
    for _ in range(5):
        await one(2, 0.0)
    assert ran == [1, 1] + [2] * 6
    assert not waits.done()
    at_work.add(1, time.monotonic() + LATELY)
    at_work.add(3, 0.0)  # the others have had nothing to do for long
    await waits
    assert ran[-1] == 1


async def test_who_gives_up_while_waiting_for_a_share_leaves_the_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at_work = AtWork()
    monkeypatch.setattr(fair_threads, "AT_WORK", at_work)
    monkeypatch.setattr(fair_threads, "AT_ONCE", 0.01)
    monkeypatch.setattr(fair_threads, "SHARE", 1e-6)
    threads = FairThreads(1, "test")
    at_work.add(2, time.monotonic() + 3600)
    working_for.set(1)
    await threads.run(partial(_compute, 0.02))
    waits = asyncio.create_task(threads.run(partial(_compute, 0.0)))
    await asyncio.sleep(0.01)
    waits.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waits
    at_work.add(1, 0.0)
    at_work.add(1, 0.0)
    at_work.add(3, 0.0)
    await threads.run(partial(_compute, 0.0))


def test_threads_of_a_process_that_is_up_give_way_to_the_event_loop_soon() -> None:
    before = sys.getswitchinterval()
    try:
        up()
        assert sys.getswitchinterval() == pytest.approx(SWITCH)
        assert before >= 5 * SWITCH
    finally:
        sys.setswitchinterval(before)
        gc.unfreeze()
