"""`POST /users/track/sync`: one object, and an answer that shows what it came to (TRK-12, TRK-13)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, WithJsonSchema, model_validator

from journeys.api.operations import Answered, Asked, Operation, said
from journeys.api.rate_limits import TRACK_SYNC
from journeys.api.requests import Refusal
from journeys.api.services import Services
from journeys.api.track import NOTHING_VALID
from journeys.engine.intake.track import track
from journeys.engine.intake.track_objects import ARRAYS
from journeys.engine.intake.track_sync import result
from journeys.engine.workspaces.api_keys import Key

ONE = "Exactly one object must be provided in the 'attributes', 'events', or 'purchases' fields."

One = Annotated[
    list[Any],
    Field(default_factory=list),
    WithJsonSchema({"type": "array", "maxItems": 1, "items": {"type": "object"}}),
]


class OneObject(Asked):
    """One object in one of the arrays, as `/users/track` takes it."""

    attributes: One
    events: One
    purchases: One

    @model_validator(mode="after")
    def _one(self) -> OneObject:
        count = sum(len(getattr(self, array)) for array in ARRAYS)
        if count != 1:  # TRK-12
            raise said(ONE if count else NOTHING_VALID)
        return self


class Synced(Answered):
    """The person with what was written of them as it is now; nobody, where only an existing person was to be updated."""

    users: list[dict[str, Any]]
    errors: list[dict[str, Any]] | None = None


async def track_sync(services: Services, key: Key, asked: OneObject) -> Synced:
    """Take one object. Raises `Refusal` with what is wrong with it."""
    array = next(name for name in ARRAYS if getattr(asked, name))
    given = getattr(asked, array)
    tracked = await track(
        services.db,
        services.published,
        services.clock,
        services.alarm_sync,
        services.notifier,
        key.workspace,
        {array: given},
    )
    if not tracked.taken[array]:  # TRK-6
        raise Refusal(400, NOTHING_VALID, tracked.errors)
    async with services.db.pool.acquire() as connection:
        users = [
            await result(connection, key.workspace, person, array, given[0]) for person in tracked.people
        ]
    return Synced(users=users, errors=tracked.warnings or None)


OPERATIONS = (
    Operation(
        method="POST",
        path="/users/track/sync",
        summary="One attribute object, event or purchase, answered with what it came to",
        permission="users.track.sync",
        asks=OneObject,
        answers=Synced,
        work=track_sync,
        status=201,
        limit=TRACK_SYNC,
    ),
)
