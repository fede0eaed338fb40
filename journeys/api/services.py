"""What the routes need, and how they answer: keys, permissions, JSON in and out."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response

from journeys.engine.clock import Clock
from journeys.engine.keys import Key, recognise
from journeys.engine.ports import Bell, Teller
from journeys.engine.published import Published
from journeys.engine.store.database import Database

LARGEST_BODY = 4 * 1024 * 1024
"""Bytes that a request may have (TRK-2)."""

LIMIT, WINDOW = 250_000, 3600
"""So many calls an hour and workspace; counted in each process (LIM-1)."""

log = structlog.get_logger(__name__)


@dataclass
class Services:
    """The parts that the routes use."""

    db: Database
    published: Published
    clock: Clock
    teller: Teller
    bell: Bell
    limit: int = LIMIT
    counts: dict[tuple[int, int], int] = field(default_factory=dict)


class Refusal(Exception):
    """An answer that ends a request: status and message."""

    def __init__(self, status: int, message: str) -> None:
        self.status, self.message = status, message
        super().__init__(message)


def answer(status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(msgspec.json.encode(body, order="sorted"), status, headers, media_type="application/json")


Work = Callable[[Services, Key, Any, Request], Awaitable[Response]]


def guarded(permission: str, work: Work) -> Callable[[Request], Awaitable[Response]]:
    """A route that wants a key with this permission and a JSON object; refusals are JSON too."""

    async def route(request: Request) -> Response:
        services: Services = request.app.state.services
        headers: dict[str, str] = {}
        try:
            body = await _body(request)
            key = await _key(services, request, body)
            headers = _count(services, key.workspace)
            if not key.may(permission):
                raise Refusal(403, "Access Denied")
            if not isinstance(body, dict):
                raise Refusal(400, "the body must be a JSON object")
            response = await work(services, key, body, request)
        except Refusal as refusal:
            response = answer(refusal.status, {"message": refusal.message})
        response.headers.update(headers)
        return response

    return route


async def _body(request: Request) -> Any:
    """The body as JSON, or the error that it is none; read first, because an old key may stand in it."""
    size = 0
    parts = []
    async for part in request.stream():
        size += len(part)
        if size > LARGEST_BODY:
            raise Refusal(413, "the body is larger than 4 MB")
        parts.append(part)
    raw = b"".join(parts)
    try:
        return msgspec.json.decode(raw) if raw else {}
    except msgspec.DecodeError as error:
        return Refusal(400, f"the body is not JSON: {error}")


async def _key(services: Services, request: Request, body: Any) -> Key:
    """The key of a request: a bearer, or (as old clients send it) `api_key` in the body (API-2)."""
    header = request.headers.get("authorization")
    given = ""
    if header is not None:
        scheme, _, given = header.partition(" ")
        given = given.strip() if scheme.lower() == "bearer" else ""
    elif isinstance(body, dict) and isinstance(body.get("api_key"), str):
        given = body.pop("api_key")
        log.info("key_in_body", path=request.url.path)
    key = await recognise(services.db, given) if given else None
    if key is None:
        raise Refusal(401, "Invalid API Key")
    if isinstance(body, Refusal):
        raise body
    return key


def _count(services: Services, workspace: int) -> dict[str, str]:
    window = int(time.time()) // WINDOW
    place = (workspace, window)
    if place not in services.counts:
        services.counts = {known: count for known, count in services.counts.items() if known[1] == window}
    used = services.counts[place] = services.counts.get(place, 0) + 1
    left = services.limit - used
    reset = (window + 1) * WINDOW
    headers = {
        "x-ratelimit-limit": str(services.limit),
        "x-ratelimit-remaining": str(max(0, left)),
        "x-ratelimit-reset": str(reset),
    }
    if left < 0:
        services.counts[place] = services.limit
        raise Refusal(429, "Rate Limited")
    return headers
