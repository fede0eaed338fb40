"""The values that Liquid sees of a person and an entry, and the values of context variables."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from random import Random, SystemRandom
from typing import Any

import msgspec

from journeys.canvas.events_and_commands import NOTHING
from journeys.canvas.plan import Plan
from journeys.canvas.storable_characters import storable, strange
from journeys.canvas.subscription_groups import SubscriptionGroup
from journeys.canvas.written_instants import instant
from journeys.engine.content import Aborted, RenderError, TemplateError, Values, render_value
from journeys.engine.people.profiles import Profile
from journeys.engine.store.stored_objects import plain

CONTEXT_LIMIT = 50 * 1024
"""The size that the values of one context step may have, in bytes (CXS-3)."""

STANDARD = {
    "email": "email_address",
    "phone": "phone_number",
    "dob": "date_of_birth",
    "home_city": "city",
    "external_id": "user_id",
}
"""Standard attributes whose name in Liquid is another than in the API (liquid.md section 2)."""


def values(
    profile: Profile,
    plan: Plan,
    *,
    step: str | None,
    variant: str | None,
    context: Mapping[str, Any],
    properties: Mapping[str, Any],
    now: datetime,
    canvas_id: str = "",
    dispatch: str = "",
    links: Mapping[str, str] = NOTHING,
    groups: Iterable[SubscriptionGroup] = (),
    centres: Mapping[str, str] = NOTHING,
) -> Values:
    """The values of one message or variable: profile, entry, step. `now` is the render clock (UTC)."""
    bare = {**standard_values(profile), **links}
    return Values(
        profile=bare,
        custom_attributes=plain(profile.attributes),
        context=context,
        event_properties=properties,
        campaign={"name": step or "", "message_name": step or "", "dispatch_id": dispatch},
        canvas={"name": plan.canvas.name, "api_id": canvas_id, "variant_name": variant or ""},
        namespaces={"subscribed_state": subscribed_state(profile, groups), "preference_center": centres}
        if dispatch
        else NOTHING,
        now=now,
        draw=draw_of(dispatch) if dispatch else CHANCE,
    )


def standard_values(profile: Profile) -> dict[str, Any]:
    """What `${x}` names of a person."""
    bare = {STANDARD.get(name, name): value for name, value in profile.standards.items()}
    return {**bare, "random_bucket_number": profile.bucket, "braze_id": str(profile.id)}


def page_values(profile: Profile, groups: Iterable[SubscriptionGroup], submit: str, now: datetime) -> Values:
    """The values of a preference centre: the profile, its states, and where its form goes (PFC-2)."""
    return Values(
        profile=standard_values(profile),
        custom_attributes=plain(profile.attributes),
        namespaces={
            "subscribed_state": said_states(profile, groups),
            "preference_center_submit_url": submit,
        },
        now=now,
    )


def said_states(profile: Profile, groups: Iterable[SubscriptionGroup]) -> dict[str, str]:
    """The states as they were said last, whether or not the person has left the channel: a page shows what it saves."""
    said = {
        group: profile.subscriptions[group.name].state
        for group in groups
        if group.name in profile.subscriptions
    }
    found = {"email_global": profile.consents.get("email", "subscribed")}
    for group, state in said.items():
        found[group.api_id] = found[group.name] = state
    return found


def subscribed_state(profile: Profile, groups: Iterable[SubscriptionGroup]) -> dict[str, str]:
    """The state on e-mail, and those in the groups of which the person said something, by their names and their ids."""
    person = profile.as_person("UTC")
    found = {"email_global": person.consent("email")}
    for group in groups:
        if group.name in profile.subscriptions:
            found[group.api_id] = found[group.name] = person.subscription(group.name)  # CNS-2
    return found


CHANCE = SystemRandom().random
"""Random numbers where nothing is sent."""


def draw_of(dispatch: str) -> Callable[[], float]:
    """The random numbers of a message, from its key: rendered again, it has the same (T4)."""
    made: list[Random] = []

    def draw() -> float:
        if not made:
            made.append(Random(dispatch))  # T4  # noqa: S311 - no secrets
        return made[0].random()

    return draw


@dataclass(slots=True)
class Found:
    """The values of the variables of a context step, top to bottom, and why some were not set (CXS-2 to CXS-4)."""

    values: dict[str, Any] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    full: bool = False
    """The step's values are over the limit: those that follow are neither evaluated nor stored (CXS-3)."""
    _size: int = 0

    def seen(self, given: Values) -> Values:
        """What the next variable sees: those before it, too."""
        return replace(given, context={**given.context, **self.values})  # CXS-2

    def take(self, name: str, kind: str, text: str) -> None:
        """Set a variable from the text of its Liquid, if possible."""
        try:
            value = typed(kind, text)  # CXS-4
        except ValueError as error:
            self.missing[name] = storable(str(error))
            return
        if found := strange(value):
            self.missing[name] = f"it contains the character {found}, which cannot be stored"
            return
        self._size += len(msgspec.json.encode(value))
        if self._size > CONTEXT_LIMIT:  # CXS-3
            self.full = True
            self.missing[name] = "the step's values are over 50 KB"
        else:
            self.values[name] = value


def rendered(variables: Sequence[tuple[str, str, str]], given: Values) -> Found:
    """The values of variables without calls."""
    found = Found()
    for name, kind, source in variables:
        if found.full:
            break
        try:
            text = render_value(source, found.seen(given))
        except (Aborted, RenderError, TemplateError) as error:
            found.missing[name] = str(error) or type(error).__name__
        else:
            found.take(name, kind, text)
    return found


def typed(kind: str, text: str) -> Any:
    """A context variable's value from the text of its Liquid.

    Raises ValueError where the text is empty or of another type: the variable is not set then (CXS-4).
    """
    text = text.strip()
    if not text:  # CXS-4
        raise ValueError("it is empty")
    match kind:
        case "text":
            return text  # CXS-6, C11
        case "number":
            number = float(text)
            if not math.isfinite(number):
                raise ValueError(f"“{text}” is not a number")
            return int(number) if number.is_integer() and "." not in text else number
        case "boolean":
            if text.lower() not in ("true", "false"):
                raise ValueError(f"“{text}” is neither true nor false")
            return text.lower() == "true"
        case "time":
            at = instant(text)  # ATT-6
            if at is None:
                raise ValueError(f"“{text[:40]}” is not a time")
            return at.isoformat()
        case _:
            return _structured(kind, text)


def _structured(kind: str, text: str) -> Any:
    """Objects as JSON; lists as JSON if that is what they are, else as a plain list of strings (CTX-7)."""
    try:
        value = msgspec.json.decode(text)  # CXS-6, C11
    except msgspec.DecodeError as error:
        if kind == "list":
            return [part.strip() for part in text.split(",")]  # CTX-7
        raise ValueError(f"“{text[:40]}” is not JSON") from error
    if kind == "list" and not isinstance(value, list):
        raise ValueError("it is not a list")
    if kind == "object" and not isinstance(value, dict):
        raise ValueError("it is not an object")
    return value
