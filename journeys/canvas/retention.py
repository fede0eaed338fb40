"""How long a workspace keeps what it stores, by kind of data."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from journeys.canvas.frozen_model import Frozen
from journeys.canvas.problems import wrong
from journeys.canvas.times import span, spell

YEAR = timedelta(days=365)
_YEARS = re.compile(r"^\s*(\d{1,4})\s*years?\s*$", re.IGNORECASE)

SHORTEST = timedelta(days=31)
"""Within it conversions are still credited and doubles refused, so nothing goes earlier."""


def kept_for(text: Any) -> timedelta:
    """A span that may also be written in years, of 365 days each.

    Example:
        >>> kept_for("2 years") == kept_for("730 days")
        True
    """
    years = _YEARS.match(text) if isinstance(text, str) else None
    return span(int(years[1]) * YEAR if years else text)


def _long_enough(value: timedelta) -> timedelta:
    if value < SHORTEST:
        raise wrong("J403", "nothing is dropped before 31 days are over", "leave it out to keep everything")
    return value


def _spell(value: timedelta) -> str:
    count = value // YEAR
    return spell(value) if count * YEAR != value else f"{count} year" + ("" if count == 1 else "s")


Kept = Annotated[
    timedelta,
    BeforeValidator(kept_for),
    AfterValidator(_long_enough),
    PlainSerializer(_spell, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["2 years", "90 days"]}),
]


def _left_out(value: timedelta | None) -> bool:
    return value is None


class Retention(Frozen):
    """How long a workspace keeps its data, at least: `retention: {events: 2 years, facts: 5 years, refusals: 90 days}`.

    What is left out is kept for ever. Events and facts go by whole months, after the last day of the month is past its
    time. What an entry that is not over may still need stays. Profiles and definitions do not go.
    """

    events: Kept | None = Field(default=None, exclude_if=_left_out)
    """What people did, and what became of their messages: filters and reports no longer see it afterwards."""
    facts: Kept | None = Field(default=None, exclude_if=_left_out)
    """What became of entries and messages, with conversions and entries that have ended, but each person's last in a canvas."""
    refusals: Kept | None = Field(default=None, exclude_if=_left_out)
    """Whom a canvas did not let in, and why."""
    runs: Kept | None = Field(default=None, exclude_if=_left_out)
    """Runs that have ended."""
