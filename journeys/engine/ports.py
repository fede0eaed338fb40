"""What the engine needs from outside, as protocols: alarm sync with Temporal, and the notifier of delivery."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class PendingAlarm:
    """An entry, or an alarm of several, that was moved from outside its workflow, as its row stood at the commit.

    `told` is the last turn that the workflow knows of (0: it was never started); `alarm_at` the instant at which it
    must wake (canvas time; None: at once, or never where `ended`).
    """

    workspace: int
    person: UUID | None
    entry: UUID
    alarm: UUID
    generation: int
    turn: int
    told: int
    ended: bool
    alarm_at: datetime | None
    priority: int
    canvas: str
    plan: str
    kind: str = "entry"
    """`entry`; `entries` where several share the alarm, and `run`: then `entry` is the alarm, and `person` nobody."""


class AlarmSync(Protocol):
    """Carries moved entries over to Temporal: start, nudge or cancel."""

    def sync(self, pending_alarms: Sequence[PendingAlarm]) -> None:
        """Begin to carry these over, after their commit, in the background. A sweep repeats what gets lost."""


class Notifier(Protocol):
    """Wakes the drainers of a channel, in every process."""

    def notify(self, channel: str, workspace: int) -> None:
        """Say, after a commit, that there are new dispatches of a workspace for this channel."""


class Committed(Protocol):
    """What a transaction leaves to be told of once it is committed."""

    @property
    def pending_alarms(self) -> Sequence[PendingAlarm]:
        """What Temporal is to be informed of."""

    @property
    def channels(self) -> Collection[tuple[str, int]]:
        """The channels that have new dispatches, and of which workspace."""


def tell(committed: Committed, alarm_sync: AlarmSync, notifier: Notifier) -> None:
    """Tell of what was committed: Temporal of the alarms, and the drainers of the channels."""
    alarm_sync.sync(committed.pending_alarms)
    for channel, workspace in committed.channels:
        notifier.notify(channel, workspace)


class NullNotifier:
    """Does nothing in the place of alarm sync and notifier: for tools and tests in which sweeps and polls do the work."""

    def sync(self, pending_alarms: Sequence[PendingAlarm]) -> None:
        """Leave it to the sweep."""

    def notify(self, channel: str, workspace: int) -> None:
        """Leave it to the poll."""
