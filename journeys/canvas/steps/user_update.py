"""The step `user_update`: sets or increments attributes of the profile, and logs events."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from math import isfinite
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from journeys.canvas.events_and_commands import NOTHING, Go, Outcome, Update
from journeys.canvas.frozen_model import Frozen, Many, texts
from journeys.canvas.problems import shown, wrong
from journeys.canvas.steps.asking import Asking
from journeys.canvas.steps.base import Here

UNTOUCHABLE = frozenset({
    "external_id", "user_alias", "braze_id", "anonymous_id", "alias_name", "alias_label", "push_tokens",
    "push_token_import", "app_id", "api_key", "_update_existing_only", "_merge_objects",
})  # fmt: skip
"""What a user update cannot set: who a person is, their devices, and what steers a request (UPD-4)."""


def _amount(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise wrong("J100", f"an increment is a number, not {shown(value)}", "write {increment: 1}, or -1")
    return value


Amount = Annotated[int | float, BeforeValidator(_amount)]


class Increment(Frozen):
    """Add this to a number; an attribute that is not there counts as 0 (ATT-3)."""

    increment: Amount
    """The number to add."""


def _change(value: Any) -> Any:
    if isinstance(value, Mapping) and "increment" in value:
        return Increment.model_validate(value)
    return _with_texts(value)


def _with_texts(value: Any) -> Any:
    """The value with its dates as texts: YAML reads 2027-03-01 as a date."""
    match value:
        case date():
            return value.isoformat()
        case Mapping():
            return {name: _with_texts(each) for name, each in value.items()}
        case list() | tuple():
            return [_with_texts(each) for each in value]
    return value


Change = Annotated[
    Any, BeforeValidator(_change), WithJsonSchema({"description": "a value, or {increment: n}"})
]


class LoggedEvent(Frozen):
    """An event that the step logs."""

    name: Annotated[str, Field(min_length=1, max_length=255)]
    """The name of the event."""
    properties: dict[str, Annotated[Any, BeforeValidator(_with_texts)]] = {}
    """Its properties; texts may hold Liquid."""


class UserUpdate(Asking):
    """Set attributes (`null` removes one), increment them, log events (UPD-1).

    ```yaml
    - {type: user_update, id: mark, attributes: {reader: true, opens: {increment: 1}}, events: [{name: finished}]}
    ```

    Standard attributes, `email_subscribe`, `subscription_groups` and custom attributes are written by the rules of `/users/track` (ATT-1, NST-1);
    what these refuse is left as it was, and a fact `not_updated` says why. Texts may hold Liquid, also within lists and objects (UPD-3). Where it asks others, the entry waits for them as in a
    context step (X5); what holds a call that failed is not written, the rest is. Later steps see the new values (UPD-2).
    The events are heard in a later transaction.
    """

    type: Literal["user_update"] = "user_update"
    """This step type."""
    attributes: dict[Annotated[str, Field(min_length=1, max_length=255)], Change] = {}
    """Attributes by name, each with its value, `null` or an increment."""
    events: Many[LoggedEvent] = ()
    """Events that are logged."""

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.attributes and not self.events:
            raise wrong("J104", "a user update has attributes, events, or both")
        for name in self.attributes:
            if name in UNTOUCHABLE:
                hint = "remove it; /users/track and the identity routes do that"
                raise wrong("J100", f"“{name}” cannot be set by a user update", hint, at=("attributes", name))
        return self

    def sources(self) -> Mapping[tuple[str | int, ...], str]:
        """See base class."""
        found = texts(self.attributes, ("attributes",))  # UPD-3
        for place, event in enumerate(self.events):
            found |= texts(event.properties, ("events", place, "properties"))  # UPD-3
        return found

    def arrive(self, here: Here) -> Outcome:
        """Update, and go on; if the texts make calls, wait for the answers."""
        return self.ask(here) if self.needs_network else self._update(here, NOTHING)  # UPD-1, X5

    def go(self, here: Here, found: Mapping[str, Any]) -> Go:
        """Update with these texts. Where there are none, they could not be made, and nothing is written (UPD-8)."""
        return self._update(here, found) if found else Go()  # UPD-8

    def _update(self, here: Here, found: Mapping[str, Any]) -> Go:
        update = Update(step=self.id, key=here.key, at=here.now, context=here.entry.context, texts=found)
        return Go(doing=(update,))
