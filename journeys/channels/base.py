"""What a channel is, and which channels are installed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from journeys.canvas.installed_packages import load_all
from journeys.engine.delivery.channel import Channel, Content, Doubtful, Outcome, Receipt, Recipient
from journeys.engine.people.profiles import Profile


@lru_cache(maxsize=1)
def kinds() -> Mapping[str, type[Any]]:
    """The channels that are installed, by name: entry points of the group `journeys.channels`."""
    return load_all("journeys.channels")


def installed() -> dict[str, Channel]:
    """A channel of each installed kind, set up from the environment."""
    return {name: channel_of(name) for name in kinds()}


def channel_of(name: str) -> Channel:
    """A channel, set up from the environment. Raises RuntimeError that names it, and pydantic's ValidationError as it is."""
    try:
        channel: Channel = kinds()[name]()
    except ValidationError:
        raise
    except Exception as error:
        cause = f"{type(error).__name__}: {error}".split("\n")[0]
        raise RuntimeError(f"the channel “{name}” cannot be set up: {cause}") from error
    return channel


__all__ = [
    "Channel",
    "Content",
    "Doubtful",
    "Outcome",
    "Profile",
    "Receipt",
    "Recipient",
    "channel_of",
    "installed",
    "kinds",
]
