"""The publication of a workspace: its canvases, segments, templates, blocks and settings, cached in each process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from journeys.canvas.canvas import Conversion
from journeys.canvas.definition_kinds import Template, WorkspaceSettings, parse
from journeys.canvas.events_and_commands import NOTHING, Kind
from journeys.canvas.filters import Filter
from journeys.canvas.plan import Plan
from journeys.canvas.subscription_groups import SubscriptionGroup, group_of
from journeys.engine.audience.match import compared_with, concerns, named
from journeys.engine.content import Values
from journeys.engine.core.changes import UNWATCHED, Watched, watched
from journeys.engine.core.gates import Opening, opening
from journeys.engine.core.global_control import held_out
from journeys.engine.people.profiles import Profile
from journeys.engine.store.database import Database
from journeys.engine.workspaces.liquid_values import values
from journeys.engine.workspaces.stored_plans import (
    Name,
    NotUnderstood,
    Said,
    conversions_of,
    names_in,
    plan_of,
    reason_of,
    settings_of,
    unread_through,
)

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
    """The content blocks that are in use: their content by name."""
    hears_sent: bool = True
    """Whether some plan, of today or of those who entered earlier, speaks of messages being sent."""
    compared: Mapping[tuple[str, str | None], frozenset[str]] = field(default_factory=dict)
    """The attributes that a step of some plan, of today or earlier, compares events of this kind and name with (ACT-7)."""
    aside: Mapping[str, NotUnderstood] = field(default_factory=dict)
    """The canvases that this process does not understand, by name, with the reason. They are not in `running`."""
    unread: Mapping[Name, str] = field(default_factory=dict)
    """The segments and templates that this process does not understand, or that name such a segment, and why."""
    drawn: int = 1
    """How often the global control group of the workspace was drawn."""
    groups: Mapping[str, SubscriptionGroup] = field(default_factory=dict)
    """The subscription groups by name."""
    watched: Watched = UNWATCHED
    """The changes of people that some plan, of today or of those who entered earlier, listens to (TRK-9)."""
    centres: frozenset[str] = frozenset()
    """The names of the active preference centres."""

    def canvas(self, name_or_id: str) -> Running | None:
        """A canvas by its name or by its id."""
        found = self.running.get(name_or_id)
        if found is None:
            found = next((one for one in self.running.values() if str(one.id) == name_or_id), None)
        return found

    def group(self, name_or_id: str) -> SubscriptionGroup | None:
        """A subscription group by its name or by its id."""
        return group_of(self.groups, name_or_id)

    def stands(self, name: str) -> Running:
        """A canvas that the workspace has. Raises `NotUnderstood` where this process cannot read it."""
        if name in self.aside:
            raise NotUnderstood(name, self.aside[name].reason)
        return self.running[name]

    def opening(self, running: Running, *, active: bool) -> Opening:
        """What decides who may enter this canvas now."""
        return opening(
            running.plan,
            self.company,
            active=active,
            since=running.since,
            segments=self.segments,
            held_out=self.held_out(running.plan),
        )

    def held_out(self, plan: Plan) -> frozenset[int]:
        """The buckets of the global control group, where this canvas does not let its people in (GCG-3)."""
        group = self.settings.global_control if self.settings else None
        return held_out(group, self.drawn, plan.canvas.tags)

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
        if not self.compared:
            return None
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
        centres: Mapping[str, str] = NOTHING,
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
            groups=self.groups.values(),
            centres=centres,
        )


def comparisons(plans: Iterable[Plan]) -> Mapping[tuple[str, str | None], frozenset[str]]:
    """The attributes that the steps of these plans compare events with, by the kind and name of the events (ACT-7)."""
    found: dict[tuple[str, str | None], frozenset[str]] = {}
    for plan in plans:
        for step in plan.steps.values():
            for _, trigger in step.triggers():
                found[named(trigger)] = found.get(named(trigger), frozenset()) | compared_with(trigger)
    return found


HEARS_SENT = """
select exists (select 1 from plans where workspace = $1 and jsonb_path_exists(body, '$.** ? (@.message == "sent")'))
"""
COMPARING = """
select id, canvas, body from plans
where workspace = $1 and jsonb_path_exists(body, '$.**.where[*].*.attribute ? (@.type() == "string")')
"""
CENTRES = "select name from preference_centres where workspace = $1 and state = 'active'"
DEFINITIONS = """
select kind, name, body from definitions
where workspace = $1 and kind in ('segment', 'template', 'workspace', 'subscription_group')
"""
WATCHING = """
select kind, x.listened ->> kind as name
from plans p, jsonb_path_query(p.body, '$.** ? (exists(@.changes) || exists(@.changes_to) || exists(@.changes_from)
    || @.added == true || @.person == "created")') as x(listened), unnest(array['attribute', 'consent', 'identifier', 'person']) kind
where p.workspace = $1 and jsonb_typeof(x.listened -> kind) = 'string'
"""
"""What plans listen to, those too that this process does not understand."""

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
        self._plans: dict[tuple[int, str], tuple[Plan | NotUnderstood, frozenset[Name]]] = {}
        self._said = Said()
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

    def set_aside(self) -> list[tuple[str, str, str]]:
        """The canvases that this process does not understand, of the workspaces that it has met: each with the reason."""
        return sorted(
            (held.name, name, one.reason) for held in self._held.values() for name, one in held.aside.items()
        )

    async def plan(self, workspace: int, plan_id: str) -> Plan:
        """A plan by its id, whether or not people still enter by it.

        Raises `Unknown`, and `NotUnderstood` where this process cannot read it, or a segment or template that it names.
        """
        place = (workspace, plan_id)
        if place not in self._plans:
            self._keep(place, *await self._stored(workspace, plan_id))
        plan, names = self._plans[place]
        if isinstance(plan, NotUnderstood):
            self._said.once(workspace, "canvas", plan.canvas, plan.reason)
            raise NotUnderstood(plan.canvas, plan.reason)
        held = self._held.get(workspace)
        missing = held and self._missing(plan.canvas.name, names, held.unread)
        if missing:
            self._said.once(workspace, "canvas", missing.canvas, missing.reason)
            raise missing
        return plan

    async def conversions(self, workspace: int, plan_id: str) -> Mapping[str, Conversion]:
        """The conversions of a plan by name, also where this process cannot read the rest of it."""
        try:
            plan = await self.plan(workspace, plan_id)
        except NotUnderstood:
            return conversions_of((await self._stored(workspace, plan_id))[1])
        return {each.name: each for each in plan.canvas.conversions}

    async def _stored(self, workspace: int, plan_id: str) -> tuple[str, Any]:
        """The canvas of a plan, and the plan as it is stored."""
        query = "select canvas, body from plans where workspace = $1 and id = $2"
        row = await self._db.pool.fetchrow(query, workspace, plan_id)
        if row is None:
            raise Unknown(f"the workspace has no plan {plan_id}")
        return row["canvas"], row["body"]

    def _keep(self, place: tuple[int, str], canvas: str, body: Any) -> Plan | NotUnderstood:
        if place not in self._plans:
            self._plans[place] = plan_of(canvas, place[1], body), frozenset(names_in(body))
        return self._plans[place][0]

    @staticmethod
    def _missing(canvas: str, names: frozenset[Name], unread: Mapping[Name, str]) -> NotUnderstood | None:
        for kind, name in sorted(names & unread.keys()):
            return NotUnderstood(canvas, f"the {kind} “{name}”: {unread[kind, name]}")
        return None

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
        segments: dict[str, Filter] = {}
        templates: dict[str, Template] = {}
        settings: WorkspaceSettings | None = None
        broken: dict[Name, str] = {}
        named: dict[Name, list[Name]] = {}
        groups: dict[str, SubscriptionGroup] = {}
        for kind, name, body in await connection.fetch(DEFINITIONS, workspace):
            if kind == "workspace":
                found = settings_of(body)
                settings = found if settings is None or (found and found.name == row["name"]) else settings
                continue
            named[kind, name] = list(names_in(body))
            try:
                parsed = parse(kind, body)
            except Exception as error:  # noqa: BLE001 - whatever it is: those that name it are set aside
                broken[kind, name] = reason_of(error)
                self._said.once(workspace, kind, name, broken[kind, name])
                continue
            if kind == "segment":
                segments[name] = parsed.when
            elif kind == "subscription_group":
                groups[name] = parsed
            else:
                templates[name] = parsed
        unread = unread_through(broken, named)
        running, aside = await self._canvases(connection, workspace, unread)
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
            aside,
            unread,
            row["settings"].get("global_control", {}).get("drawn", 1),  # GCG-4
            groups,
            watched((each["kind"], each["name"]) for each in await connection.fetch(WATCHING, workspace)),
            frozenset(row["name"] for row in await connection.fetch(CENTRES, workspace)),
        )

    async def _compared(
        self, workspace: int, connection: Any
    ) -> Mapping[tuple[str, str | None], frozenset[str]]:
        rows = await connection.fetch(COMPARING, workspace)
        plans = [self._keep((workspace, row["id"]), row["canvas"], row["body"]) for row in rows]
        return comparisons(plan for plan in plans if isinstance(plan, Plan))

    async def _canvases(
        self, connection: Any, workspace: int, unread: Mapping[Name, str]
    ) -> tuple[dict[str, Running], dict[str, NotUnderstood]]:
        """The canvases that this process can run, and those that it cannot."""
        running, aside = {}, {}
        for canvas in await connection.fetch(CANVASES, workspace):
            place = (workspace, canvas["plan"])
            plan = self._keep(place, canvas["name"], canvas["body"])
            if isinstance(plan, Plan):
                plan = self._missing(canvas["name"], self._plans[place][1], unread) or plan
            if isinstance(plan, Plan):
                stored = canvas["id"], canvas["name"], canvas["status"], plan, canvas["published"]
                running[canvas["name"]] = Running(*stored)
            else:
                self._said.once(workspace, "canvas", canvas["name"], plan.reason)
                aside[canvas["name"]] = plan
        return running, aside
