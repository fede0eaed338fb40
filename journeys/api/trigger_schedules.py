"""`POST /canvas/trigger/schedule/create | update | delete`: entries by API whose time comes later (canvas.md 7.2 to 7.4)."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from uuid_utils.compat import uuid7

from journeys.api.operations import Answered, Operation
from journeys.api.repetitions import answer_again, reply_of
from journeys.api.requests import Refusal, answer
from journeys.api.services import Services
from journeys.api.track_shapes import ScheduledAnswer, ScheduleMoved, ScheduleNamed, TriggerLater
from journeys.api.trigger import KEYS, called, canvas_of, count_broadcast
from journeys.canvas.occurrences import ScheduledOccurrence
from journeys.canvas.written_instants import instant, read
from journeys.engine.intake.idempotency import claim, fill
from journeys.engine.intake.scheduled_triggers import (
    NoSuchSchedule,
    PastEverywhere,
    create,
    delete,
    move,
    occurrence_at,
)
from journeys.engine.intake.triggering import more_said, notice_of
from journeys.engine.large_requests import apart
from journeys.engine.ports import PendingAlarm
from journeys.engine.workspaces.api_keys import Key
from journeys.engine.workspaces.canvas_changes import status_of

ROUTE = "/canvas/trigger/schedule/create"
TIMES = {"time", "in_local_time", "at_optimal_time"}


async def schedule_create(services: Services, key: Key, body: dict[str, Any], request: Request) -> Response:
    """Record an entry for later. A repetition with the same `Idempotency-Key` within 24 hours gets the same answer."""
    publication = await services.published.of(key.workspace)
    call = await called(services, publication, body, KEYS | {"schedule"})
    when, best_time = _schedule(services, body)
    await count_broadcast(services, key, call)
    identity = uuid7()
    said = {"dispatch_id": str(identity), "schedule_id": str(identity), "message": "success"}
    reply = await apart(reply_of, key, ROUTE, request, body, said)
    alarms: list[PendingAlarm] = []
    async with services.db.transaction() as connection:
        earlier = await claim(connection, reply)
        if earlier is None:
            status = await status_of(connection, publication.workspace, call.running.name)
            more = more_said(notice_of(status), call.remarks)
            if status == "active":
                alarms = await create(
                    connection,
                    publication,
                    call.running,
                    identity,
                    when,
                    recipients=call.recipients,
                    audience=call.stored_audience,
                    context=call.context,
                    best_time=best_time,
                )
            if reply is not None:
                await fill(connection, reply, {**reply.body, **more})
    if earlier is not None:
        return answer_again(reply, earlier)
    services.alarm_sync.sync(alarms)
    return answer(201, said | more)


async def schedule_update(services: Services, key: Key, body: dict[str, Any], _: Request) -> Response:
    """Let it come at another time; the former schedule is forgotten whole (case 131)."""
    running, identity = await _named(services, key, body)
    when, best_time = _schedule(services, body)
    try:
        async with services.db.transaction() as connection:
            alarms = await move(connection, key.workspace, running, identity, when, best_time)
    except NoSuchSchedule as error:
        raise Refusal(400, f"Invalid Schedule ID: {error}") from error
    services.alarm_sync.sync(alarms)
    return answer(201, {"message": "success"})


async def schedule_delete(services: Services, key: Key, body: dict[str, Any], _: Request) -> Response:
    """Withdraw it."""
    running, identity = await _named(services, key, body)
    try:
        async with services.db.transaction() as connection:
            await delete(connection, key.workspace, running, identity)
    except NoSuchSchedule as error:
        raise Refusal(400, f"Invalid Schedule ID: {error}") from error
    return answer(201, {"message": "success"})


async def _named(services: Services, key: Key, body: Mapping[str, Any]) -> tuple[str, UUID]:
    publication = await services.published.of(key.workspace)
    running = canvas_of(publication, body.get("canvas_id"))
    given = body.get("schedule_id")
    with suppress(ValueError):
        if isinstance(given, str):
            return running.name, UUID(given)
    raise Refusal(400, "Invalid Schedule ID: 'schedule_id' is the id that the creation answered with")


def _schedule(services: Services, body: Mapping[str, Any]) -> tuple[ScheduledOccurrence, str | None]:
    """When it comes; and where each person has a best time of their own, the one of whom nothing is known."""
    given = body.get("schedule")
    if not isinstance(given, Mapping):
        raise Refusal(400, "'schedule' must be an object with a 'time'")
    unknown = sorted(set(given) - TIMES)
    if unknown:
        raise Refusal(400, f"'schedule' has no key '{unknown[0]}': it has {', '.join(sorted(TIMES))}")
    local, best = given.get("in_local_time"), given.get("at_optimal_time")
    for name, flag in (("in_local_time", local), ("at_optimal_time", best)):
        if not isinstance(flag, bool | None):
            raise Refusal(400, f"'{name}' must be true or false")
    written = given.get("time")
    time = read(written) if instant(written) is not None and isinstance(written, str) else None
    if time is None:
        raise Refusal(400, "'schedule.time' must be an instant by ISO 8601, as in 2027-01-31T09:00:00Z")
    if (local or best) and time.tzinfo is not None:
        raise Refusal(400, "'schedule.time' has an offset, and so is no local time: write it without one")
    now = services.clock.now()
    try:
        if best:
            day = datetime.combine(time.date(), datetime.min.time())
            return occurrence_at(day, local=True, now=now), f"{time:%H:%M}"
        found = occurrence_at(time, local=bool(local), now=now)
    except PastEverywhere as error:
        raise Refusal(400, f"Invalid Schedule: {error}") from error
    if found.last < now:
        raise Refusal(400, "Invalid Schedule: this time is past")
    return found, None


OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        method="POST",
        path=ROUTE,
        summary="Let people into a canvas later",
        permission="canvas.trigger.schedule.create",
        asks=TriggerLater,
        answers=ScheduledAnswer,
        does=schedule_create,
        status=201,
        repeatable=True,
    ),
    Operation(
        method="POST",
        path="/canvas/trigger/schedule/update",
        summary="Let such an entry come at another time",
        permission="canvas.trigger.schedule.update",
        asks=ScheduleMoved,
        answers=Answered,
        does=schedule_update,
        status=201,
    ),
    Operation(
        method="POST",
        path="/canvas/trigger/schedule/delete",
        summary="Withdraw such an entry",
        permission="canvas.trigger.schedule.delete",
        asks=ScheduleNamed,
        answers=Answered,
        does=schedule_delete,
        status=201,
    ),
)
