"""Reads the values of a render from a context file."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from journeys.canvas.problems import meant
from journeys.engine.content.render import Values

NAMESPACES = (
    "api_trigger_properties", "most_recently_used_device", "targeted_device", "card", "app", "sms", "whats_app",
    "subscribed_state", "product_recommendation", "preference_center",
)  # fmt: skip
KEYS = (
    "now",
    "profile",
    "custom_attributes",
    "event_properties",
    "context",
    "campaign",
    "canvas",
    "vars",
    *NAMESPACES,
)


def context_of(given: Any) -> Values:
    """The values of a context file. Raises ValueError, naming the key and the nearest that exists."""
    if not isinstance(given, Mapping):
        raise ValueError("a context file holds one JSON object")
    for key in given:
        if key not in KEYS:
            raise ValueError(f"there is no key “{key}” ({meant(str(key), KEYS)})")
    for key in given:
        if key != "now" and not isinstance(given[key], Mapping):
            raise ValueError(f"“{key}” must be an object")
    now = datetime.now(UTC)
    if "now" in given:
        try:
            now = datetime.fromisoformat(given["now"])
        except (TypeError, ValueError) as error:
            raise ValueError(f"“now” is not an instant: {given['now']}") from error
        now = now.astimezone(UTC) if now.tzinfo else now.replace(tzinfo=UTC)
    named = {name: given[name] for name in NAMESPACES if name in given}
    return Values(
        profile=given.get("profile", {}),
        custom_attributes=given.get("custom_attributes", {}),
        context=given.get("context", {}),
        event_properties=given.get("event_properties", {}),
        campaign=given.get("campaign", {}),
        canvas=given.get("canvas", {}),
        namespaces={**given.get("vars", {}), **named},
        now=now,
    )
