"""`POST /canvas/stop`, `pause`, `resume`, `archive`, and `GET /canvas/changes`: the life of a canvas by API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from journeys.api.requests import Refusal, Work, answer, guarded
from journeys.api.services import Services
from journeys.engine.core.life import Timers, Word
from journeys.engine.intake.unknown_keys import unknown_keys
from journeys.engine.workspaces.api_keys import Key
from journeys.engine.workspaces.canvas_changes import (
    NoCanvas,
    NotPossible,
    canvases_of,
    change,
    log_of,
    named,
)

PERMISSION = "canvas.status"

WORDS: tuple[Word, ...] = ("stop", "pause", "resume", "archive")
"""What may be said of a canvas; each is a route."""

CHOICES: tuple[Timers, ...] = get_args(Timers)

LONGEST_NAME = 100

MOST = 100
"""The maximum number of changes in one answer."""


def routes() -> list[BaseRoute]:
    """The routes; a worker brings those inside a canvas up to date after a change."""
    return [
        *(Route(f"/canvas/{word}", guarded(PERMISSION, _saying(word)), methods=["POST"]) for word in WORDS),
        Route("/canvas/changes", guarded(PERMISSION, changes), methods=["GET"]),
    ]


def _saying(word: Word) -> Work:
    """The work of a route that changes the status of a canvas."""
    keys = {"api_key", "canvas_id"} | ({"timers"} if word == "resume" else set())

    async def say(services: Services, key: Key, body: dict[str, Any], request: Request) -> Response:
        del request
        canvas, timers = (
            _canvas(body.get("canvas_id")),
            _timers(body.get("timers")) if word == "resume" else None,
        )
        try:
            changed = await change(
                services.db,
                key.workspace,
                canvas,
                word,
                at=services.clock.now(),
                who=f"key {key.name}",
                timers=timers,
            )
        except NoCanvas as error:
            raise _unknown(error) from error
        except NotPossible as error:
            raise Refusal(409, f"Conflict: {error}") from error
        said = {
            "message": "success",
            "canvas": changed.name,
            "canvas_id": str(changed.id),
            "status": changed.status,
            "since": changed.since,
            **({"timers": changed.timers} if changed.timers else {}),
            **({} if changed.new else {"notice": f"the canvas is {changed.status} already"}),
        }
        remarks = [{"type": text} for text in unknown_keys(body, keys, "this call")]
        return answer(201, said | ({"errors": remarks} if remarks else {}))

    return say


async def changes(services: Services, key: Key, body: dict[str, Any], request: Request) -> Response:
    """The status of a canvas, and the log of its changes: who, when, what; the last one first."""
    del body
    asked = request.query_params
    canvas, before = _canvas(asked.get("canvas_id")), _before(asked.get("before"))
    publication = await services.published.of(key.workspace)
    try:
        name = await named(services.db, key.workspace, canvas)
    except NoCanvas as error:
        raise _unknown(error) from error
    [one] = [
        each
        for each in await canvases_of(services.db, publication, services.clock.now())
        if each.name == name
    ]
    log = await log_of(services.db, key.workspace, name, before, MOST)
    said: Mapping[str, Any] = {
        "message": "success",
        "canvas": name,
        "canvas_id": str(one.id),
        "status": one.status,
        "since": one.since,
        "changes": [
            {"no": each.no, "at": each.at, "who": each.who, "what": each.what, "details": each.data}
            for each in log
        ],
    }
    return answer(200, said)


def _canvas(given: Any) -> str:
    if not isinstance(given, str) or not 0 < len(given) <= LONGEST_NAME:
        raise Refusal(400, "Invalid Canvas ID: 'canvas_id' is the name or the id of a canvas")
    return given


def _unknown(error: NoCanvas) -> Refusal:
    return Refusal(400, f"Invalid Canvas ID: {str(error)[:300]}")


def _timers(given: Any) -> Timers | None:
    if given is not None and given not in CHOICES:
        raise Refusal(400, f"'timers' must be one of {', '.join(CHOICES)}")
    return given  # type: ignore[no-any-return]


def _before(given: str | None) -> int | None:
    if given is None:
        return None
    if not (given.isascii() and given.isdecimal() and len(given) < 10):
        raise Refusal(400, "'before' must be the number of a change")
    return int(given)
