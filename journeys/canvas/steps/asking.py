"""The base of steps whose Liquid may make calls: they wait for the answer, outside of any transaction."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from journeys.canvas.events_and_commands import Answered, End, Entry, Event, Fetch, Go, Outcome, Wait, Woke
from journeys.canvas.frozen_model import is_liquid
from journeys.canvas.steps.base import Here, Step
from journeys.canvas.wall_clock import plus

ASKING: Final = re.compile(
    r"\b(connected_content|catalog_items|catalog_selection_items|shopping_cart|promotion|content_blocks"
    r"|product_recommendation)\b"
)
"""What stands in Liquid that asks others, or that may."""

LONGEST_WAIT = timedelta(hours=72)
"""How long an entry waits for the answer at most. The fetcher gives up long before (CXS-4)."""


class Asking(Step):
    """A step that works something out, and that waits for the answer where that takes calls (CXS-4, X5)."""

    @property
    def needs_network(self) -> bool:
        """See base class."""
        return any(is_liquid(source) and ASKING.search(source) for source in self.sources().values())

    def ask(self, here: Here) -> Outcome:
        """Wait for the values of the Liquid, which arrive as `Answered`."""
        fetch = Fetch(step=self.id, key=here.key, at=here.now)
        return Wait(plus(here.now, LONGEST_WAIT), phase="asked", doing=(fetch,))  # CXS-5

    def go(self, here: Here, found: Mapping[str, Any]) -> Go:
        """Go on with the values of the Liquid."""
        raise NotImplementedError

    def hear(self, here: Here, event: Event) -> Outcome | None:
        """Go on with the answer. Without one the entry ends: the calls were tried for hours (X5)."""
        match event:
            case Answered(answer=dict() as found):
                return self.go(here, found)  # CXS-4
            case Answered() | Woke():
                return End("unanswered")  # X5
        return None

    def waits_for_others(self, entry: Entry) -> bool:
        """See base class."""
        return entry.phase == "asked"

    def longest(self) -> timedelta:
        """See base class."""
        return LONGEST_WAIT if self.needs_network else timedelta(0)
