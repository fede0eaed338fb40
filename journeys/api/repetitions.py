"""The header `Idempotency-Key`: a call that is repeated with it gets the answer of the first time, and does nothing more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from journeys.api.requests import Refusal, answer
from journeys.engine.intake.idempotency import Reply, digest_of
from journeys.engine.workspaces.api_keys import Key

LONGEST_KEY = 255

IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY},
    "description": "A request with the same key and body within 24 hours gets the same response, and nothing is done twice.",
}
"""The header, as OpenAPI describes it."""


def reply_of(key: Key, route: str, request: Request, body: Any, said: Mapping[str, Any]) -> Reply | None:
    """The answer that a call of this route claims for its key; None where it has no key. Raises `Refusal`."""
    repeat = request.headers.get("idempotency-key")
    if repeat is None:
        return None
    if not 0 < len(repeat) <= LONGEST_KEY:
        raise Refusal(400, f"'Idempotency-Key' has 1 to {LONGEST_KEY} characters")
    return Reply(key.workspace, route, repeat, digest_of(body), 201, said)


def answer_again(reply: Reply | None, earlier: Reply) -> Response:
    """The answer of the first call with this key. Raises `Refusal` where that call had another body."""
    if reply is None or earlier.digest != reply.digest:
        raise Refusal(422, "this 'Idempotency-Key' was used with another body in the last 24 hours")
    return answer(earlier.status, earlier.body)
