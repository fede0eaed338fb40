"""Housekeeping: its jobs run one at a time, and a busy machine logs no warnings."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from journeys.engine.clock import Clock
from journeys.workflows.housekeeping import Housekeeping


class Slow(Housekeeping):
    """Its sweep takes longer than the time until the next."""

    def __init__(self) -> None:
        nothing = cast("Any", None)
        super().__init__(nothing, nothing, Clock(), nothing, nothing, closed=nothing)
        self.at_once = self.most_at_once = self.done = 0
        self.twice = asyncio.Event()

    def start(self) -> None:
        """The sweep alone."""
        self._every(0.05, self.sweep)
        self._scheduler.start()

    async def sweep(self) -> int:
        """See base class."""
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0.25)
        self.at_once -= 1
        self.done += 1
        if self.done == 2:
            self.twice.set()
        return 0


async def test_a_job_that_takes_longer_than_its_pause_is_not_begun_twice_and_nobody_is_warned(
    caplog: pytest.LogCaptureFixture,
) -> None:
    housekeeping = Slow()
    housekeeping.start()
    await housekeeping.twice.wait()
    housekeeping.stop()
    assert housekeeping.most_at_once == 1
    assert [record.message for record in caplog.records if record.levelno >= 30] == []
