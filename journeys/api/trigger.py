"""`POST /canvas/trigger/send`: people enter a canvas by API (canvas.md 7.1)."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any
from uuid import UUID

import msgspec
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from uuid_utils.compat import uuid7

from journeys.api.services import Refusal, Services, answer
from journeys.engine.broadcasts import FILTER, begin
from journeys.engine.keys import Key
from journeys.engine.people.identify import Identifier
from journeys.engine.people.track import identifier_of
from journeys.engine.published import Publication, Running
from journeys.engine.triggering import Trigger, Wanted

ROUTE = "/canvas/trigger/send"
MOST = 50
CONTEXT_LIMIT = 50 * 1024

REMEMBER = """
insert into replies (workspace, route, key, digest, status, body) values ($1, $2, $3, $4, 0, $5)
on conflict (workspace, route, key) do update set route = excluded.route
returning digest, status, body, (xmax = 0) as fresh
"""
ANSWERED = "update replies set status = $4, body = $5 where workspace = $1 and route = $2 and key = $3"


async def trigger_send(services: Services, key: Key, body: Any, request: Request) -> Response:
    """Let people in. With an `Idempotency-Key`, repeated within 24 hours, the same answer and nobody twice.

    The dispatch id is fixed by the first call with the key, and the entries' keys come from it: a call that died
    half-way is finished by its repetition.
    """
    publication = await services.published.of(key.workspace)
    running = publication.canvas(str(body.get("canvas_id") or ""))
    if running is None:
        raise Refusal(400, "there is no canvas with this 'canvas_id'")
    if running.plan.canvas.schedule.api is None:
        raise Refusal(400, "this canvas is not triggered by API")
    call = _read(publication, body)
    repeat = request.headers.get("idempotency-key")
    dispatch_id = uuid7()
    if repeat is not None:
        if not repeat or len(repeat) > 255:
            raise Refusal(400, "'Idempotency-Key' has 1 to 255 characters")
        digest = blake2b(msgspec.json.encode(body, order="sorted"), digest_size=16).digest()
        row = await services.db.pool.fetchrow(
            REMEMBER, key.workspace, ROUTE, repeat, digest, {"dispatch_id": str(dispatch_id)}
        )
        if bytes(row["digest"]) != digest:
            raise Refusal(422, "this 'Idempotency-Key' was used for another body")
        if row["status"]:
            return answer(row["status"], row["body"])
        dispatch_id = UUID(row["body"]["dispatch_id"])
    said = await _send(services, publication, running, dispatch_id, call)
    if repeat is not None:
        await services.db.pool.execute(ANSWERED, key.workspace, ROUTE, repeat, 201, said)
    return answer(201, said)


async def _send(
    services: Services, publication: Publication, running: Running, dispatch_id: UUID, call: Mapping[str, Any]
) -> dict[str, Any]:
    said = {"dispatch_id": str(dispatch_id), "message": "success"}
    if running.status != "active":
        return {**said, "notice": f"the canvas is {running.status}: nobody enters"}  # STA-5
    if call["recipients"] is None:
        async with services.db.transaction() as connection:
            await begin(connection, publication, running, dispatch_id, call["audience"], call["context"])
        return said
    trigger = Trigger(services.db, services.published, services.clock, services.teller, services.bell)
    audience = None if call["audience"] is None else FILTER.validate_python(call["audience"])
    await trigger.named(publication, running, str(dispatch_id), call["recipients"], audience)
    return said


def _read(publication: Publication, body: Mapping[str, Any]) -> dict[str, Any]:
    """What a call asks for. Raises Refusal for what cannot be meant."""
    del publication
    recipients, broadcast = body.get("recipients"), body.get("broadcast", False)
    context = _context(body)
    if recipients and broadcast:
        raise Refusal(400, "'broadcast' and 'recipients' exclude each other")
    if not recipients and broadcast is not True:
        raise Refusal(400, "No Recipients")
    audience = body.get("audience")
    if audience is not None:
        try:
            audience = FILTER.validate_python(audience).model_dump(mode="json")
        except ValidationError as error:
            first = error.errors()[0]
            raise Refusal(400, f"'audience' is no filter: {first['msg']}") from error
    if not recipients:
        return {"recipients": None, "audience": audience, "context": context}
    if not isinstance(recipients, list) or len(recipients) > MOST:
        raise Refusal(400, "The max number of ids per request was exceeded")
    return {
        "recipients": [_recipient(each, context) for each in recipients],
        "audience": audience,
        "context": context,
    }


def _recipient(given: Any, context: Mapping[str, Any]) -> Wanted:
    """One recipient; her own context overrides the shared one key by key (CTX-5)."""
    if not isinstance(given, Mapping):
        raise Refusal(400, "a recipient is an object")
    named = {**given, "external_id": given.get("external_user_id", given.get("external_id"))}
    who = identifier_of({name: value for name, value in named.items() if value is not None})
    if not isinstance(who, Identifier):
        raise Refusal(400, "a recipient has one of 'external_user_id', 'user_alias', 'email'")
    attributes = given.get("attributes")
    existing = given.get("send_to_existing_only", True) is not False
    if not existing and not isinstance(attributes, Mapping):
        raise Refusal(400, "'send_to_existing_only': false needs 'attributes'")
    if attributes is not None and not isinstance(attributes, Mapping):
        raise Refusal(400, "'attributes' must be an object")
    return Wanted(who, {**context, **_context(given)}, attributes, existing)


def _context(given: Mapping[str, Any]) -> dict[str, Any]:
    context = given.get("context", given.get("canvas_entry_properties"))
    if context is None:
        return {}
    if not isinstance(context, Mapping):
        raise Refusal(400, "'context' must be an object")
    if len(msgspec.json.encode(context)) > CONTEXT_LIMIT:
        raise Refusal(400, "'context' is larger than 50 KB")
    return dict(context)
