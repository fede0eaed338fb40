"""The entry workflow: sleeps until an instant or a nudge, and then runs a burst in the store.

It holds no plan, no event, nothing personal: an id, a number and an instant. What must stay replayable is these few
lines, so a new step type, a bug fix or a faster driver never breaks a sleeping entry.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import FailureError, is_cancelled_exception

LONG = 60
"""A run whose history is longer than this many events continues as new at its next wait."""


@workflow.defn(name="JourneysEntry")
class EntryAlarm:
    """The alarm of one entry (or of several that share it). A cancel ends it; the store has said so before."""

    def __init__(self) -> None:
        self.nudged = False

    @workflow.signal
    def nudge(self) -> None:
        """Look at the store now: something happened. Carries nothing."""
        self.nudged = True

    @workflow.run
    async def run(self, alarm: str, turn: int, wake_at: float | None = None) -> None:
        """Until the store says that nothing is left to wait for. `wake_at`: Unix seconds, where a run goes on."""
        while True:
            if wake_at is not None:
                await self.sleep_until(wake_at)
            self.nudged = (
                False  # before the burst: a nudge during it costs one more burst, never a lost event
            )
            turn, wake_at = await burst(alarm, turn)
            if wake_at is None:
                return
            if workflow.info().get_current_history_length() > LONG and not self.nudged:
                workflow.continue_as_new(args=[alarm, turn, wake_at])

    async def sleep_until(self, wake_at: float) -> None:
        """Sleep to the instant, or to a nudge."""
        left = max(0.001, wake_at - workflow.now().timestamp())
        with suppress(TimeoutError):
            await workflow.wait_condition(lambda: self.nudged, timeout=left)


async def burst(alarm: str, turn: int) -> tuple[int, float | None]:
    """One burst: as a local activity first, as a normal one if that fails; (turn, wake_at in Unix seconds)."""
    call = [alarm, turn, workflow.now().timestamp()]
    try:
        turn, wake_at = await workflow.execute_local_activity(
            "journeys_burst",
            args=call,
            start_to_close_timeout=timedelta(seconds=5),
            retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=100), maximum_attempts=3),
        )
    except FailureError as failure:  # a local activity fails with the bare cause, not with ActivityError
        if is_cancelled_exception(failure):
            raise
        call[2] = workflow.now().timestamp()
        turn, wake_at = await workflow.execute_activity(
            "journeys_burst",
            args=call,
            start_to_close_timeout=timedelta(seconds=60),
            retry_policy=RetryPolicy(
                initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=10)
            ),
        )
    return turn, wake_at
