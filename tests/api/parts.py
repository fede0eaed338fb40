"""What the API of a stage is made of."""

from __future__ import annotations

from typing import Any

import httpx2

from journeys.api.app import app
from journeys.api.rate_limits import Limits
from journeys.api.services import Services
from tests.stage import EMAIL, Stage, canvas

STORY = (
    canvas(
        "  - {type: delay, id: wait, duration: 1 day}\n  - {type: message, id: m, channel: email, template: hello}",
        more="reentry: {after: 0 days}",
    )
    + EMAIL
    + """
---
kind: segment
format: 1
name: runners
when: {attribute: sport, equals: running}
"""
)

INSTANT = 1_000_000.0
"""Where the clock of the limits stands: no window ends while a test runs."""


def services_of(stage: Stage) -> Services:
    """The parts that the routes use, with limits whose clock stands still."""
    made = Services(stage.db, stage.published, stage.clock, stage.alarm_sync, stage.alarm_sync)
    made.limits = Limits(stage.db, clock=lambda: INSTANT, noted=made.usage.window)
    return made


class Door:
    """The API of a stage, called with a key of its workspace."""

    def __init__(self, stage: Stage, key: str) -> None:
        self.stage = stage
        self.key = key
        self.services = services_of(stage)
        self.client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=app(self.services)), base_url="http://api"
        )

    async def post(self, path: str, body: Any, key: str | None = "", **headers: str) -> httpx2.Response:
        if key is not None:
            headers["Authorization"] = f"Bearer {key or self.key}"
        return await self.client.post(path, json=body, headers=headers)

    async def profile(self, external_id: str) -> Any:
        return await self.stage.db.pool.fetchrow("select * from people where external_id = $1", external_id)
