"""The ASGI application: all routes in one list. Hot routes are plain Starlette; errors are JSON with a message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

import journeys
from journeys.api.cross_origin import let_in
from journeys.api.described_operations import OPERATIONS
from journeys.api.docs_page import routes as docs_routes
from journeys.api.known_operations import LIST, KnownOperations, not_built
from journeys.api.links import routes as link_routes
from journeys.api.monitoring import REQUEST_ID, TimedRequests, metrics_route
from journeys.api.openapi import document
from journeys.api.people_export_files import routes as export_routes
from journeys.api.preference_pages import routes as preference_routes
from journeys.api.rate_limits import GENERAL
from journeys.api.readiness import routes as readiness_routes
from journeys.api.requests import answer, permission_of, route_of, unavailable
from journeys.api.services import Services
from journeys.engine.logs import logger
from journeys.engine.store.database import PASSING
from journeys.engine.workspaces.stored_plans import NotUnderstood

NAMES = {404: "Not Found", 405: "Method Not Allowed"}

log = logger(__name__)


def routes() -> list[BaseRoute]:
    """Every route that there is."""
    return [
        *(operation.route() for operation in OPERATIONS),
        *link_routes(),
        *export_routes(),
        *preference_routes(),
    ]


def permissions() -> frozenset[str]:
    """The permissions that these routes ask for."""
    asked = (permission_of(route.endpoint) for route in routes() if isinstance(route, Route))
    return frozenset(one for one in asked if one is not None)


class WithoutLastSlash:
    """Reads the path `/users/track/` as `/users/track`: a redirect would lose the body of a POST."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        path: str = scope.get("path", "")
        if scope["type"] == "http" and len(path) > 1 and path.endswith("/"):
            scope["path"] = (
                path.rstrip("/") or "/"
            )  # in place: what stands around reads in it which route it was
        await self.app(scope, receive, send)


def app(services: Services) -> FastAPI:
    """The API over these services. It lets in the pages of no other site but those that the operator names (API-6)."""
    made = FastAPI(
        title="Journeys",
        version=journeys.__version__,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        exception_handlers={
            HTTPException: _refused,
            NotUnderstood: _unread,
            **dict.fromkeys(PASSING, _away),
            Exception: _failed,
        },
    )
    made.state.services = services
    described, later = document(), not_built(routes())
    made.state.later = KnownOperations(later)
    ours = [*routes(), *readiness_routes(), metrics_route(), *docs_routes(described, later)]
    made.router.routes.extend(ours)
    made.state.paths = {route.endpoint: route.path for route in ours if isinstance(route, Route)}
    let_in(made)
    made.add_middleware(TimedRequests, paths=made.state.paths)
    made.add_middleware(WithoutLastSlash)
    _describe(made, described)
    return made


def _describe(made: FastAPI, described: Mapping[str, Any]) -> None:
    def openapi() -> dict[str, Any]:
        return dict(described)

    made.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to replace the description


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    services: Services = request.app.state.services
    headers = {**services.limits.idle(GENERAL), **(error.headers or {})}
    known: KnownOperations = request.app.state.later
    meant = known.of(request.method, request.scope["path"]) if error.status_code in NAMES else None
    if meant is not None:
        said = f"Not Found: {meant.method} {meant.path} is an operation of Braze's API that is not built here yet"
        return answer(404, {"message": f"{said}; {LIST} lists all such", "documentation": LIST}, headers)
    return answer(error.status_code, {"message": NAMES.get(error.status_code, str(error.detail))}, headers)


async def _unread(request: Request, error: Exception) -> Response:
    """What this process does not understand another one may: the client tries again."""
    services: Services = request.app.state.services
    return answer(503, {"message": str(error)}, services.limits.idle(GENERAL))


async def _away(request: Request, error: Exception) -> Response:
    services: Services = request.app.state.services
    response = unavailable(error)
    response.headers.update(services.limits.idle(GENERAL))
    return response


async def _failed(request: Request, error: Exception) -> Response:
    services: Services = request.app.state.services
    identity = str(request.scope.get(REQUEST_ID, ""))
    said = {"request_id": identity, "error": type(error).__name__}
    log.error("request_failed", route=route_of(request), **said, exc_info=error)
    headers = {**services.limits.idle(GENERAL), "x-request-id": identity}
    return answer(500, {"message": "Internal Server Error"}, headers)


def monitoring_app(services: Services) -> Starlette:
    """`/health`, `/ready` and `/metrics` alone: for a process that serves no API."""
    made = Starlette(routes=[*readiness_routes(), metrics_route()])
    made.state.services = services
    return made
