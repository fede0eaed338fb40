"""The best time of a person on a channel: computed from sessions, opens and clicks (IT-1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from journeys.canvas.filters import EventTrigger, MessageTrigger, Trigger
from journeys.canvas.wall_clock import wall_of
from journeys.engine.audience.match import Needs, Past, Person, named, past

LEARNS_FROM: Sequence[Trigger] = (
    EventTrigger(event="session_start"),
    MessageTrigger(message="opened"),
    MessageTrigger(message="clicked"),
)
"""Sessions, opens and clicks."""

LEARNS = Needs(dict.fromkeys(map(named, LEARNS_FROM), Past(timedelta(days=90), 100)))
"""Of each the latest hundred, of the last ninety days."""

STEP = 5
"""Rounded to so many minutes."""

BROAD = 60
"""Events within so many minutes of each other count for the same time."""

DAY = 1440


def learn(person: Person, channel: str) -> int | None:
    """The minute of the local day around which most events of the person lie; None if nothing is known.

    Opens and clicks count where they are of this channel; sessions count for every channel. Whatever else is known of
    the person counts for nothing: their history may have been read for several questions at once.
    """
    instants = [
        each.at
        for kind, name in map(named, LEARNS_FROM)
        for each in past(person.history, kind, name)
        if kind == "event" or each.properties.get("channel", channel) == channel  # IT-1
    ]
    return densest(instants, person.zone)


def densest(instants: Sequence[datetime], zone: str) -> int | None:
    """The middle of the hour of the local day that holds most of these instants, rounded to five minutes.

    Of several such hours the earliest; None where there are no instants.
    """
    if not instants:
        return None
    walls = [wall_of(at, zone) for at in instants]
    minutes = Counter((wall.hour * 60 + wall.minute) // STEP * STEP for wall in walls)  # IT-1
    best, most = 0, -1.0
    for candidate in range(0, DAY, STEP):
        weight = 0.0
        for minute, count in minutes.items():
            apart = abs(minute - candidate)
            apart = min(apart, DAY - apart)
            if apart <= BROAD // 2:
                weight += count * (1 - apart / BROAD)
        if weight > most:  # IT-1
            best, most = candidate, weight
    return best
