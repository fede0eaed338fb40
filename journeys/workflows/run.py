"""The run workflow: sleeps until a run of a canvas begins, and lets activities take its people in, page by page.

As the workflow of an entry it holds an id and nothing else: who is in the run, and how far it is, lies in the store.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

LONG = 60
"""A workflow whose history is longer than this many events continues as new."""

STRETCH = timedelta(seconds=20)
"""For so long one activity lets people in, before the next is begun, on whichever worker has room."""


@workflow.defn(name="JourneysRun")
class RunAlarm:
    """The alarm of one run. A nudge lets it look at the store: it was held, resumed, stopped, or moved."""

    def __init__(self) -> None:
        self.nudged = False

    @workflow.signal
    def nudge(self) -> None:
        """Look at the store now. Carries nothing."""
        self.nudged = True

    @workflow.run
    async def run(self, workspace: int, run: str) -> None:
        """Until the store says that the run is over."""
        while True:
            self.nudged = False  # before the activity: a nudge during it costs one more, never a change
            left = await workflow.execute_activity(
                "journeys_run",
                args=[workspace, run],
                start_to_close_timeout=timedelta(minutes=30),
                heartbeat_timeout=timedelta(seconds=10),
                retry_policy=RetryPolicy(
                    initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=1)
                ),
            )
            if left is None:
                return
            with suppress(TimeoutError):
                await workflow.wait_condition(lambda: self.nudged, timeout=max(0.001, left))
            if workflow.info().get_current_history_length() > LONG:
                workflow.continue_as_new(args=[workspace, run])
