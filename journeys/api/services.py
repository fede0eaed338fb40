"""What the routes use: the parts of the engine, and the limits of calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any

from journeys.api.rate_limits import NONE, Counted, Limit, Limits
from journeys.engine.clock import Clock
from journeys.engine.intake.shared_calls import SharedCalls
from journeys.engine.intake.triggering import Trigger
from journeys.engine.ports import AlarmSync, Notifier
from journeys.engine.store.database import Database
from journeys.engine.workspaces.api_keys import Keys
from journeys.engine.workspaces.api_usage import Usage
from journeys.engine.workspaces.published import Published


@dataclass
class Services:
    """The parts that the routes use.

    `temporal` asks Temporal whether it is well; `channels` are those of this process; `sdk_metrics` are the series of
    Temporal's SDK, as Prometheus reads them.
    """

    db: Database
    published: Published
    clock: Clock
    alarm_sync: AlarmSync
    notifier: Notifier
    temporal: Callable[[], Awaitable[Any]] | None = None
    channels: Collection[str] = ()
    sdk_metrics: Callable[[], Awaitable[bytes]] | None = None

    def __post_init__(self) -> None:
        self.keys = Keys(self.db)
        self.usage = Usage(self.db)
        self.limits = Limits(self.db, clock=lambda: self.clock.present().timestamp(), noted=self.usage.window)
        parts = self.db, self.published, self.clock, self.alarm_sync, self.notifier
        self.trigger = Trigger(*parts)
        self.shared_calls = SharedCalls(*parts)

    async def counted(self, limit: Limit, workspace: int) -> Counted:
        """Count a call by the limits of its workspace (LIM-3)."""
        settings = (await self.published.of(workspace)).settings
        return await self.limits.count(limit, workspace, NONE if settings is None else settings.limits)
