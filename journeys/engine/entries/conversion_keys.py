"""Reads the keys of entries for conversions that compare with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from journeys.canvas.entry_keys import asks_key
from journeys.engine.core.routing import Window

KEYS = """
select e.id, e.entry_key from entries e join unnest($2::uuid[], $3::uuid[]) as s(person, id)
    on (e.workspace, e.person, e.id) = ($1, s.person, s.id)
"""


async def give_keys(connection: Any, workspace: int, windows: Mapping[UUID, list[Window]]) -> None:
    """Give the windows whose conversion compares with it the key of their entry."""
    asking = {
        (person, window.entry): None
        for person, mine in windows.items()
        for window in mine
        if asks_key(window.conversion.trigger)
    }
    if asking:
        keys = dict(await connection.fetch(KEYS, workspace, *map(list, zip(*asking, strict=True))))
        for mine in windows.values():
            mine[:] = [replace(window, key=keys.get(window.entry)) for window in mine]
