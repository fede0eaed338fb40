"""Who of some people is in an audience: what it needs of their past is read, and each is judged."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from journeys.canvas.filters import Filter
from journeys.engine.audience.consents_asked import asks_consents
from journeys.engine.audience.match import matches, needs
from journeys.engine.people.profiles import Profile, history, read_consents
from journeys.engine.workspaces.published import Publication

FILTER: TypeAdapter[Any] = TypeAdapter(Filter)
"""Reads a filter as it is sent or stored."""

LONGEST_STRETCH = 0.01
"""Seconds for which people are judged before others on the event loop have their turn."""


async def matching(
    connection: Any,
    publication: Publication,
    audience: Filter | None,
    profiles: Sequence[Profile],
    now: datetime,
    canvas: str | None = None,
) -> list[Profile]:
    """Those of them who match at an instant; all, where nothing is asked for.

    `canvas`: the one whose steps a filter means that names no other.
    """
    if audience is None or not profiles:
        return list(profiles)
    wanted = needs([audience], publication.segments)
    if asks_consents([audience], publication.segments):
        await read_consents(connection, publication.workspace, profiles)
    asked = {profile.id: (wanted, now) for profile in profiles}
    pasts = await history(connection, publication.workspace, asked)
    found, given_way = [], time.perf_counter()
    for profile in profiles:
        person = profile.as_person(publication.zone, pasts.get(profile.id))
        if matches(audience, person, now=now, segments=publication.segments, canvas=canvas):
            found.append(profile)
        if time.perf_counter() - given_way > LONGEST_STRETCH:
            await asyncio.sleep(0)
            given_way = time.perf_counter()
    return found
