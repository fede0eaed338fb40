"""The publication of a workspace: its canvases, segments, templates, blocks and settings, cached in each process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from journeys.canvas.canvas import Canvas
from journeys.canvas.definition_kinds import Segment, Template, WorkspaceSettings, parse
from journeys.canvas.events_and_commands import NOTHING, Kind
from journeys.canvas.filters import Filter
from journeys.canvas.plan import Plan, compile
from journeys.engine.audience.match import compared_with, concerns, named
from journeys.engine.content import Values
from journeys.engine.core.gates import Opening, opening
from journeys.engine.people.profiles import Profile
from journeys.engine.store.database import Database
from journeys.engine.workspaces.liquid_values import values

FRESH = 1.0
"""For how long, in seconds, a process trusts what it holds before it asks whether something was published."""


class Unknown(LookupError):
    """Something that the workspace does not have."""


@dataclass(frozen=True, slots=True)
class Running:
    """A canvas of a workspace, and the plan by which people enter now. `since`: when it was first published."""

    id: UUID
    name: str
    status: str
    plan: Plan
    since: datetime


@dataclass(frozen=True, slots=True)
class Publication:
    """What one workspace runs, at one revision. `running` by canvas name; `secret` signs its links."""

    workspace: int
    name: str
    zone: str
    secret: bytes
    revision: int
    settings: WorkspaceSettings | None
    running: Mapping[str, Running]
    segments: Mapping[str, Filter]
    templates: Mapping[str, Template]
    blocks: Mapping[str, str] = field(default_factory=dict)
    """The content blocks that are in use: their content by name (B1)."""
    hears_sent: bool = True
    """Whether some plan, of today or of those who entered earlier, speaks of messages being sent."""
    compared: Mapping[tuple[str, str | None], frozenset[str]] = field(default_factory=dict)
    """The attributes that a step of some plan, of today or earlier, compares events of this kind and name with (ACT-7)."""

    def canvas(self, name_or_id: str) -> Running | None:
        """A canvas by its name or by its id."""
        found = self.running.get(name_or_id)
        if found is None:
            found = next((one for one in self.running.values() if str(one.id) == name_or_id), None)
        return found

    def opening(self, running: Running, *, active: bool) -> Opening:
        """What decides who may enter this canvas now."""
        return opening(
            running.plan,
            self.company,
            active=active,
            since=running.since,
            segments=self.segments,
        )

    def listens(self, kind: Kind, name: str) -> bool:
        """Whether a step of a canvas that runs waits for such an occurrence."""
        return any(
            concerns(trigger, kind, name)
            for running in self.running.values()
            for step in running.plan.steps.values()
            for _, trigger in step.triggers()
        )

    def compared_values(self, profile: Profile, kind: str, name: str) -> dict[str, Any] | None:
        """The attributes that steps compare such an event with, as they are now; None where no step does (ACT-7)."""
        paths = self.compared.get((kind, name), frozenset()) | self.compared.get((kind, None), frozenset())
        if not paths:
            return None
        person = profile.as_person(self.zone)
        return {path: next(iter(person.values(path)), None) for path in paths}

    @property
    def company(self) -> tzinfo:
        """The company's zone."""
        return ZoneInfo(self.zone)

    def values(
        self,
        profile: Profile,
        plan: Plan,
        step: str | None,
        variant: str | None,
        context: Mapping[str, Any],
        properties: Mapping[str, Any],
        now: datetime,
        dispatch: str = "",
        links: Mapping[str, str] = NOTHING,
    ) -> Values:
        """What Liquid sees of this person in this canvas."""
        running = self.running.get(plan.canvas.name)
        return values(
            profile,
            plan,
            step=step,
            variant=variant,
            context=context,
            properties=properties,
            now=now,
            canvas_id=str(running.id) if running else "",
            dispatch=dispatch,
            links=links,
        )


HEARS_SENT = """
select exists (select 1 from plans where workspace = $1 and jsonb_path_exists(body, '$.** ? (@.message == "sent")'))
"""
COMPARING = """
select id, body from plans
where workspace = $1 and jsonb_path_exists(body, '$.**.where[*].*.attribute ? (@.type() == "string")')
"""
READ = "select id, name, zone, settings, secret, revision from workspaces where id = $1"
CANVASES = """
select c.id, c.name, c.status, c.published, p.id as plan, p.body from canvases c
join plans p on (p.workspace, p.id) = (c.workspace, c.plan) where c.workspace = $1
"""
BLOCKS = "select name, content from content_blocks where workspace = $1 and state = 'active'"


class Published:
    """What the workspaces run, kept in this process and read again when something was published."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._held: dict[int, Publication] = {}
        self._checked: dict[int, float] = {}
        self._plans: dict[tuple[int, str], Plan] = {}
        self._reading = asyncio.Lock()

    async def of(self, workspace: int) -> Publication:
        """What this workspace runs. Raises `Unknown` where there is no such workspace."""
        held = self._held.get(workspace)
        if held is not None and time.monotonic() - self._checked[workspace] < FRESH:
            return held
        async with self._reading:
            return await self._refresh(workspace)

    async def named(self, name: str) -> Publication | None:
        """What the workspace of this name runs."""
        found = await self._db.pool.fetchval("select id from workspaces where name = $1", name)
        return None if found is None else await self.of(found)

    async def plan(self, workspace: int, plan_id: str) -> Plan:
        """A plan by its id, whether or not people still enter by it. Raises `Unknown`."""
        place = (workspace, plan_id)
        if place not in self._plans:
            query = "select body from plans where workspace = $1 and id = $2"
            body = await self._db.pool.fetchval(query, workspace, plan_id)
            if body is None:
                raise Unknown(f"the workspace has no plan {plan_id}")
            self._plans[place] = compile(Canvas.model_validate(body))
        return self._plans[place]

    async def newest(self, workspace: int, connection: Any) -> Publication:
        """What this workspace runs at this moment, read within a transaction that has met something newer."""
        row = await connection.fetchrow(READ, workspace)
        self._held[workspace] = await self._read(row, connection)
        self._checked[workspace] = time.monotonic()
        return self._held[workspace]

    def forget(self, workspace: int) -> None:
        """Read this workspace again at the next use, because this process has just published something."""
        self._checked[workspace] = float("-inf")

    async def _refresh(self, workspace: int) -> Publication:
        held = self._held.get(workspace)
        if held is not None and time.monotonic() - self._checked[workspace] < FRESH:
            return held
        row = await self._db.pool.fetchrow(READ, workspace)
        if row is None:
            raise Unknown(f"there is no workspace {workspace}")
        if held is None or held.revision != row["revision"]:
            held = self._held[workspace] = await self._read(row, self._db.pool)
        self._checked[workspace] = time.monotonic()
        return held

    async def _read(self, row: Mapping[str, Any], connection: Any) -> Publication:
        workspace = row["id"]
        running = {}
        for canvas in await connection.fetch(CANVASES, workspace):
            plan = self._plans.get((workspace, canvas["plan"])) or compile(
                Canvas.model_validate(canvas["body"])
            )
            self._plans[workspace, canvas["plan"]] = plan
            running[canvas["name"]] = Running(
                canvas["id"], canvas["name"], canvas["status"], plan, canvas["published"]
            )
        segments: dict[str, Filter] = {}
        templates: dict[str, Template] = {}
        settings: WorkspaceSettings | None = None
        query = "select kind, body from definitions where workspace = $1 and kind in ('segment', 'template', 'workspace')"
        for definition in await connection.fetch(query, workspace):
            match parse(definition["kind"], definition["body"]):
                case Segment(name=name, when=when):
                    segments[name] = when
                case WorkspaceSettings() as found:
                    settings = found if settings is None or found.name == row["name"] else settings
                case template:
                    templates[template.name] = template
        return Publication(
            workspace,
            row["name"],
            row["zone"],
            row["secret"],
            row["revision"],
            settings,
            running,
            segments,
            templates,
            dict(await connection.fetch(BLOCKS, workspace)),
            await connection.fetchval(HEARS_SENT, workspace),
            await self._compared(workspace, connection),
        )

    async def _compared(
        self, workspace: int, connection: Any
    ) -> Mapping[tuple[str, str | None], frozenset[str]]:
        found: dict[tuple[str, str | None], frozenset[str]] = {}
        for row in await connection.fetch(COMPARING, workspace):
            place = (workspace, row["id"])
            if place not in self._plans:
                self._plans[place] = compile(Canvas.model_validate(row["body"]))
            for step in self._plans[place].steps.values():
                for _, trigger in step.triggers():
                    found[named(trigger)] = found.get(named(trigger), frozenset()) | compared_with(trigger)
        return found
