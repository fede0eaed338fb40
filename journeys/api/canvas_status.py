"""`POST /canvas/stop`, `pause`, `resume`, `archive`, and `GET /canvas/changes`: the life of a canvas by API."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from journeys.api.operations import Answered, Asked, Operation, Remark, said
from journeys.api.requests import Refusal
from journeys.api.services import Services
from journeys.engine.core.life import Timers, Word
from journeys.engine.intake.unknown_keys import unknown_keys
from journeys.engine.workspaces.api_keys import Key
from journeys.engine.workspaces.canvas_changes import (
    NoCanvas,
    NotPossible,
    canvases_of,
    change,
    log_of,
    named,
)

PERMISSION = "canvas.status"

WORDS: tuple[Word, ...] = ("stop", "pause", "resume", "archive")
"""What may be said of a canvas; each is a route."""

SUMMARIES: dict[Word, str] = {
    "stop": "Stop a canvas: nobody enters or advances; who is due before the resume leaves then",
    "pause": "Pause a canvas: who enters waits before the first step, and nobody advances",
    "resume": "Resume a canvas that is stopped or paused, or launch a draft",
    "archive": "Archive a canvas: its entries end",
}

CHOICES: tuple[Timers, ...] = get_args(Timers)

LONGEST_NAME = 100

LONGEST_NUMBER = 9
"""Digits of the number of a change."""

MOST = 100
"""The maximum number of changes in one answer."""


def _canvas(given: Any) -> Any:
    if not isinstance(given, str) or not 0 < len(given) <= LONGEST_NAME:
        raise said("Invalid Canvas ID: 'canvas_id' is the name or the id of a canvas")
    return given


def _timers(given: Any) -> Any:
    if given not in CHOICES:
        raise said(f"'timers' must be one of {', '.join(CHOICES)}")
    return given


def _before(given: Any) -> Any:
    if not isinstance(given, int) or len(str(given)) > LONGEST_NUMBER:
        raise said("'before' must be the number of a change")
    return given


Named = Annotated[
    str,
    BeforeValidator(_canvas),
    Field(
        min_length=1,
        max_length=LONGEST_NAME,
        description="The canvas by its name or its id.",
    ),
]
Status = Literal["draft", "active", "idle", "stopped", "paused", "archived"]


class Change(Asked):
    """Which canvas is meant. Keys that mean nothing are told of."""

    model_config = ConfigDict(extra="allow")
    canvas_id: Named


class Resume(Change):
    """Which canvas is meant, and what is done after a pause with what fell due meanwhile: all waits become longer by the
    pause, or it goes on at once, or its messages are not sent."""

    timers: Annotated[Timers, BeforeValidator(_timers)] | None = None


class Stands(Answered):
    """How a canvas stands."""

    canvas: str
    canvas_id: str
    status: Status
    since: datetime


class Changed(Stands):
    """How a canvas stands now. `notice`: it stood so already."""

    timers: Timers | None = None
    notice: str | None = None
    errors: list[Remark] | None = None


class AskedChanges(Asked):
    """Of which canvas, and only the changes before the one of this number."""

    canvas_id: Named
    before: Annotated[int, BeforeValidator(_before), Field(ge=0)] | None = None


class ChangeMade(BaseModel):
    """A change. `who`: an account of the command line, or a key."""

    no: int
    at: datetime
    who: str
    what: Literal["publish", "stop", "pause", "resume", "archive"]
    details: dict[str, Any]


class Changes(Stands):
    """How a canvas stands, and its changes, the last one first."""

    changes: Annotated[list[ChangeMade], Field(max_length=MOST)]


def _saying(word: Word) -> Callable[[Services, Key, Any], Awaitable[Changed]]:
    """The work of a route that changes the status of a canvas."""
    keys = {"api_key", "canvas_id"} | ({"timers"} if word == "resume" else set())

    async def say(services: Services, key: Key, asked: Change) -> Changed:
        timers = asked.timers if isinstance(asked, Resume) else None
        try:
            changed = await change(
                services.db,
                key.workspace,
                asked.canvas_id,
                word,
                at=services.clock.now(),
                who=f"key {key.name}",
                timers=timers,
            )
        except NoCanvas as error:
            raise _unknown(error) from error
        except NotPossible as error:
            raise Refusal(409, f"Conflict: {error}") from error
        remarks = [Remark(type=text) for text in unknown_keys(asked.model_extra or {}, keys, "this call")]
        return Changed(
            canvas=changed.name,
            canvas_id=str(changed.id),
            status=changed.status,
            since=changed.since,
            timers=changed.timers,
            notice=None if changed.new else f"the canvas is {changed.status} already",
            errors=remarks or None,
        )

    return say


async def changes(services: Services, key: Key, asked: AskedChanges) -> Changes:
    """The status of a canvas, and the log of its changes: who, when, what; the last one first."""
    publication = await services.published.of(key.workspace)
    try:
        name = await named(services.db, key.workspace, asked.canvas_id)
    except NoCanvas as error:
        raise _unknown(error) from error
    [one] = [
        each
        for each in await canvases_of(services.db, publication, services.clock.now())
        if each.name == name
    ]
    log = await log_of(services.db, key.workspace, name, asked.before, MOST)
    return Changes(
        canvas=name,
        canvas_id=str(one.id),
        status=one.status,
        since=one.since,
        changes=[
            ChangeMade(no=each.no, at=each.at, who=each.who, what=each.what, details=each.data)
            for each in log
        ],
    )


def _unknown(error: NoCanvas) -> Refusal:
    return Refusal(400, f"Invalid Canvas ID: {str(error)[:300]}")


OPERATIONS: tuple[Operation[Any], ...] = (
    *(
        Operation(
            method="POST",
            path=f"/canvas/{word}",
            summary=SUMMARIES[word],
            permission=PERMISSION,
            asks=Resume if word == "resume" else Change,
            answers=Changed,
            work=_saying(word),
            status=201,
            also={409: "The status of the canvas does not allow it."},
        )
        for word in WORDS
    ),
    Operation(
        method="GET",
        path="/canvas/changes",
        summary="The status of a canvas and its changes, the last one first",
        permission=PERMISSION,
        asks=AskedChanges,
        answers=Changes,
        work=changes,
    ),
)
