"""Publishes definitions to a workspace: all of them in one transaction, or none."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from uuid_utils.compat import uuid7

from journeys.canvas.definition_kinds import EmailTemplate, kind_of
from journeys.canvas.plan import compile
from journeys.canvas.problems import Problem, Refused, in_order
from journeys.canvas.yaml_definitions import Definitions
from journeys.engine.sources.catalogs import schema
from journeys.engine.store.database import Database
from journeys.engine.workspaces import content_blocks, email_templates
from journeys.engine.workspaces.canvas_changes import NotPossible, launch, record
from journeys.engine.workspaces.definition_rows import define, digest_of, raise_revision
from journeys.engine.workspaces.global_control import changed_share, settle_group
from journeys.engine.workspaces.inventory import problems_together, risen_controls, workspace_definitions
from journeys.engine.workspaces.naming import workspace_name
from journeys.engine.workspaces.owners import left_alone, overwriting
from journeys.engine.workspaces.planned_runs import arrange_runs, count_from


@dataclass(slots=True)
class Changes:
    """What a publication changed: names by kind, new and changed."""

    workspace: int
    new: list[tuple[str, str]] = field(default_factory=list)
    changed: list[tuple[str, str]] = field(default_factory=list)
    same: int = 0
    restored: list[str] = field(default_factory=list)
    """Canvases that were archived and are drafts now."""
    drafts: list[str] = field(default_factory=list)
    """Canvases among them that are drafts after it."""
    launched: list[str] = field(default_factory=list)
    """Canvases that were drafts, and are active now."""
    still_archived: list[str] = field(default_factory=list)
    missing: list[tuple[str, str]] = field(default_factory=list)
    """Canvases that the workspace has and the definitions do not, with their status; the archived are none."""
    archived: list[str] = field(default_factory=list)
    """Those of them that were archived now."""
    warnings: list[Problem] = field(default_factory=list)


MAKE = """
insert into workspaces (name, secret) values ($1, $2) on conflict (name) do update set name = excluded.name returning id
"""
PLAN = "insert into plans (workspace, id, canvas, body) values ($1, $2, $3, $4) on conflict do nothing"
CANVAS = """
insert into canvases (workspace, id, name, plan, published) values ($1, $2, $3, $4, $5)
on conflict (workspace, name) do update set plan = excluded.plan
"""
ANOTHER_LIMIT = """
update entry_counters c set stale = true from definitions d
where (c.workspace, c.canvas) = ($1, $2) and (d.workspace, d.kind, d.name) = ($1, 'canvas', $2)
    and d.body -> 'entry_limit' ->> 'per' is distinct from $3::text
"""
"""Where a canvas counts by another period than before: what did not count meanwhile is counted again."""

STATUSES = "select name, status from canvases where workspace = $1 order by name"


async def workspace_of(db: Database, name: str) -> int:
    """The id of the workspace of this name, made if new. Raises `Unnamed`."""
    return int(await db.pool.fetchval(MAKE, workspace_name(name), secrets.token_bytes(32)))


async def publish(
    db: Database,
    workspace: str,
    definitions: Definitions,
    *,
    channels: Mapping[str, Any] | None = None,
    draft: bool = False,
    restore: bool = False,
    archive_missing: bool = False,
    launch_again: Collection[str] = (),
    at: datetime | None = None,
    who: str = "",
) -> Changes:
    """Let a workspace, made if new, run these definitions. Entries keep the plan that they began with.

    What the workspace has beside them stays. With the `channels` that are installed they are checked together with it,
    and `Refused` is raised with everything that is wrong; else they must have been checked. Raises `Unnamed`, and
    `schema.Conflict` where a catalog cannot become what its file says.

    A canvas that is stopped or paused stays so. One that is archived does too, and takes the new plan, unless `restore`
    makes a draft of it. A draft is launched, unless `draft` or `restore` is said; with `draft` a new canvas is one, and
    `NotPossible` is raised where a canvas would change that is none. `archive_missing` archives the canvases that are not
    among the definitions. The canvases in `launch_again` are launched anew: their schedules count from now on, and one that
    runs at launch does so once more (ENT-11). `at` is the instant of it (in the canvas' time; the database's, where none
    is given), `who` did it.
    """
    identity = await workspace_of(db, workspace)
    changes = Changes(identity)
    async with db.transaction() as connection:
        at = at or await connection.fetchval("select clock_timestamp()")
        await connection.execute("select 1 from workspaces where id = $1 for update", identity)
        statuses = dict(await connection.fetch(STATUSES, identity))
        changes.missing = [
            (canvas, status)
            for canvas, status in statuses.items()
            if status != "archived" and canvas not in definitions.named("canvas")
        ]
        if archive_missing:
            changes.archived = [canvas for canvas, _ in changes.missing]
            for canvas in changes.archived:
                await record(connection, identity, canvas, "archive", "archived", at, who)
        if channels is not None:
            changes.warnings = await _checked(connection, identity, workspace, definitions, channels, at)
        known = await _known(connection, identity)
        left = await left_alone(connection, identity, definitions)  # TPL-4
        for definition in definitions.all():
            body = definition.value.model_dump(mode="json")
            digest = digest_of(body)
            kind, name = kind_of(definition.value), definition.name
            if (kind, name) in left:
                changes.same += 1
                continue
            before = statuses.get(name) if kind == "canvas" else None
            status = _status_after(before, draft=draft, restore=restore)
            restored, launched = before == "archived" != status, before == "draft" != status  # STA-1
            if before == "archived":
                (changes.restored if restored else changes.still_archived).append(name)
            if launched:
                changes.launched.append(name)
            if kind == "canvas" and status == "draft":
                changes.drafts.append(name)
            again = kind == "canvas" and name in launch_again
            if known.get((kind, name)) == digest and not (restored or launched or again):
                changes.same += 1
                continue
            if draft and before in ("active", "stopped", "paused"):
                raise NotPossible(
                    f"the canvas “{name}” is {before}, and --draft would change it: only new ones are drafts"
                )
            (changes.changed if (kind, name) in known else changes.new).append((kind, name))
            if kind == "canvas":
                per = body["entry_limit"] and body["entry_limit"]["per"]
                await connection.execute(ANOTHER_LIMIT, identity, name, per)
            await define(connection, identity, kind, name, digest, body, at)
            if kind == "canvas":
                plan = compile(definition.value)
                await connection.execute(PLAN, identity, plan.id, name, body)
                await connection.execute(CANVAS, identity, uuid7(), name, plan.id, at)
                data = {"plan": plan.id, **_told(restored=restored, launched=launched)}
                since = await record(connection, identity, name, "publish", status, at, who, data)
                if launched:
                    await launch(connection, identity, name, since)
                await count_from(connection, identity, plan, since, anew=again)
            if kind == "catalog":
                await schema.settle(connection, identity, definition.value)
            if kind == "content_block":
                await content_blocks.settle(connection, identity, definition.value)
            if isinstance(definition.value, EmailTemplate):
                await email_templates.settle(connection, identity, name, definition.value.owner or "file")
            if kind == "workspace":
                await connection.execute(
                    "update workspaces set zone = $2 where id = $1", identity, definition.value.zone
                )
                await settle_group(connection, identity, definition.value.global_control)
        await arrange_runs(connection, identity)
        if changes.new or changes.changed or changes.archived:
            await raise_revision(connection, identity)
    return changes


def _status_after(before: str | None, *, draft: bool, restore: bool) -> str:
    """The status of a canvas that is published, by the one that it had; None: it is new."""
    match before:
        case None:
            return "draft" if draft else "active"
        case "archived":
            return "draft" if restore else "archived"
        case "draft":
            return "draft" if draft or restore else "active"
    return before


def _told(**what: bool) -> dict[str, bool]:
    return {name: is_so for name, is_so in what.items() if is_so}


async def _checked(
    connection: Any,
    workspace: int,
    name: str,
    definitions: Definitions,
    channels: Mapping[str, Any],
    at: datetime,
) -> list[Problem]:
    """The warnings; raises `Refused` where there is more."""
    stands = await workspace_definitions(connection, workspace)
    risen = await risen_controls(connection, workspace, definitions)
    changed = await changed_share(connection, workspace, definitions)
    overwritten = await overwriting(connection, workspace, definitions)
    problems = in_order(
        [*risen, *changed, *overwritten, *problems_together(stands, definitions, channels, name, at)]
    )
    if any(not problem.warning for problem in problems):
        raise Refused(problems)
    return problems


async def _known(connection: Any, workspace: int) -> Mapping[tuple[str, str], str]:
    rows = await connection.fetch("select kind, name, hash from definitions where workspace = $1", workspace)
    return {(row["kind"], row["name"]): row["hash"] for row in rows}
