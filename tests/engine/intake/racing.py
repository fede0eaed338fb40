"""What the tests of races have in common: canvases, and a call of somebody else that stops in its midst."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from journeys.engine.people.identity import Identifier
from journeys.engine.people.profiles import Profile
from tests.stage import canvas

WAITS = canvas(
    "  - {type: delay, id: d, duration: 1 day}\n  - {type: message, id: m, channel: email, template: hello}"
)
LISTENS = canvas(
    """
  - type: action_paths
    id: a
    within: 2 days
    paths: [{name: p, triggers: [{event: ping}], steps: [{type: user_update, id: u, attributes: {n: {increment: 1}}}]}]
""",
    more="conversions: [{name: c, event: ping, within: 7 days}]",
)
DERIVES = (
    canvas("  - {type: user_update, id: u, events: [{name: made}]}")
    + "\n---\n"
    + canvas("  - {type: delay, id: d, duration: 1 day}", name="second", schedule="{event: made}")
)
ASKS = canvas("""
  - {type: context, id: ask, set: [{name: got, value: "{% connected_content https://example.com/size %}"}]}
  - {type: delay, id: rest, duration: 1 day}
  - {type: user_update, id: last, attributes: {done: true}}
""")


def named(person: Profile) -> Identifier:
    return Identifier("braze_id", str(person.id))


class Halfway:
    """A call that has begun, and goes on when it is told to."""

    def __init__(self) -> None:
        self.begun, self._goes_on = asyncio.Event(), asyncio.Event()

    async def stop(self) -> None:
        """Said by the call, in its midst."""
        self.begun.set()
        await self._goes_on.wait()

    def finishing(self, work: asyncio.Task[Any]) -> Callable[[], Awaitable[None]]:
        """The rest of the work that makes the call."""

        async def rest() -> None:
            self._goes_on.set()
            await work

        return rest
