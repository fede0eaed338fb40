"""What a canvas says of how many entries there may be: in each period, and of one person side by side."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from journeys.canvas.frozen_model import Frozen
from journeys.canvas.problems import wrong

MOST_ENTRIES = 1_000_000_000
KEY = re.compile(r"^(event|context)\.[^\s.](\S{0,250}[^\s.])?$")
"""What a `key` looks like: a property of the event that brings the person in, or something of the context."""


def _key(value: str) -> str:
    if not KEY.fullmatch(value):
        hint = "write event.cart_id, or context.cart_id for a canvas that people enter by API"
        raise wrong("J103", f"“{value[:60]}” names no property of the event and nothing of the context", hint)
    return value


Key = Annotated[str, AfterValidator(_key), WithJsonSchema({"type": "string", "pattern": KEY.pattern})]


class EntryLimit(Frozen):
    """How many entries a canvas takes in all, or in each run, hour or day; whoever comes later does not enter (CTL-7).

    An hour is one of UTC, a day one of the company's zone. `run` is for canvases that let people in by a schedule.
    """

    entries: Annotated[int, Field(ge=1, le=MOST_ENTRIES, strict=True)]
    """So many."""
    per: Literal["run", "hour", "day", "lifetime"]
    """In each of what: `run`, `hour`, `day`, or `lifetime` for all that there ever are."""
