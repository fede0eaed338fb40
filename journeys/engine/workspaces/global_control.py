"""The global control group of a workspace as it is published: its share stays, and each new group is drawn anew."""

from __future__ import annotations

from typing import Any

from journeys.canvas.definition_kinds import GlobalControl
from journeys.canvas.problems import Problem
from journeys.canvas.yaml_definitions import Definitions

STANDS = "select settings -> 'global_control' from workspaces where id = $1"
"""The share (null: there is no group now), and how often one was drawn."""

SETTLE = "update workspaces set settings = settings || jsonb_build_object('global_control', $2::jsonb) where id = $1"


async def changed_share(connection: Any, workspace: int, given: Definitions) -> list[Problem]:
    """J408: the group of a workspace would have another share than it has (GCG-4)."""
    stands = await connection.fetchval(STANDS, workspace) or {}
    share, found = stands.get("share"), []
    for one in given.workspaces.values():
        group: GlobalControl | None = one.value.global_control
        if share is not None and group is not None and group.share != share:  # GCG-4
            message = f"the global control group has {share} per cent of the people, not {group.share}"
            hint = "publish without global_control first, and then with the new share: that draws a new group"
            found.append(Problem("J408", one.places.where(("global_control", "share")), message, hint))
    return found


async def settle_group(connection: Any, workspace: int, group: GlobalControl | None) -> None:
    """Keep the share that is published now, and count a group that comes after there was none (GCG-4)."""
    stands = await connection.fetchval(STANDS, workspace) or {}
    share, drawn = stands.get("share"), stands.get("drawn", 0)
    if group is None and not drawn:
        return
    new = group is not None and share is None
    kept = {"share": group.share if group else None, "drawn": drawn + new}
    await connection.execute(SETTLE, workspace, kept)
