"""`POST /users/track`: attributes, events and purchases (TRK-1 to TRK-8)."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from journeys.api.requests import Refusal, answer
from journeys.api.services import Services
from journeys.engine.intake.track import MOST, track
from journeys.engine.intake.track_objects import ARRAYS
from journeys.engine.workspaces.api_keys import Key

NOTHING_VALID = "Valid data must be provided in the 'attributes', 'events', or 'purchases' fields."  # TRK-8


async def users_track(services: Services, key: Key, body: dict[str, Any], request: Request) -> Response:
    """Take the arrays; 201 with counts, errors beside them; 400 where nothing could be taken."""
    del request
    arrays = {name: body[name] for name in ARRAYS if body.get(name) is not None}
    if not all(isinstance(array, list) for array in arrays.values()) or not any(arrays.values()):  # TRK-1
        raise Refusal(400, NOTHING_VALID)
    if any(len(array) > MOST for array in arrays.values()):  # TRK-2, D1
        raise Refusal(400, "Max input length exceeded")
    tracked = await track(
        services.db,
        services.published,
        services.clock,
        services.alarm_sync,
        services.notifier,
        key.workspace,
        arrays,
    )
    if not any(tracked.taken.values()):  # TRK-6
        return answer(400, {"message": NOTHING_VALID, "errors": tracked.errors})
    counts = {f"{name}_processed": count for name, count in tracked.taken.items()}  # TRK-4
    said: dict[str, Any] = {"message": "success", **counts}
    errors = sorted(
        [*tracked.errors, *tracked.warnings],
        key=lambda each: (ARRAYS.index(each["input_array"]), each["index"]),  # TRK-5
    )
    return answer(201, {**said, "errors": errors} if errors else said)  # TRK-4, TRK-5
