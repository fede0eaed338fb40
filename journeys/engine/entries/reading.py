"""What is read of people while their entries are driven, as an interface; and how the store answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from journeys.canvas.events_and_commands import Entry
from journeys.engine.audience.match import Needs
from journeys.engine.core.life import Change
from journeys.engine.people.profiles import History, Profile, history, read_consents

Place = tuple[int, UUID, str, str, int]
"""Workspace, person, canvas, step, and the number of an event."""

HOLDERS = """
select h.workspace, h.person, h.canvas, h.step, h.no, h.entry from hearings h
join unnest($1::int[], $2::uuid[], $3::text[], $4::text[], $5::bigint[]) as s(workspace, person, canvas, step, no)
    on (h.workspace, h.person, h.canvas, h.step, h.no) = (s.workspace, s.person, s.canvas, s.step, s.no)
"""


Waiter = tuple[int, UUID, str]
"""Workspace, person and canvas."""

WAITERS = """
select e.workspace, e.person, e.canvas, e.id, e.entered, e.at, e.step, e.begun, e.wake_at, e.phase, e.change,
    array(select row(l.no, l.kind, l.at, l.stored) from canvas_changes l
          where (l.workspace, l.canvas) = (e.workspace, e.canvas) and l.no > e.change order by l.no) as changes
from entries e join (select distinct * from unnest($1::int[], $2::uuid[], $3::text[]) as s(workspace, person, canvas)) s
    on (e.workspace, e.person, e.canvas) = (s.workspace, s.person, s.canvas)
where e.ended is null and e.leaving is null and e.wake_at is not null and e.phase <> 'held' order by e.id
"""


@dataclass(frozen=True, slots=True)
class Beside:
    """Another entry of a person in a canvas, with the changes of the canvas that it has not been brought up to."""

    waiter: Waiter
    id: UUID
    entry: Entry
    change: int = 0
    changes: tuple[Change, ...] = ()


class Reading(Protocol):
    """Answers what must be known of people beside their profiles and entries."""

    async def history(
        self, workspace: int, asked: Mapping[UUID, tuple[Needs, datetime]]
    ) -> Mapping[UUID, History]:
        """What these people had done by an instant of each, as far as it is needed."""

    async def consents(self, workspace: int, profiles: Iterable[Profile]) -> None:
        """Give these profiles their consents."""

    async def holders(self, places: Sequence[Place]) -> Mapping[Place, UUID]:
        """The entries that heard these events at these steps, where one did."""

    async def waiting(self, asked: Sequence[Waiter]) -> Sequence[Beside]:
        """The entries of these people in these canvases that wait, as they are stored, and are not about to leave."""


@dataclass(frozen=True, slots=True)
class StoreReading:
    """Reads within a transaction of the store."""

    connection: Any

    async def history(
        self, workspace: int, asked: Mapping[UUID, tuple[Needs, datetime]]
    ) -> Mapping[UUID, History]:
        """See base class."""
        return await history(self.connection, workspace, asked)

    async def consents(self, workspace: int, profiles: Iterable[Profile]) -> None:
        """See base class."""
        await read_consents(self.connection, workspace, profiles)

    async def holders(self, places: Sequence[Place]) -> Mapping[Place, UUID]:
        """See base class."""
        rows = await self.connection.fetch(HOLDERS, *map(list, zip(*places, strict=True)))
        return {(row[0], row[1], row[2], row[3], row[4]): row["entry"] for row in rows}

    async def waiting(self, asked: Sequence[Waiter]) -> Sequence[Beside]:
        """See base class."""
        rows = await self.connection.fetch(WAITERS, *map(list, zip(*asked, strict=True)))
        return [_beside(row) for row in rows]


def _beside(row: Mapping[str, Any]) -> Beside:
    entry = Entry(
        id=str(row["id"]),
        canvas=row["canvas"],
        person=str(row["person"]),
        moved=row["at"],
        entered=row["entered"],
        step=row["step"],
        begun=row["begun"],
        wake_at=row["wake_at"],
        phase=row["phase"],
    )
    changes = tuple(Change(*each) for each in row["changes"])
    return Beside((row["workspace"], row["person"], row["canvas"]), row["id"], entry, row["change"], changes)
