"""`/metrics`, and the time that each request takes."""

from __future__ import annotations

import time
from hmac import compare_digest
from typing import Any

import asyncpg
from pydantic import Field, SecretStr
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from journeys.api.requests import answer
from journeys.api.services import Services
from journeys.engine.logs import logger
from journeys.engine.metrics import CONTENT_TYPE, REQUESTS, exposition
from journeys.engine.settings import Environment
from journeys.engine.store.backlog import measure
from journeys.engine.store.database import PASSING
from journeys.workflows.housekeeping import OVERDUE

FRESH = 5.0
"""For so many seconds the gauges of the database serve the next request too: they cost a few statements."""

log = logger(__name__)


class MonitoringSettings(Environment):
    """`JOURNEYS_METRICS_TOKEN`: what `/metrics` asks for as a bearer token; without it everybody may read them."""

    metrics_token: SecretStr | None = Field(
        default=None,
        description="What /metrics asks for as a bearer token; without it everybody may read them",
    )


class Metrics:
    """The route `/metrics`, over the gauges of the database and the series of this process."""

    def __init__(self, token: str | None = None) -> None:
        self._token = token
        self._measured = 0.0

    async def get(self, request: Request) -> Response:
        """The series. Those of the database are left as they were where it does not answer."""
        if self._token is not None:
            given = request.headers.get("authorization", "").removeprefix("Bearer ")
            if not compare_digest(given.encode(), self._token.encode()):
                return answer(401, {"message": "Invalid or missing token"}, {"www-authenticate": "Bearer"})
        services: Services = request.app.state.services
        if time.monotonic() >= self._measured + FRESH:
            try:
                await measure(services.db, services.clock.now(), services.clock.span(OVERDUE))
                self._measured = time.monotonic()
            except (*PASSING, TimeoutError, asyncpg.PostgresError) as error:
                log.debug("not_measured", error=type(error).__name__)
        return Response(exposition(), media_type=CONTENT_TYPE)


class TimedRequests:
    """Observes how long requests take, by the path of their route, their method and the status of the answer."""

    def __init__(self, app: ASGIApp, routes: list[BaseRoute]) -> None:
        self.app = app
        self._paths: dict[Any, str] = {
            route.endpoint: route.path for route in routes if isinstance(route, Route)
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.monotonic(), "none"

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            await self.app(scope, receive, sending)
        finally:
            path = self._paths.get(scope.get("endpoint"), "none")
            REQUESTS.labels(path, scope["method"] if path != "none" else "any", status).observe(
                time.monotonic() - began
            )


def metrics_route() -> Route:
    """`/metrics`, with the token of the environment."""
    token = MonitoringSettings().metrics_token
    return Route("/metrics", Metrics(token.get_secret_value() if token else None).get, methods=["GET"])
