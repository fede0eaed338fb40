"""Waits, where a server starts, for a database and a Temporal server that are not there yet."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from journeys.cli.logs import say
from journeys.cli.stop import Stop

RETRY = 1.0
"""Seconds between two tries."""

T = TypeVar("T")


class Away(Stop):
    """Something does not answer that may come: servers wait for it, commands end."""


async def until_there(work: Callable[[], Awaitable[T]], stop: asyncio.Event) -> T:
    """Do the work when what it needs is there. Whoever waits says so in one line; it ends with 0 where `stop` is set."""
    told = False
    while True:
        try:
            found = await work()
        except Away as away:
            if not told:
                say(f"{away.message}; waiting for it")
            told = True
        else:
            if told:
                say("it answers: going on")
            return found
        try:
            await asyncio.wait_for(stop.wait(), RETRY)
        except TimeoutError:
            continue
        raise Stop("stopped while it waited", 0)
