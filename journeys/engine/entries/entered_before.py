"""Reads who is inside a canvas, for the gates of one that lets a person in once at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from journeys.engine.entries.burst import ENTRY, present_of
from journeys.engine.workspaces.published import Published
from journeys.engine.workspaces.stored_plans import NotUnderstood

INSIDE = f"""
select {ENTRY} from entries e
where e.workspace = $1 and e.canvas = $2 and e.person = any($3::uuid[]) and e.ended is null order by e.entered
"""  # noqa: S608 - constants


async def still_inside(
    connection: Any, published: Published, workspace: int, canvas: str, people: Sequence[UUID]
) -> dict[UUID, datetime]:
    """Since when these people, who are locked, are inside: the instant of the latest entry of each that has not ended.

    An entry that a change of its canvas ends at its next burst has ended. One that this process does not understand has not.
    """
    found: dict[UUID, datetime] = {}
    for row in await connection.fetch(INSIDE, workspace, canvas, list(people)):
        try:
            plan = await published.plan(workspace, row["plan"])
        except NotUnderstood:
            found[row["person"]] = row["entered"]
            continue
        if present_of(row, plan).entry.ended is None:
            found[row["person"]] = row["entered"]
    return found
