"""Entry by API: for named people, or for an audience page by page; repeated calls enter nobody twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from journeys.canvas.filters import AllOf, Filter
from journeys.engine.admission import Entrant, admit
from journeys.engine.audience.match import matches, needs
from journeys.engine.clock import Clock
from journeys.engine.people.identify import Identifier, resolve
from journeys.engine.people.profiles import SELECT, history, load, lock, profile_of
from journeys.engine.people.track import track
from journeys.engine.ports import Bell, Teller
from journeys.engine.published import Publication, Published, Running
from journeys.engine.store.database import Database

PAGE = 500
"""So many people of a broadcast are taken in one transaction."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One recipient of a call."""

    who: Identifier
    context: Mapping[str, Any] = field(default_factory=dict)
    attributes: Mapping[str, Any] | None = None
    existing_only: bool = True


@dataclass(slots=True)
class Triggered:
    """How many entered, and whom the canvas refused."""

    entered: int = 0
    refused: list[tuple[UUID, str]] = field(default_factory=list)


@dataclass(slots=True)
class Trigger:
    """The parts that a trigger needs."""

    db: Database
    published: Published
    clock: Clock
    teller: Teller
    bell: Bell

    async def named(
        self,
        publication: Publication,
        running: Running,
        dispatch_id: str,
        recipients: Sequence[Wanted],
        audience: Filter | None,
    ) -> Triggered:
        """Let named people in. Their attributes are written first (ENT-23); who is named twice counts once (ENT-24)."""
        once = {wanted.who: wanted for wanted in recipients}
        await self._write_attributes(publication.workspace, list(once.values()))
        result = Triggered()
        async with self.db.transaction() as connection:
            found = await resolve(connection, publication.workspace, dict.fromkeys(once, False))
            profiles = await load(connection, publication.workspace, set(found.values()))
            people: dict[UUID, Wanted] = {found[who]: wanted for who, wanted in once.items() if who in found}
            if audience is not None:
                welcome = await self._matching(connection, publication, audience, list(profiles.values()))
                people = {person: wanted for person, wanted in people.items() if person in welcome}
            entrants = [
                Entrant(
                    profile=profiles[person],
                    key=f"api:{dispatch_id}",
                    at=self.clock.now(),
                    context=dict(wanted.context),
                )
                for person, wanted in people.items()
            ]
            admission = await admit(connection, publication, running, self.clock, entrants)
        self._after(admission)
        result.entered, result.refused = len(admission.entries), admission.refused
        return result

    async def _write_attributes(self, workspace: int, recipients: Sequence[Wanted]) -> None:
        objects = []
        for wanted in recipients:
            if wanted.attributes is None:
                continue
            sort, value = wanted.who.sort, wanted.who.value
            name: dict[str, Any] = {sort: value}
            if sort == "user_alias":
                label, alias = wanted.who.alias
                name = {"user_alias": {"alias_label": label, "alias_name": alias}}
            objects.append({**wanted.attributes, **name, "_update_existing_only": wanted.existing_only})
        if objects:
            body = {"attributes": objects}
            await track(self.db, self.published, self.clock, self.teller, self.bell, workspace, body)

    async def _matching(
        self, connection: Any, publication: Publication, audience: Filter, profiles: Sequence[Any]
    ) -> set[UUID]:
        wanted = needs([audience], publication.segments)
        now = self.clock.now()
        people = [profile.id for profile in profiles]
        pasts = await history(connection, publication.workspace, people, wanted, now)
        return {
            profile.id
            for profile in profiles
            if matches(
                audience,
                profile.as_person(publication.zone, pasts.get(profile.id)),
                now=now,
                segments=publication.segments,
            )
        }

    async def page(
        self,
        publication: Publication,
        running: Running,
        dispatch_id: str,
        audience: Filter | None,
        context: Mapping[str, Any],
        after: UUID | None,
    ) -> tuple[Triggered, UUID | None]:
        """One page of a broadcast, in one transaction; and the person after whom the next begins (None: it was the last).

        The entries' keys come from the dispatch, so that a page that is run again enters nobody twice.
        """
        query = f"select {SELECT} from people p where p.workspace = $1 and ($2::uuid is null or p.id > $2) order by p.id limit $3"  # noqa: S608
        rows = await self.db.pool.fetch(query, publication.workspace, after, PAGE)
        profiles = [profile_of(publication.workspace, row) for row in rows]
        both = [each for each in (audience, running.plan.canvas.audience) if each is not None]
        wanted = AllOf(all=tuple(both)) if both else None
        result = Triggered()
        async with self.db.transaction() as connection:
            if wanted is not None and profiles:
                welcome = await self._matching(connection, publication, wanted, profiles)
                profiles = [profile for profile in profiles if profile.id in welcome]
            await lock(connection, publication.workspace, [profile.id for profile in profiles])
            entrants = [
                Entrant(
                    profile=profile,
                    key=f"api:{dispatch_id}",
                    at=self.clock.now(),
                    context=dict(context),
                    priority=3,
                )
                for profile in profiles
            ]
            admission = await admit(connection, publication, running, self.clock, entrants)
        self._after(admission)
        result.entered, result.refused = len(admission.entries), admission.refused
        return result, rows[-1]["id"] if len(rows) == PAGE else None

    def _after(self, admission: Any) -> None:
        self.teller.tell(admission.untold)
        for channel in admission.channels:
            self.bell.ring(channel)
