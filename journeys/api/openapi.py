"""The OpenAPI document, made of the operations: of what their routes take and answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

import journeys
from journeys.api.described_operations import OPERATIONS
from journeys.api.monitoring import METRICS
from journeys.api.operations import Message, Operation
from journeys.api.readiness import HEALTH, READY
from journeys.api.repetitions import IDEMPOTENCY_KEY

REFUSALS = {
    400: "The request is not valid.",
    401: "The key is missing or not valid.",
    403: "The key lacks the permission, or may not be used from this address.",
    404: "What the call names is not there.",
    408: "The head did not come within 10 seconds, or the body within 30.",
    413: "The body is larger than 4 MB.",
    415: "The body is encoded otherwise than by gzip.",
    429: "Too many requests; see x-ratelimit-reset.",
    431: "The head is larger than 64 KB.",
    500: "An internal error; nothing was written.",
    503: "The database does not answer; nothing was written.",
}
"""What any call with a key may be answered: whatever its method, it may have a body."""

PARTS = (400, 404, 409)
"""Refusals that say what is wrong with parts of a call, where an operation does."""

REPEATED = {422: "The Idempotency-Key was used with another body."}

LATER = {"Retry-After": {"description": "Seconds after which to retry.", "schema": {"type": "integer"}}}

_IN_PATH = re.compile(r"\{(\w+)\}")


def document() -> dict[str, Any]:
    """The OpenAPI document."""
    paths, schemas = described(OPERATIONS)
    open_ = {
        path: {"get": said} for path, said in (("/health", HEALTH), ("/ready", READY), ("/metrics", METRICS))
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Journeys", "version": journeys.__version__},
        "components": {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}, "schemas": schemas},
        "paths": {**paths, **open_},
    }


def described(operations: Sequence[Operation[Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The paths of these operations as OpenAPI has them, and the schemas that they name."""
    models: list[tuple[type[BaseModel], Any]] = [(Message, "serialization")]
    for one in operations:
        models += [
            (one.asks, "validation"),
            (one.answers, "serialization"),
            (one.refused, "serialization"),
        ]
    places, schemas = models_json_schema(models, ref_template="#/components/schemas/{model}")
    paths: dict[str, Any] = {}
    for one in operations:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, places)
    return paths, schemas.get("$defs", {})


def _operation(one: Operation[Any], places: Mapping[Any, Any]) -> dict[str, Any]:
    refusals = {**REFUSALS, **(REPEATED if one.repeatable else {}), **one.also}
    responses = {
        str(status): _response(text, places[one.refused if status in PARTS else Message, "serialization"])
        for status, text in sorted(refusals.items())
    }
    responses["503"]["headers"] = LATER
    responses[str(one.status)] = _response("Done.", places[one.answers, "serialization"])
    operation: dict[str, Any] = {
        "summary": one.summary,
        "description": f"Needs the permission `{one.permission}`.",
        "security": [{"key": []}],
        "responses": responses,
    }
    inside = _IN_PATH.findall(one.path)
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in inside
    ]
    if one.has_body:
        content = {"application/json": {"schema": places[one.asks, "validation"]}}
        operation["requestBody"] = {"required": True, "content": content}
    else:
        parameters += [each for each in _parameters(one) if each["name"] not in inside]
    if one.repeatable:
        parameters.append(IDEMPOTENCY_KEY)
    if parameters:
        operation["parameters"] = parameters
    return operation


def _response(text: str, schema: Any) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _parameters(one: Operation[Any]) -> list[dict[str, Any]]:
    """What a query may say."""
    schema = one.asks.model_json_schema()
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": each}
        for name, each in schema.get("properties", {}).items()
    ]
