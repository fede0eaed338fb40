"""What the API of a stage is made of."""

from __future__ import annotations

from journeys.api.rate_limits import Limits
from journeys.api.services import Services
from tests.stage import Stage

INSTANT = 1_000_000.0
"""Where the clock of the limits stands: no window ends while a test runs."""


def services_of(stage: Stage) -> Services:
    """The parts that the routes use, with limits whose clock stands still."""
    limits = Limits(clock=lambda: INSTANT)
    return Services(stage.db, stage.published, stage.clock, stage.alarm_sync, stage.alarm_sync, limits)
