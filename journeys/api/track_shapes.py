"""What `/users/track` and triggers take, as OpenAPI describes it: made of the names and limits by which they judge."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, WithJsonSchema

from journeys.api.operations import Answered, Asked, Remark
from journeys.canvas.never_matching import CONSENTS, CONTROL, GROUPS, TEXTS, TRUTHS
from journeys.engine.intake.track import MOST
from journeys.engine.intake.track_objects import LONGEST_NAME
from journeys.engine.people.standard_attributes import ARRAYS as LISTS
from journeys.engine.people.standard_attributes import (
    COLUMNS,
    GENDERS,
    GROUP_STATES,
    LONGEST_ADDRESS,
    OBJECTS,
    STANDARD,
    STATES,
    TIMES,
)

MOST_QUANTITY = 100


class AliasOf(BaseModel):
    """An alias of a person."""

    alias_name: str
    alias_label: str


class Who(BaseModel):
    """Whom an object is about: by the first of these that it has. `braze_id`, the id that this service gave, makes nobody."""

    external_id: str | None = None
    user_alias: AliasOf | None = None
    braze_id: str | None = None
    anonymous_id: str | None = None
    """Beside a new external id: the same person."""
    email: Annotated[str, Field(max_length=LONGEST_ADDRESS)] | None = None
    phone: str | None = None
    """E.164."""
    update_existing_only: Annotated[bool | None, Field(alias="_update_existing_only")] = None


Written = Annotated[
    str, Field(description="ISO 8601; without a zone it is UTC; a time in the future becomes now.")
]


class Happening(Who):
    """What events and purchases have in common."""

    time: Written
    properties: dict[str, Any] | None = None
    event_id: Any = None
    """The sender's id of the event; an event with the same id is not stored again."""
    app_id: Any = None
    push_token_import: Any = None
    merge_objects: Annotated[Any, Field(alias="_merge_objects")] = None
    alias_name: Any = None
    alias_label: Any = None
    bio: Any = None
    prioritization: Any = None


class EventObject(Happening):
    """An event."""

    name: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]


class PurchaseObject(Happening):
    """A purchase."""

    product_id: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
    currency: Annotated[str, Field(description="ISO 4217.")]
    price: float
    quantity: Annotated[int, Field(ge=1, le=MOST_QUANTITY)] | None = None


def _standard(name: str) -> dict[str, Any]:
    """How a standard attribute is written."""
    shape: dict[str, Any] = {}
    if name in CONSENTS:
        shape = {"enum": [*STATES, None]}
    elif name == "gender":
        shape = {"type": ["string", "null"], "description": f"One of {', '.join(GENDERS)}."}
    elif name in TIMES:
        shape = {"type": ["string", "null"], "description": "ISO 8601."}
    elif name in TEXTS or name in COLUMNS:
        shape = {"type": ["string", "null"]}
    elif name in TRUTHS:
        shape = {"type": ["boolean", "null"]}
    elif name in LISTS:
        shape = {"type": ["array", "null"]}
    elif name in OBJECTS or name == "current_location":
        shape = {"type": ["object", "null"]}
    return shape


def attributes_shape() -> dict[str, Any]:
    """An object of attributes: its identifier, standard attributes, and any other key as a custom attribute."""
    states = {
        "type": "object",
        "properties": {"subscription_group_id": {}, "subscription_state": {"enum": list(GROUP_STATES)}},
    }
    names = sorted({*COLUMNS, *STANDARD, *CONSENTS, *CONTROL})
    return {
        "type": "object",
        "description": "One identifier, standard attributes, and any other key as a custom attribute; null removes.",
        "properties": {
            **{name: _standard(name) for name in names},
            GROUPS: {"type": ["array", "null"], "items": states},
            "user_alias": {
                "type": ["object", "null"],
                "required": ["alias_name", "alias_label"],
                "properties": {"alias_name": {"type": "string"}, "alias_label": {"type": "string"}},
            },
            **{name: {"type": ["boolean", "null"]} for name in ("_update_existing_only", "_merge_objects")},
        },
        "additionalProperties": True,
    }


AttributesObject = Annotated[Any, WithJsonSchema(attributes_shape())]


class Track(Asked):
    """What people are and did. Attributes come first, then events, then purchases, each in its order."""

    attributes: Annotated[list[AttributesObject] | None, Field(max_length=MOST)] = None
    events: Annotated[list[EventObject] | None, Field(max_length=MOST)] = None
    purchases: Annotated[list[PurchaseObject] | None, Field(max_length=MOST)] = None


class Tracked(Answered):
    """How many objects of each array were taken; what was refused is told beside it."""

    attributes_processed: int | None = None
    events_processed: int | None = None
    purchases_processed: int | None = None
    errors: list[Remark] | None = None


class RecipientObject(BaseModel):
    """A person who enters. Their own context overrides the shared one, key by key."""

    external_user_id: str | None = None
    external_id: str | None = None
    user_alias: AliasOf | None = None
    braze_id: str | None = None
    email: str | None = None
    context: dict[str, Any] | None = None
    canvas_entry_properties: dict[str, Any] | None = None
    attributes: AttributesObject | None = None
    send_to_existing_only: bool | None = None
    prioritization: Any = None


class TriggerSend(Asked):
    """Who enters which canvas: recipients, or all whom the audience matches (`broadcast`)."""

    canvas_id: Annotated[str, Field(description="The canvas by its name or its id.")]
    context: Annotated[
        dict[str, Any] | None, Field(description="Entry properties for every recipient; at most 50 KB.")
    ] = None
    canvas_entry_properties: dict[str, Any] | None = None
    broadcast: bool | None = None
    audience: Annotated[
        dict[str, Any] | None, Field(description="A filter, or a connected audience with AND and OR.")
    ] = None
    recipients: Annotated[list[RecipientObject] | None, Field(max_length=50)] = None


class When(BaseModel):
    """When it comes. Without an offset the time is UTC, or each person's local time where one of the flags says so."""

    time: Annotated[str, Field(description="ISO 8601.")]
    in_local_time: bool | None = None
    at_optimal_time: Annotated[
        bool | None,
        Field(
            description="On that date, each at their best time; at the time of day that is given, where it is not known."
        ),
    ] = None


class TriggerLater(TriggerSend):
    """The same, at a time to come."""

    schedule: When


class ScheduleNamed(Asked):
    """Which entry that is to come is meant."""

    canvas_id: str
    schedule_id: str


class ScheduleMoved(ScheduleNamed):
    """When it is to come instead."""

    schedule: When


class TriggeredAnswer(Answered):
    """The id under which what came of it can be found. `notice`: nobody enters, or some are unknown."""

    message: Literal["success"] = "success"
    dispatch_id: str
    notice: str | None = None
    errors: list[Remark] | None = None


class ScheduledAnswer(TriggeredAnswer):
    """The same, with the id by which it can be moved or withdrawn."""

    schedule_id: str
