"""Tests of canvases in virtual time, and the contracts that channels and step types keep. For pytest: `journeys[testing]`.

Importing this module is cheap: each name is loaded when it is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

_WHERE = {
    "ChannelContract": "channel_contract",
    "Conversion": "story",
    "Fact": "story",
    "Impossible": "people",
    "Reply": "services",
    "SentMessage": "story",
    "StepContract": "step_contract",
    "Story": "story",
    "Trial": "trial",
    "TrialPerson": "people",
    "TrialRun": "schedules",
    "Unstubbed": "services",
    "journey": "trial",
}

if TYPE_CHECKING:
    from journeys.engine.content.services import Reply
    from journeys.testing.channel_contract import ChannelContract
    from journeys.testing.people import Impossible, TrialPerson
    from journeys.testing.schedules import TrialRun
    from journeys.testing.services import Unstubbed
    from journeys.testing.step_contract import StepContract
    from journeys.testing.story import Conversion, Fact, SentMessage, Story
    from journeys.testing.trial import Trial, journey

__all__ = [
    "ChannelContract",
    "Conversion",
    "Fact",
    "Impossible",
    "Reply",
    "SentMessage",
    "StepContract",
    "Story",
    "Trial",
    "TrialPerson",
    "TrialRun",
    "Unstubbed",
    "journey",
]


if not TYPE_CHECKING:  # a name that is not there is a mistake that a type checker finds

    def __getattr__(name: str) -> Any:
        """Fetch a name when it is asked for."""
        if name in _WHERE:
            return getattr(import_module(f"journeys.testing.{_WHERE[name]}"), name)
        raise AttributeError(f"journeys.testing has no {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
