"""What a channel is, and which channels are installed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import entry_points
from typing import Any

from journeys.engine.delivery.channel import Channel, Content, Doubtful, Outcome, Receipt, Recipient


@lru_cache(maxsize=1)
def kinds() -> Mapping[str, type[Any]]:
    """The channels that are installed, by name: entry points of the group `journeys.channels`."""
    return {entry.name: entry.load() for entry in entry_points(group="journeys.channels")}


def installed() -> dict[str, Channel]:
    """A channel of each installed kind, set up from the environment."""
    return {name: kind() for name, kind in kinds().items()}


__all__ = ["Channel", "Content", "Doubtful", "Outcome", "Receipt", "Recipient", "installed", "kinds"]
