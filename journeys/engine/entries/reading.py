"""What is read of people while their entries are driven, as an interface; and how the store answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from journeys.engine.audience.match import Needs
from journeys.engine.people.profiles import History, Profile, history, read_consents

Place = tuple[int, UUID, str, str, int]
"""Workspace, person, canvas, step, and the number of an event."""

HOLDERS = """
select h.workspace, h.person, h.canvas, h.step, h.no, h.entry from hearings h
join unnest($1::int[], $2::uuid[], $3::text[], $4::text[], $5::bigint[]) as s(workspace, person, canvas, step, no)
    on (h.workspace, h.person, h.canvas, h.step, h.no) = (s.workspace, s.person, s.canvas, s.step, s.no)
"""


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
