"""The global control group of a workspace as it is published: its share stays, and each new group is drawn anew."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from journeys.canvas.definition_kinds import GlobalControl
from journeys.canvas.problems import Problem
from journeys.canvas.yaml_definitions import Definitions
from journeys.engine.core.global_control import samples
from journeys.engine.core.intervals import Interval, difference, rate
from journeys.engine.store.database import Database

STANDS = "select settings -> 'global_control' from workspaces where id = $1"
"""The share (null: there is no group now), how often one was drawn, and since when it stands."""

SETTLE = "update workspaces set settings = settings || jsonb_build_object('global_control', $2::jsonb) where id = $1"


DID = """
select p.bucket = any($2::int[]) as in_group, count(*) as people, count(*) filter (where exists (
        select from events e where (e.workspace, e.person, e.kind, e.name) = (p.workspace, p.id, 'event', $4) and e.at >= $5)) as did
from people p where p.workspace = $1 and (p.bucket = any($2::int[]) or p.bucket = any($3::int[])) group by 1
"""


@dataclass(frozen=True, slots=True)
class Sampled:
    """How many people of one side there are, and how many of them did it."""

    people: int
    did: int
    rate: Interval | None


@dataclass(frozen=True, slots=True)
class Compared:
    """The global control group beside as large a sample of all others (GCG-1): who did something since an instant.

    `difference` is that of the sample to the group: what canvases brought.
    """

    event: str
    since: datetime
    group: Sampled
    sample: Sampled
    difference: Interval | None


class NoGroup(ValueError):
    """There is no global control group to compare with, or nobody knows since when."""


async def compared(db: Database, workspace: int, event: str, *, since: datetime | None = None) -> Compared:
    """Count who did it in the group and in the sample, from an instant on: that at which the group was drawn.

    Raises `NoGroup`.
    """
    stands = await db.pool.fetchval(STANDS, workspace) or {}
    share, drawn, begun = stands.get("share"), stands.get("drawn", 0), stands.get("since")
    if share is None:
        raise NoGroup("there is no global control group: publish a workspace with global_control")
    if since is None and begun is None:
        raise NoGroup("the group was drawn before its date was kept: say --since")
    at = since or datetime.fromisoformat(str(begun))
    group, sample = samples(share, drawn)
    rows = await db.pool.fetch(DID, workspace, list(group), list(sample), event, at)
    counts = {row["in_group"]: (row["people"], row["did"]) for row in rows}
    mine, others = (_sampled(*counts.get(side, (0, 0))) for side in (True, False))
    return Compared(event, at, mine, others, difference(others.rate, mine.rate))


def _sampled(people: int, did: int) -> Sampled:
    return Sampled(people, did, rate(did, people))


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
    since = (await connection.fetchval("select now()")).isoformat() if new else stands.get("since")
    kept = {"share": group.share if group else None, "drawn": drawn + new, "since": since}
    await connection.execute(SETTLE, workspace, kept)
