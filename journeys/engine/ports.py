"""What the engine asks of the outside, as protocols: who tells Temporal, and who wakes delivery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Untold:
    """An entry that was moved from outside its workflow, as its row stood when the transaction committed.

    `told` is the last turn that the workflow knows of (0: it was never started); `alarm_at` the instant at which it
    must wake (canvas time; None: at once, or never where `ended`).
    """

    workspace: int
    person: UUID
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


class Teller(Protocol):
    """Carries moved entries over to Temporal: start, nudge or cancel."""

    def tell(self, untold: Sequence[Untold]) -> None:
        """Begin to carry these over, after their commit, in the background. A sweep repeats what gets lost."""


class Bell(Protocol):
    """Wakes the drainers of a channel, in every process."""

    def ring(self, channel: str) -> None:
        """Say, after a commit, that there are new dispatches for this channel."""


class Silent:
    """A teller and bell that do nothing: for tools and tests in which the sweeps and polls do the work."""

    def tell(self, untold: Sequence[Untold]) -> None:
        """Leave it to the sweep."""

    def ring(self, channel: str) -> None:
        """Leave it to the poll."""
