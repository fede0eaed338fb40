"""The OpenAPI description of the routes of the life of a canvas."""

from __future__ import annotations

from typing import Any, get_args

from journeys.engine.core.life import Timers

TEXT = {"type": "string"}
STATUS = {"enum": ["draft", "active", "idle", "stopped", "paused", "archived"]}
STANDS = {
    "message": {"const": "success"},
    "canvas": TEXT,
    "canvas_id": TEXT,
    "status": STATUS,
    "since": {"type": "string", "format": "date-time"},
}
NAMES = {"type": "string", "description": "The canvas by its name or its id."}
MESSAGE = {"type": "object", "required": ["message"], "properties": {"message": TEXT}}
TIMERS = {
    "enum": list(get_args(Timers)),
    "default": "shift",
    "description": "What is done after a pause with what fell due meanwhile: all waits become longer by the pause, or it "
    "goes on at once, or its messages are not sent.",
}
CHANGE = {
    "type": "object",
    "required": ["no", "at", "who", "what", "details"],
    "properties": {
        "no": {"type": "integer"},
        "at": {"type": "string", "format": "date-time"},
        "who": {"type": "string", "description": "An account of the command line, or a key."},
        "what": {"enum": ["publish", "stop", "pause", "resume", "archive"]},
        "details": {"type": "object"},
    },
}
ERRORS = {
    "400": "The request is not valid, or there is no such canvas.",
    "401": "The key is missing or not valid.",
    "403": "The key lacks the permission.",
    "413": "The body is larger than 4 MB.",
    "429": "Too many requests; see x-ratelimit-reset.",
}
CHANGED = {
    **STANDS,
    "timers": TIMERS,
    "notice": TEXT,
    "errors": {"type": "array", "items": {"type": "object"}},
}
SUMMARIES = {
    "stop": "Stop a canvas: nobody enters or advances; who is due before the resume leaves then",
    "pause": "Pause a canvas: who enters waits before the first step, and nobody advances",
    "resume": "Resume a canvas that is stopped or paused, or launch a draft",
    "archive": "Archive a canvas: its entries end",
}


def _answer(text: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _guarded(
    summary: str, good: str, schema: dict[str, Any], also: dict[str, str], **more: Any
) -> dict[str, Any]:
    refusals = {status: _answer(text, MESSAGE) for status, text in {**ERRORS, **also}.items()}
    return {
        "summary": summary,
        "description": "Needs the permission `canvas.status`.",
        "security": [{"key": []}],
        "responses": {good: _answer("Done.", schema), **refusals},
        **more,
    }


def _said(word: str, summary: str) -> dict[str, Any]:
    properties = {"canvas_id": NAMES, **({"timers": TIMERS} if word == "resume" else {})}
    body = {"type": "object", "required": ["canvas_id"], "properties": properties}
    schema = {"type": "object", "required": list(STANDS), "properties": CHANGED}
    also = {"409": "The status of the canvas does not allow it."}
    return {
        "post": _guarded(
            summary,
            "201",
            schema,
            also,
            requestBody={"required": True, "content": {"application/json": {"schema": body}}},
        )
    }


def paths() -> dict[str, Any]:
    """The paths of these routes."""
    parameters = [
        {
            "name": "canvas_id",
            "in": "query",
            "required": True,
            "schema": TEXT,
            "description": NAMES["description"],
        },
        {
            "name": "before",
            "in": "query",
            "schema": {"type": "integer", "minimum": 0},
            "description": "Only changes before the one of this number.",
        },
    ]
    properties = {**STANDS, "changes": {"type": "array", "maxItems": 100, "items": CHANGE}}
    log = {"type": "object", "required": list(properties), "properties": properties}
    return {
        **{f"/canvas/{word}": _said(word, summary) for word, summary in SUMMARIES.items()},
        "/canvas/changes": {
            "get": _guarded(
                "The status of a canvas and its changes, the last one first",
                "200",
                log,
                {},
                parameters=parameters,
            )
        },
    }
