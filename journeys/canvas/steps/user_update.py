"""Write to the profile: set or increment attributes, log events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from journeys.canvas.problems import wrong
from journeys.canvas.steps.base import Here, Step
from journeys.canvas.values import Frozen
from journeys.canvas.vocabulary import Go, Outcome, Update


class Increment(Frozen):
    """Add this to a number; an attribute that is not there counts as 0 (ATT-3)."""

    increment: int | float


def _change(value: Any) -> Any:
    if isinstance(value, Mapping) and "increment" in value:
        return Increment.model_validate(value)
    return value


Change = Annotated[
    Any, BeforeValidator(_change), WithJsonSchema({"description": "a value, or {increment: n}"})
]


class LoggedEvent(Frozen):
    """An event that the step logs."""

    name: Annotated[str, Field(min_length=1, max_length=255)]
    properties: dict[str, Any] = {}


class UserUpdate(Step):
    """Set attributes (`null` removes one), increment them, log events (UPD-1). Texts may hold Liquid (UPD-3).

    ```yaml
    - {type: user_update, id: mark, attributes: {reader: true, opens: {increment: 1}}, events: [{name: finished}]}
    ```

    Later steps see the new values (UPD-2). The events are heard in a later transaction.
    """

    type: Literal["user_update"] = "user_update"
    attributes: dict[Annotated[str, Field(min_length=1, max_length=255)], Change] = {}
    events: tuple[LoggedEvent, ...] = ()

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.attributes and not self.events:
            raise wrong("J104", "a user update has attributes, events, or both")
        return self

    def arrive(self, here: Here) -> Outcome:
        """Update, and go on."""
        return Go(doing=(Update(step=self.id, key=here.key, at=here.now),))
