"""The application: one list of routes. Hot routes are plain Starlette; errors are JSON objects with a message."""

from __future__ import annotations

import structlog
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import journeys
from journeys.api.links import routes as link_routes
from journeys.api.services import Services, answer, guarded
from journeys.api.track import users_track
from journeys.api.trigger import trigger_send

log = structlog.get_logger(__name__)


async def health(request: Request) -> Response:
    """Whether the database answers."""
    services: Services = request.app.state.services
    await services.db.pool.fetchval("select 1")
    return answer(200, {"message": "success", "version": journeys.__version__})


def _post(path: str, work: object) -> list[Route]:
    """A POST route, with and without a slash at its end: a redirect would lose the body."""
    return [Route(path, work, methods=["POST"]), Route(path + "/", work, methods=["POST"])]  # type: ignore[arg-type]


def app(services: Services) -> FastAPI:
    """The API over these services."""
    made = FastAPI(title="Journeys", version=journeys.__version__, redirect_slashes=False)
    made.state.services = services
    made.router.routes.extend(
        [
            *_post("/users/track", guarded("users.track", users_track)),
            *_post("/canvas/trigger/send", guarded("canvas.trigger.send", trigger_send)),
            Route("/health", health),
            *link_routes(),
        ]
    )

    @made.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        del request
        names = {404: "Not Found", 405: "Method Not Allowed"}
        return answer(error.status_code, {"message": names.get(error.status_code, str(error.detail))})

    @made.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Response:
        log.error("request_failed", path=request.url.path, error=type(error).__name__, exc_info=error)
        return answer(500, {"message": "Internal Server Error"})

    return made
