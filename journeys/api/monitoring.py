"""`/metrics`, and the time that each request takes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from hmac import compare_digest
from typing import Any
from uuid import uuid4

import asyncpg
from opentelemetry import propagate, trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from pydantic import Field, SecretStr
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from journeys.api.requests import answer
from journeys.api.services import Services
from journeys.engine.logs import logger, request_id
from journeys.engine.metrics import CONTENT_TYPE, REQUESTS, exposition
from journeys.engine.settings import Environment
from journeys.engine.store.backlog import measure
from journeys.engine.store.database import PASSING
from journeys.workflows.housekeeping import OVERDUE

FRESH = 5.0
"""For so many seconds the gauges of the database serve the next request too: they cost a few statements."""

METRICS = {
    "summary": "What this process has counted and timed, for Prometheus",
    "responses": {
        "200": {"description": "The series."},
        "401": {"description": "The token of `JOURNEYS_METRICS_TOKEN` is missing or wrong."},
    },
}
"""The route `/metrics`, as OpenAPI describes it."""

log = logger(__name__)

TRACER = trace.get_tracer("journeys")
"""It does nothing unless the process sends traces."""


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
        sdk = b"" if services.sdk_metrics is None else await services.sdk_metrics()
        return Response(exposition() + sdk, media_type=CONTENT_TYPE)


LONGEST_ID = 64

REQUEST_ID = "journeys.request_id"
"""Where the id of a request stands in its scope."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

NOT_LOGGED = frozenset({"/health", "/ready", "/metrics"})
"""Routes whose requests are in no log and no trace: they are asked every few seconds."""

TRACE_HEADERS = ("traceparent", "tracestate")


def _id_of(scope: Scope) -> str:
    """The id that a request brings (`X-Request-Id`), where it can be one, or a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            given = value.decode("latin-1")
            if 0 < len(given) <= LONGEST_ID and given.isascii() and given.isprintable() and " " not in given:
                return str(given)
    return uuid4().hex


class TimedRequests:
    """Times requests by the path of their route, their method and the status, gives each an id, logs and traces it.

    Log and trace have the route and not the path, which may hold what is about a person.
    """

    def __init__(self, app: ASGIApp, paths: Mapping[Any, str]) -> None:
        self.app = app
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif scope["path"] in NOT_LOGGED:
            await self._timed(scope, receive, send, trace.INVALID_SPAN)
        else:
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
            around = propagate.extract({name: headers[name] for name in TRACE_HEADERS if name in headers})
            with TRACER.start_as_current_span(
                "request", around, SpanKind.SERVER, record_exception=False, set_status_on_exception=False
            ) as span:
                await self._timed(scope, receive, send, span)

    async def _timed(self, scope: Scope, receive: Receive, send: Send, span: Span) -> None:
        began, status = time.monotonic(), "none"
        identity = scope[REQUEST_ID] = _id_of(scope)
        token = request_id.set(identity)

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
                message["headers"] = [*message["headers"], (b"x-request-id", identity.encode())]
            await send(message)

        try:
            await self.app(scope, receive, sending)
        except Exception:
            status = "500" if status == "none" else status  # whoever is around answers so
            raise
        finally:
            path = self._paths.get(scope.get("endpoint"), "none")
            took = time.monotonic() - began
            method = scope["method"] if scope["method"] in METHODS else "other"
            REQUESTS.labels(path, method, status).observe(took)
            _describe(span, path, method, status)
            if path not in NOT_LOGGED:
                log.info(
                    "request",
                    route=path,
                    method=method,
                    status=int(status) if status.isdecimal() else None,
                    ms=round(took * 1000, 1),
                )
            request_id.reset(token)


def _describe(span: Span, path: str, method: str, status: str) -> None:
    if span.is_recording():
        span.update_name(f"{method} {path}")
        span.set_attributes({"http.request.method": method, "http.route": path})
        if status.isdecimal():
            span.set_attribute("http.response.status_code", int(status))
        if not status.isdecimal() or int(status) >= 500:
            span.set_status(Status(StatusCode.ERROR))


def metrics_route() -> Route:
    """`/metrics`, with the token of the environment."""
    token = MonitoringSettings().metrics_token
    return Route("/metrics", Metrics(token.get_secret_value() if token else None).get, methods=["GET"])
