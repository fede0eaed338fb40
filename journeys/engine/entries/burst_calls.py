"""What a workflow sends when it wakes, and what it is answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from journeys.engine.workspaces.stored_plans import NotUnderstood


@dataclass(frozen=True, slots=True)
class Call:
    """What a workflow sends when it wakes: the turn that it knows, and the time on its clock (canvas time)."""

    turn: int
    now: datetime


@dataclass(frozen=True, slots=True)
class Reply:
    """What the workflow should know: the latest turn, and when it must wake (canvas time; None: end).

    `unread`: this process does not understand an entry of the alarm, which waits for one that does.
    """

    turn: int
    alarm_at: datetime | None
    unread: NotUnderstood | None = None
    busy: int | None = None
    """The workspace of a person whom somebody else has locked: nothing was done."""
