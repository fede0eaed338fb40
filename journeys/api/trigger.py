"""`POST /canvas/trigger/send`: people enter a canvas by API (canvas.md 7.1)."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from uuid_utils.compat import uuid7

from journeys.api.operations import Operation
from journeys.api.rate_limits import BROADCAST, BROADCAST_AUDIENCE
from journeys.api.repetitions import answer_again, reply_of
from journeys.api.requests import Limited, Refusal, answer
from journeys.api.services import Services
from journeys.api.track_shapes import TriggeredAnswer, TriggerSend
from journeys.canvas.filters import Filter
from journeys.canvas.storable_characters import storable
from journeys.engine.core.life import runs_may
from journeys.engine.intake.api_audience import UnusableAudience, audience_of
from journeys.engine.intake.broadcasts import begin
from journeys.engine.intake.idempotency import Reply, claim, fill
from journeys.engine.intake.track_objects import MOST_REMARKS, identifier_of, remarks
from journeys.engine.intake.triggering import (
    CONTEXT_LIMIT,
    IDENTIFIERS,
    Triggered,
    Wanted,
    WrongRecipient,
    more_said,
    notice_of,
)
from journeys.engine.intake.unknown_keys import unknown_keys
from journeys.engine.large_requests import apart
from journeys.engine.people.attributes import fits
from journeys.engine.people.identity import Identifier
from journeys.engine.ports import PendingAlarm
from journeys.engine.workspaces.api_keys import Key
from journeys.engine.workspaces.canvas_changes import status_of
from journeys.engine.workspaces.published import Publication, Running

ROUTE = "/canvas/trigger/send"
MOST = 50
"""The maximum number of recipients in one call."""

_CONTEXTS = {"context", "canvas_entry_properties"}
KEYS = _CONTEXTS | {"api_key", "canvas_id", "broadcast", "audience", "recipients"}
RECIPIENT_KEYS = _CONTEXTS | {
    "external_user_id", "external_id", "user_alias", "braze_id", "email", "prioritization", "attributes",
    "send_to_existing_only",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Call:
    """What a call asks for. Without recipients it is a broadcast."""

    running: Running
    audience: Filter | None
    context: Mapping[str, Any]
    recipients: list[Wanted]
    remarks: list[dict[str, Any]]
    """Of keys that mean nothing here."""

    @property
    def stored_audience(self) -> dict[str, Any] | None:
        """The audience as it is stored with a run."""
        return None if self.audience is None else self.audience.model_dump(mode="json")


async def trigger_send(services: Services, key: Key, body: dict[str, Any], request: Request) -> Response:
    """Let people in. A repetition with the same `Idempotency-Key` within 24 hours gets the same answer; no one enters twice.

    The answer is stored in the transaction that does the work, so it is there exactly if the work is done; a
    broadcast is recorded in it, and carried on in the background, after a crash too.
    """
    publication = await services.published.of(key.workspace)
    call = await called(services, publication, body)
    await count_broadcast(services, key, call)
    dispatch_id = uuid7()
    said = {"dispatch_id": str(dispatch_id), "message": "success"}
    reply = await apart(reply_of, key, ROUTE, request, body, said)
    sent = await _send(services, publication, call, dispatch_id, reply)
    if sent.earlier is not None:
        return answer_again(reply, sent.earlier)
    return answer(201, said | more_said(notice_of(sent.status, call.recipients, sent.unknown), sent.remarks))


async def _send(
    services: Services, publication: Publication, call: Call, dispatch_id: UUID, reply: Reply | None
) -> Triggered:
    """Do it, unless it was done before: then return the answer of that time."""
    running = call.running
    if call.recipients:
        try:
            return await services.trigger.named(
                publication, running, str(dispatch_id), call.recipients, call.audience, reply, call.remarks
            )
        except WrongRecipient as error:
            raise Refusal(400, str(error)) from error
    alarms: list[PendingAlarm] = []
    async with services.db.transaction() as connection:
        earlier = await claim(connection, reply)
        if earlier is not None:
            return Triggered(earlier=earlier)
        status = await status_of(connection, publication.workspace, running.name)
        if runs_may(status) != "end":
            now = services.clock.now()
            alarms = await begin(
                connection, publication, running, dispatch_id, call.stored_audience, call.context, now
            )
        if reply is not None:
            await fill(connection, reply, {**reply.body, **more_said(notice_of(status), call.remarks)})
    services.alarm_sync.sync(alarms)
    return Triggered(status, remarks=call.remarks)


async def called(
    services: Services, publication: Publication, body: Mapping[str, Any], keys: Collection[str] = KEYS
) -> Call:
    """What a call asks for, read where it holds up no one. Raises Refusal."""
    return await apart(read_call, services, publication, body, keys, large=body.get("audience") is not None)


async def count_broadcast(services: Services, key: Key, call: Call) -> None:
    """Count a call without recipients among the broadcasts of its workspace. Raises Refusal for one too many."""
    if call.recipients:
        return
    asked = msgspec.json.encode([call.running.name, call.stored_audience], order="sorted")
    same = BROADCAST_AUDIENCE.of(sha256(asked).hexdigest()[:32])
    for limit in (same, BROADCAST):  # LIM-1
        counted = await services.counted(limit, key.workspace)
        if not counted.passed:
            raise Limited(counted.headers)


def read_call(
    services: Services, publication: Publication, body: Mapping[str, Any], keys: Collection[str] = KEYS
) -> Call:
    """What a call asks for. Raises Refusal for what cannot be meant."""
    running = canvas_of(publication, body.get("canvas_id"))
    context = _context(body)
    recipients, broadcast = body.get("recipients"), body.get("broadcast")
    if not isinstance(broadcast, bool | None):
        raise Refusal(400, "'broadcast' must be true or false")
    if not isinstance(recipients, list | None):
        raise Refusal(400, "'recipients' must be an array of objects")
    if recipients and broadcast:
        raise Refusal(400, "'broadcast' and 'recipients' exclude each other")
    if not recipients and not broadcast:
        raise Refusal(400, "No Recipients")
    if recipients and len(recipients) > MOST:
        raise Refusal(
            400, f"The max number of ids per request was exceeded: a call has at most {MOST} recipients"
        )
    try:
        audience = audience_of(body.get("audience"), now=services.clock.now(), segments=publication.segments)
    except UnusableAudience as error:
        raise Refusal(400, f"'audience' cannot be used: {error}") from error
    wanted = [_recipient(index, each, context) for index, each in enumerate(recipients or ())]
    return Call(running, audience, context, wanted, storable(_remarks(body, keys, recipients or ())))


def _remarks(
    body: Mapping[str, Any], keys: Collection[str], recipients: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """What is said of keys that mean nothing, of the call's first, then of each recipient."""
    found: list[dict[str, Any]] = [{"type": text} for text in unknown_keys(body, keys, "this call")]
    del found[MOST_REMARKS:]
    for index, each in enumerate(recipients):
        texts = unknown_keys(each, RECIPIENT_KEYS, "a recipient")
        among = [name for name in IDENTIFIERS if name in (each.get("attributes") or ())]
        texts += [f"'{name}' is no attribute and was ignored: it names a recipient" for name in among]
        found += remarks("recipients", index, texts)
    return found


def canvas_of(publication: Publication, given: Any) -> Running:
    """The canvas that a call names, which is triggered by API. Raises Refusal."""
    if not isinstance(given, str) or not given:
        raise Refusal(400, "Invalid Canvas ID: 'canvas_id' is the name or the id of a canvas")
    if given in publication.aside:
        raise publication.aside[given]
    running = publication.canvas(given)
    if running is None:
        near = difflib.get_close_matches(given[:100], publication.running, 1)
        hint = f"; did you mean “{near[0]}”?" if near else ""
        raise Refusal(400, f"Invalid Canvas ID: there is no canvas “{given[:100]}”{hint}")
    if running.plan.canvas.schedule.api is None:
        raise Refusal(400, f"Invalid Canvas ID: the canvas “{running.name}” is not triggered by API")
    return running


def _recipient(index: int, given: Any, shared: Mapping[str, Any]) -> Wanted:
    """One recipient; their own context overrides the shared one key by key (CTX-5)."""
    place = f"recipients[{index}]"
    if not isinstance(given, Mapping):
        raise Refusal(400, f"{place} must be an object")
    named = {
        "external_id": given.get("external_user_id", given.get("external_id")),
        **{name: given.get(name) for name in ("user_alias", "braze_id", "email")},
    }
    who = identifier_of(named)
    if not isinstance(who, Identifier):
        if any(value is not None for value in named.values()):
            said = who.replace("'external_id'", "'external_user_id'") if "external_user_id" in given else who
            raise Refusal(400, f"{place}: {said}")
        needed = "'external_user_id', 'user_alias', 'braze_id' or 'email' is needed"
        raise Refusal(400, f"{place}: it names no person; {needed}")
    attributes, existing = given.get("attributes"), given.get("send_to_existing_only")
    if attributes is not None and not isinstance(attributes, Mapping):
        raise Refusal(400, f"{place}: 'attributes' must be an object")
    if not isinstance(existing, bool | None):
        raise Refusal(400, f"{place}: 'send_to_existing_only' must be true or false")
    if existing is False and attributes is None:
        raise Refusal(400, f"{place}: 'send_to_existing_only': false needs 'attributes'")
    if existing is False and who.sort == "user_alias":
        raise Refusal(400, f"{place}: 'send_to_existing_only' cannot be used with an alias")
    context = {**shared, **_context(given, place)}  # CTX-5
    return Wanted(who, context, attributes, existing is not False)


def _context(given: Mapping[str, Any], place: str = "") -> dict[str, Any]:
    """`context`, or `canvas_entry_properties` as older clients call it."""
    name = "context" if given.get("context") is not None else "canvas_entry_properties"
    context = given.get(name)
    said = f"{place}: '{name}'" if place else f"'{name}'"
    if context is None:
        return {}
    if not isinstance(context, Mapping):
        raise Refusal(400, f"{said} must be an object")
    if len(msgspec.json.encode(context)) > CONTEXT_LIMIT:
        raise Refusal(400, f"{said} is larger than {CONTEXT_LIMIT // 1024} KB")
    if not fits(context):
        raise Refusal(
            400,
            f"{said} contains the character U+0000 or a number that is too large, or is nested too deeply",
        )
    return dict(context)


OPERATIONS = (
    Operation(
        method="POST",
        path=ROUTE,
        summary="Let people into a canvas",
        permission="canvas.trigger.send",
        asks=TriggerSend,
        answers=TriggeredAnswer,
        does=trigger_send,
        status=201,
        repeatable=True,
    ),
)
