"""The delivery workflow: one small workflow per channel and lane keeps a drain activity running somewhere.

The activity heartbeats while it drains; if its worker dies or freezes, another takes over after the heartbeat's
time-out. It ends now and then by itself, so that a new worker gets its turn and the history stays short.
"""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

WATCH = timedelta(hours=1)
"""How long one drain activity runs before the workflow starts the next."""

ROUNDS = 20
"""The number of drain activities after which the workflow continues as new."""


@workflow.defn(name="JourneysDeliver")
class Deliver:
    """Keeps the dispatches of one channel draining, on whichever worker is alive."""

    @workflow.run
    async def run(self, channel: str, lane: int = 0) -> None:
        """For ever, an activity at a time."""
        for _ in range(ROUNDS):
            await workflow.execute_activity(
                "journeys_drain",
                args=[channel, lane],
                start_to_close_timeout=WATCH + timedelta(minutes=5),
                heartbeat_timeout=timedelta(seconds=5),
                retry_policy=RetryPolicy(
                    initial_interval=timedelta(milliseconds=200), maximum_interval=timedelta(seconds=5)
                ),
            )
        workflow.continue_as_new(args=[channel, lane])
