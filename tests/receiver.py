"""A real HTTP server that records what it is sent, and honours `Idempotency-Key`."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route


@dataclass
class Receiver:
    """`statuses` are answered in turn, then 200; the same key gets its first answer again and counts once."""

    statuses: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    calls: list[dict[str, Any]] = field(default_factory=list)
    keys: dict[str, int] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    delay: float = 0.0
    arrived: int = 0
    """Calls that have come, answered or not."""
    _gate: asyncio.Semaphore | None = None
    shy: bool = False
    """Answer 503 to each address that was never asked for before."""
    replies: dict[str, Any] = field(default_factory=dict)
    """By path: a text, or anything else as JSON; bytes as they are."""
    port: int = 0

    async def __aenter__(self) -> Receiver:
        app = Starlette(
            routes=[Route("/{path:path}", self._take, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])]
        )
        self._server = uvicorn.Server(
            uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off")
        )
        self._task = asyncio.create_task(self._server.serve())
        while not self._server.started:
            await asyncio.sleep(0.01)
        self.port = self._server.servers[0].sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.answer()
        self._server.should_exit = True
        await self._task

    def hold(self) -> None:
        """Answer nobody from here on."""
        self._gate = asyncio.Semaphore(0)

    async def holds(self, calls: int) -> None:
        """Wait until so many have come."""
        while self.arrived < calls:
            await asyncio.sleep(0.005)

    def answer(self, calls: int = 10_000) -> None:
        """Answer so many of those that are held, or that come."""
        if self._gate is not None:
            for _ in range(calls):
                self._gate.release()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _take(self, request: Request) -> Response:
        body = await request.body()
        self.arrived += 1
        if self.delay:
            await asyncio.sleep(self.delay)
        if self._gate is not None:
            await self._gate.acquire()
        key = request.headers.get("idempotency-key", "")
        if key and self.keys.get(key, 500) < 300:
            return PlainTextResponse("again", self.keys[key])
        status = self.statuses.pop(0) if self.statuses else 200
        if self.shy and request.method == "GET" and str(request.url) not in self.asked:
            self.asked.add(str(request.url))
            status = 503
        self.keys[key] = status
        said = (
            json.loads(body) if body and "json" in request.headers.get("content-type", "") else body.decode()
        )
        self.calls.append(
            {
                "method": request.method,
                "path": request.url.path,
                "query": request.url.query,
                "headers": dict(request.headers),
                "body": said,
                "status": status,
            }
        )
        reply = self.replies.get(request.url.path, "ok")
        if isinstance(reply, str):
            return PlainTextResponse(reply, status, headers=self.headers)
        if isinstance(reply, bytes):
            return Response(reply, status, headers=self.headers)
        return JSONResponse(reply, status, headers=self.headers)
