"""Derived events: logged by a canvas, stored by the burst that makes them, heard in a transaction of their own.

So is what a canvas changed of a person: an attribute, a consent (TRK-9).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from journeys.canvas.events_and_commands import Occurrence
from journeys.engine.clock import Clock
from journeys.engine.entries.event_recording import NewEvent
from journeys.engine.entries.routing import PersonEvent, Routed, route
from journeys.engine.metrics import EVENTS, counted
from journeys.engine.people.carts import store_carts, violation
from journeys.engine.people.known_names import note, of_events
from journeys.engine.people.profiles import LOCK_FREE, load
from journeys.engine.people.user_updates import MOST_HOPS
from journeys.engine.ports import AlarmSync, Notifier, tell
from journeys.engine.store.database import Database
from journeys.engine.workspaces.published import Published

NEXT = "select workspace from echoes where workspace <> all ($1) order by stored limit 1"
WAITING = "select distinct person from (select person from echoes where workspace = $1 order by stored limit $2) as waiting"
TAKE = """
delete from echoes where workspace = $1 and person = any($2::uuid[])
returning person, no, name, at, properties, hops, kind
"""
STORE = """
insert into events (workspace, person, shard, kind, name, at, properties, hops, compared)
select $1, s.person, s.shard, s.kind, s.name, s.at, s.properties, s.hops, s.compared
from unnest($2::uuid[], $3::int[], $4::text[], $5::text[], $6::timestamptz[], $7::jsonb[], $8::int[], $9::jsonb[])
    with ordinality as s(person, shard, kind, name, at, properties, hops, compared, place)
order by s.place returning no
"""
CUT = """
insert into facts (workspace, person, shard, fact, at, data)
select $1, * from unnest($2::uuid[], $3::int[], $4::text[], $5::timestamptz[], $6::jsonb[])
"""


async def route_derived_events(
    db: Database,
    published: Published,
    clock: Clock,
    alarm_sync: AlarmSync,
    notifier: Notifier,
    *,
    most: int = 200,
) -> int:
    """Let a batch of such events of each workspace be heard; returns how many.

    A chain of twenty is cut, with a fact that says so. People whom somebody has locked hear of theirs in a later batch.
    """
    heard, had = 0, list[int]()
    while not clock.skew.too_far and (workspace := await db.pool.fetchval(NEXT, had)) is not None:
        had.append(workspace)
        heard += await _route(db, published, clock, alarm_sync, notifier, workspace, most)
    return heard


async def _route(
    db: Database,
    published: Published,
    clock: Clock,
    alarm_sync: AlarmSync,
    notifier: Notifier,
    workspace: int,
    most: int,
) -> int:
    publication = await published.of(workspace)
    routed = Routed()
    async with db.transaction() as connection:
        people = [row["person"] for row in await connection.fetch(WAITING, workspace, most)]
        people = [row["id"] for row in await connection.fetch(LOCK_FREE, workspace, people)]
        rows = sorted(await connection.fetch(TAKE, workspace, people), key=lambda row: (row["at"], row["no"]))
        profiles = await load(connection, workspace, people)
        live = [row for row in rows if row["person"] in profiles and row["hops"] < MOST_HOPS]
        cut = [row for row in rows if row["person"] in profiles and row["hops"] >= MOST_HOPS]
        if cut:
            await connection.execute(CUT, workspace, *_columns([
                (row["person"], profiles[row["person"]].shard, "hops_exceeded", row["at"], {"event": row["name"]})
                for row in cut
            ]))  # fmt: skip
        if live:
            stored = await connection.fetch(STORE, workspace, *_columns([
                (
                    row["person"], profiles[row["person"]].shard, row["kind"], row["name"], row["at"], row["properties"],
                    row["hops"], publication.compared_values(profiles[row["person"]], row["kind"], row["name"]),
                )
                for row in live
            ]))  # fmt: skip
            for kind, count in Counter(row["kind"] for row in live).items():
                counted(EVENTS, count, kind=kind)
            await store_carts(connection, workspace, _cart_events(profiles, live))
            heard = [_heard(profiles, row, number["no"]) for row, number in zip(live, stored, strict=True)]
            routed = await route(connection, publication, published, clock, heard)
    tell(routed, alarm_sync, notifier)
    await note(db, workspace, of_events(("event", row["name"]) for row in live))
    return len(rows)


def _heard(profiles: Mapping[UUID, Any], row: Mapping[str, Any], no: int) -> PersonEvent:
    occurrence = Occurrence(
        no=no, kind=row["kind"], name=row["name"], at=row["at"], properties=row["properties"]
    )
    return PersonEvent(profiles[row["person"]], occurrence, hops=row["hops"])


def _cart_events(profiles: Mapping[UUID, Any], rows: Sequence[Mapping[str, Any]]) -> list[NewEvent]:
    """Those that fill or buy a cart, as far as they are as such events must be (EVT-7)."""
    return [
        NewEvent(
            profile=profiles[row["person"]],
            kind="event",
            name=row["name"],
            at=row["at"],
            properties=row["properties"],
        )
        for row in rows
        if row["kind"] == "event" and violation(row["name"], row["properties"]) is None
    ]


def _columns(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
