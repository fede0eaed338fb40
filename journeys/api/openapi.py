"""The OpenAPI description of the REST routes."""

from __future__ import annotations

from typing import Any

import journeys
from journeys.api.described_operations import OPERATIONS
from journeys.api.openapi_canvases import paths as canvases
from journeys.api.openapi_contents import paths as contents
from journeys.api.operations import described

TEXT = {"type": "string"}
FLAG = {"type": "boolean"}
OBJECT = {"type": "object"}
INSTANT = {
    "type": "string",
    "description": "ISO 8601; without a zone it is UTC; a time in the future becomes now.",
}

ALIAS = {
    "type": "object",
    "required": ["alias_name", "alias_label"],
    "properties": {"alias_name": TEXT, "alias_label": TEXT},
}
WHO = {
    "external_id": TEXT,
    "user_alias": ALIAS,
    "braze_id": {"type": "string", "description": "The id that this service gave; never creates a person."},
    "anonymous_id": {"type": "string", "description": "Beside a new external_id: the same person."},
    "email": TEXT,
    "phone": {"type": "string", "description": "E.164."},
    "_update_existing_only": FLAG,
}
ATTRIBUTES = {
    "type": "object",
    "description": "One identifier, standard attributes, and any other key as a custom attribute; null removes.",
    "properties": {
        **WHO,
        "_merge_objects": FLAG,
        **dict.fromkeys(
            ("first_name", "last_name", "home_city", "country", "language", "time_zone", "dob"), TEXT
        ),
        "gender": {"enum": ["M", "F", "O", "N", "P", None]},
        "email_subscribe": {"enum": ["opted_in", "subscribed", "unsubscribed"]},
        "push_subscribe": {"enum": ["opted_in", "subscribed", "unsubscribed"]},
    },
    "additionalProperties": True,
}
EVENT_ID = {
    "type": "string",
    "description": "The sender's id of the event; an event with the same id is not stored again.",
}
EVENT = {
    "type": "object",
    "required": ["name", "time"],
    "properties": {**WHO, "name": TEXT, "time": INSTANT, "properties": OBJECT, "event_id": EVENT_ID},
}
PURCHASE = {
    "type": "object",
    "required": ["product_id", "currency", "price", "time"],
    "properties": {
        **WHO,
        "product_id": TEXT,
        "currency": {"type": "string", "description": "ISO 4217."},
        "price": {"type": "number"},
        "quantity": {"type": "integer", "minimum": 1, "maximum": 100, "default": 1},
        "time": INSTANT,
        "properties": OBJECT,
        "event_id": EVENT_ID,
    },
}
TRACK = {
    "type": "object",
    "properties": {
        name: {"type": "array", "maxItems": 75, "items": items}
        for name, items in (("attributes", ATTRIBUTES), ("events", EVENT), ("purchases", PURCHASE))
    },
}
REMARKS = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"type": TEXT, "input_array": TEXT, "index": {"type": "integer"}},
    },
}
TRACKED = {
    "type": "object",
    "required": ["message"],
    "properties": {
        "message": {"const": "success"},
        "attributes_processed": {"type": "integer"},
        "events_processed": {"type": "integer"},
        "purchases_processed": {"type": "integer"},
        "errors": REMARKS,
    },
}
RECIPIENT = {
    "type": "object",
    "properties": {
        "external_user_id": TEXT,
        "user_alias": ALIAS,
        "braze_id": TEXT,
        "email": TEXT,
        "context": OBJECT,
        "attributes": ATTRIBUTES,
        "send_to_existing_only": {"type": "boolean", "default": True},
    },
}
TRIGGER: dict[str, Any] = {
    "type": "object",
    "required": ["canvas_id"],
    "properties": {
        "canvas_id": {"type": "string", "description": "The canvas by its name or its id."},
        "context": {"type": "object", "description": "Entry properties for every recipient; at most 50 KB."},
        "broadcast": {"type": "boolean", "default": False},
        "audience": {"type": "object", "description": "A filter, or a connected audience with AND and OR."},
        "recipients": {"type": "array", "maxItems": 50, "items": RECIPIENT},
    },
}
SCHEDULE = {
    "type": "object",
    "required": ["time"],
    "properties": {
        "time": {
            "type": "string",
            "description": "ISO 8601; without an offset it is UTC, or each person's local time where one of the flags says so.",
        },
        "in_local_time": {"type": "boolean", "default": False},
        "at_optimal_time": {
            "type": "boolean",
            "default": False,
            "description": "On that date, each at their best time; at the time of day that is given, where it is not known.",
        },
    },
}
SCHEDULE_ID = {"type": "string", "format": "uuid"}
SCHEDULED = {
    "type": "object",
    "required": ["canvas_id", "schedule_id", "schedule"],
    "properties": {"canvas_id": TEXT, "schedule_id": SCHEDULE_ID, "schedule": SCHEDULE},
}
TRIGGERED: dict[str, Any] = {
    "type": "object",
    "required": ["dispatch_id", "message"],
    "properties": {"dispatch_id": TEXT, "message": {"const": "success"}, "notice": TEXT, "errors": REMARKS},
}
MESSAGE = {"type": "object", "required": ["message"], "properties": {"message": TEXT}}

REFUSED = {**MESSAGE, "properties": {"message": TEXT, "errors": REMARKS}}

ERRORS = {
    "400": "The request is not valid.",
    "401": "The key is missing or not valid.",
    "403": "The key lacks the permission.",
    "413": "The body is larger than 4 MB.",
    "429": "Too many requests; see x-ratelimit-reset.",
}
OF_A_BODY = {
    "408": "The head did not come within 10 seconds, or the body within 30.",
    "413": ERRORS["413"],
    "415": "The body is encoded otherwise than by gzip.",
    "431": "The head is larger than 64 KB.",
    "500": "An internal error; nothing was written.",
    "503": "The database does not answer; nothing was written.",
}
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "maxLength": 255},
    "description": "A request with the same key and body within 24 hours gets the same response, and nothing is done twice.",
}


LATER = {"Retry-After": {"description": "Seconds after which to retry.", "schema": {"type": "integer"}}}


def _answers(
    good: str, schema: dict[str, Any], also: dict[str, str], refused: dict[str, Any]
) -> dict[str, Any]:
    def said(text: str, body: dict[str, Any]) -> dict[str, Any]:
        return {"description": text, "content": {"application/json": {"schema": body}}}

    refusals = {status: said(text, MESSAGE) for status, text in {**ERRORS, **also}.items()}
    refusals["400"] = said(ERRORS["400"], refused)
    return {good: said("Done.", schema), **refusals}


def _post(
    summary: str,
    permission: str,
    body: dict[str, Any],
    answer: dict[str, Any],
    refused: dict[str, Any] = MESSAGE,
    **more: Any,
) -> dict[str, Any]:
    also = {"422": "The Idempotency-Key was used with another body."} if more else {}
    return {
        "post": {
            "summary": summary,
            "description": f"Needs the permission `{permission}`.",
            "security": [{"key": []}],
            "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
            "responses": _answers("201", answer, also, refused),
            **more,
        }
    }


def _every_call(paths: dict[str, Any]) -> dict[str, Any]:
    """The paths, with what any call with a key may be answered: whatever its method, it may have a body."""
    for operation in (
        each for operations in paths.values() for each in operations.values() if "security" in each
    ):
        for status, text in OF_A_BODY.items():
            described = {"description": text, "content": {"application/json": {"schema": MESSAGE}}}
            operation["responses"].setdefault(status, described)
        operation["responses"]["503"]["headers"] = LATER
    return paths


def _track(summary: str) -> dict[str, Any]:
    return _post(summary, "users.track", TRACK, TRACKED, REFUSED, parameters=[IDEMPOTENCY_KEY])


def document() -> dict[str, Any]:
    """The OpenAPI document."""
    paths, schemas = described(OPERATIONS)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Journeys", "version": journeys.__version__},
        "components": {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}, "schemas": schemas},
        "paths": _every_call(
            {
                "/users/track": _track("Attributes, events and purchases of people"),
                "/users/track/bulk": _track("The same as `/users/track`, by another path"),
                "/canvas/trigger/send": _post(
                    "Let people into a canvas",
                    "canvas.trigger.send",
                    TRIGGER,
                    TRIGGERED,
                    parameters=[IDEMPOTENCY_KEY],
                ),
                "/canvas/trigger/schedule/create": _post(
                    "Let people into a canvas later",
                    "canvas.trigger.schedule.create",
                    {
                        **TRIGGER,
                        "required": ["canvas_id", "schedule"],
                        "properties": {**TRIGGER["properties"], "schedule": SCHEDULE},
                    },
                    {**TRIGGERED, "properties": {**TRIGGERED["properties"], "schedule_id": SCHEDULE_ID}},
                    parameters=[IDEMPOTENCY_KEY],
                ),
                "/canvas/trigger/schedule/update": _post(
                    "Let such an entry come at another time",
                    "canvas.trigger.schedule.update",
                    SCHEDULED,
                    MESSAGE,
                ),
                "/canvas/trigger/schedule/delete": _post(
                    "Withdraw such an entry",
                    "canvas.trigger.schedule.delete",
                    {**SCHEDULED, "required": ["canvas_id", "schedule_id"]},
                    MESSAGE,
                ),
                **canvases(),
                **contents(),
                **paths,
                "/health": {
                    "get": {
                        "summary": "Whether the process is alive",
                        "responses": {"200": {"description": "It is, whatever it can do."}},
                    }
                },
                "/ready": {
                    "get": {
                        "summary": "Whether the process can do its work: database, schema, Temporal",
                        "responses": {
                            "200": {"description": "It can. Canvases that it cannot read are listed."},
                            "503": {"description": "It cannot; the body says what is missing."},
                        },
                    }
                },
                "/metrics": {
                    "get": {
                        "summary": "What this process has counted and timed, for Prometheus",
                        "responses": {
                            "200": {"description": "The series."},
                            "401": {
                                "description": "The token of `JOURNEYS_METRICS_TOKEN` is missing or wrong."
                            },
                        },
                    }
                },
            }
        ),
    }
