"""`POST /users/track`: attributes, events and purchases (TRK-1 to TRK-8)."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from journeys.api.operations import Operation, RefusedParts
from journeys.api.rate_limits import TRACK
from journeys.api.repetitions import answer_again, reply_of
from journeys.api.requests import IN_WORK, MANY_IN_WORK, Refusal, answer
from journeys.api.services import Services
from journeys.api.track_shapes import Track, Tracked
from journeys.engine.intake.shared_calls import may_share
from journeys.engine.intake.track import MOST, measured, store
from journeys.engine.intake.track_objects import ARRAYS, beside, read
from journeys.engine.large_requests import LARGE, apart, bytes_of_request
from journeys.engine.workspaces.api_keys import Key

ROUTE = "/users/track"
"""What idempotency keys are kept under; the call for larger loads is the same route (TRK-15)."""

NOTHING_VALID = "Valid data must be provided in the 'attributes', 'events', or 'purchases' fields."  # TRK-8


async def users_track(services: Services, key: Key, body: dict[str, Any], request: Request) -> Response:
    """Take the arrays; 201 with counts, errors beside them; 400 where nothing could be taken.

    A repetition with the same `Idempotency-Key` within 24 hours gets the same answer, and writes nothing (EVT-5).
    """
    arrays = {name: body[name] for name in ARRAYS if body.get(name) is not None}
    besides = beside(body)
    if not all(isinstance(array, list) for array in arrays.values()) or not any(arrays.values()):  # TRK-1
        raise Refusal(400, NOTHING_VALID, besides)
    if any(len(array) > MOST for array in arrays.values()):  # TRK-2, D1
        raise Refusal(400, "Max input length exceeded")
    reply = await apart(reply_of, key, ROUTE, request, body, {})
    objects = await apart(read, arrays)
    objects.warnings += besides
    if reply is None and bytes_of_request.get() < LARGE and may_share(objects):
        tracked = await services.shared_calls(key.workspace, objects)
    else:
        parts = services.db, services.published, services.clock, services.alarm_sync, services.notifier
        async with IN_WORK.of(key.workspace):
            tracked = await store(*parts, key.workspace, objects, reply)
        if tracked.earlier is not None:
            return answer_again(reply, tracked.earlier)
        measured(tracked)
    if not any(tracked.taken.values()):  # TRK-6
        return answer(400, {"message": NOTHING_VALID, "errors": [*besides, *tracked.errors]})
    return answer(201, tracked.said())


OPERATIONS = tuple(
    Operation(
        method="POST",
        path=path,
        summary=summary,
        permission="users.track",
        asks=Track,
        answers=Tracked,
        does=users_track,
        status=201,
        limit=TRACK,
        whole=False,
        places=MANY_IN_WORK,
        refused=RefusedParts,
        repeatable=True,
    )
    for path, summary in (
        ("/users/track", "Attributes, events and purchases of people"),
        ("/users/track/bulk", "The same as `/users/track`, by another path"),  # TRK-15
    )
)
