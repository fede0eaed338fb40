"""`publish` and `trigger`: commands on a workspace."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

from cyclopts import Parameter

from journeys.canvas.loading import read
from journeys.canvas.problems import Refused, meant
from journeys.canvas.yaml_definitions import Definitions
from journeys.channels.base import kinds
from journeys.cli.addresses import database, workspace
from journeys.cli.canvases import followed, user_name
from journeys.cli.console import err, out, run, show_problems
from journeys.cli.options import Workspace, json_object
from journeys.cli.stop import Stop
from journeys.engine.intake.track_objects import identifier_of
from journeys.engine.intake.triggering import CONTEXT_LIMIT, Trigger, Wanted
from journeys.engine.people.attributes import fits
from journeys.engine.people.identity import Identifier
from journeys.engine.ports import NullNotifier
from journeys.engine.sources.catalogs.schema import Conflict
from journeys.engine.store.database import Database
from journeys.engine.store.shared_clock import read_clock
from journeys.engine.workspaces.canvas_changes import NotPossible
from journeys.engine.workspaces.naming import Unnamed
from journeys.engine.workspaces.published import Published
from journeys.engine.workspaces.publishing import Changes
from journeys.engine.workspaces.publishing import publish as run_publication

NAMES = "select id, external_id from people where id = any($1::uuid[])"


def publish(
    *paths: Path,
    name: Workspace = "default",
    draft: Annotated[bool, Parameter("--draft", negative=())] = False,
    restore: Annotated[bool, Parameter("--restore", negative=())] = False,
    archive_missing: Annotated[bool, Parameter("--archive-missing", negative=())] = False,
    launch_again: Annotated[list[str] | None, Parameter("--launch-again", negative=())] = None,
) -> int:
    """Publish definitions to a workspace, which is created if needed: all of them, or none if there are problems.

    Parameters
    ----------
    paths
        Files and folders, YAML and Python; `definitions` if none is given.
    name
        The workspace.
    draft
        Make drafts of the new canvases among them: no one enters a draft. Published without it, or resumed, it is launched.
    restore
        Make drafts of archived canvases among them, and leave drafts as they are.
    archive_missing
        Archive the canvases of the workspace that are not among them, which ends their entries. Only with folders.
    launch_again
        A canvas among them whose schedule counts from now on: one that runs at launch does so once more. Can be repeated.
    """
    given = list(paths) or [Path("definitions")]
    found = read(given)
    folder = all(path.is_dir() for path in given)
    if archive_missing and not folder:
        raise Stop("--archive-missing can be used only with folders", 2)
    if archive_missing and not found.named("canvas"):
        raise Stop(f"{given[0]} has no canvas: --archive-missing would archive all canvases", 2)
    again = launch_again or []
    for one in again:
        if one not in found.named("canvas"):
            hint = meant(one, found.named("canvas")) or "there is none"
            raise Stop(f"--launch-again: no canvas “{one}” is among them ({hint})", 2)

    async def work(_: asyncio.Event) -> int:
        async with database() as db:
            clock = await read_clock(db)
            changes = await put(
                db,
                name,
                found,
                draft=draft,
                restore=restore,
                archive_missing=archive_missing,
                launch_again=again,
                at=clock.now(),
                who=user_name(),
            )
            for canvas in changes.archived:
                await followed(db, clock, changes.workspace, canvas)
        for word, names in (("new", changes.new), ("changed", changes.changed)):
            for kind, one in names:
                out.print(f"{word:<8} {kind:<13} {one}")
        _tell_of_canvases(changes, folder=folder)
        out.print(
            f"published to {name}: {len(changes.new)} new, {len(changes.changed)} changed, {changes.same} unchanged"
        )
        return 0

    return run(work)


def _tell_of_canvases(changes: Changes, *, folder: bool) -> None:
    """Print changes of the status of canvases, and canvases that are not in the folder."""
    words = (
        ("restored", changes.restored), ("launched", changes.launched), ("archived", changes.archived),
    )  # fmt: skip
    for word, names in words:
        for one in names:
            out.print(f"{word:<8} {'canvas':<13} {one}")
    if changes.still_archived:
        stay = ", ".join(changes.still_archived)
        out.print(f"still archived: {stay}; publish with --restore to make drafts of them")
    if changes.drafts:
        drafts = ", ".join(changes.drafts)
        out.print(
            f"drafts, which no one enters: {drafts}; launch one with `journeys canvas resume NAME`, or publish it again",
            soft_wrap=True,
        )
    if folder and changes.missing and not changes.archived:
        missing = ", ".join(f"{one} ({status})" for one, status in changes.missing)
        out.print(
            f"not published, and unchanged: {missing}; archive one with `journeys canvas archive NAME`, "
            "all with --archive-missing",
            soft_wrap=True,
        )


async def put(db: Database, workspace: str, found: Definitions, **options: Any) -> Changes:
    """Publish definitions, and show what they are warned of. Raises `Stop`, with all that is wrong shown.

    `options` are those of `publishing.publish`.
    """
    try:
        changes = await run_publication(db, workspace, found, channels=kinds(), **options)
    except Refused as refused:
        show_problems(refused.problems)
        count = sum(not problem.warning for problem in refused.problems)
        raise Stop(f"nothing was published: {count} problem{'s' if count > 1 else ''}") from refused
    except Conflict as conflict:
        raise Stop(f"nothing was published: {conflict}") from conflict
    except NotPossible as error:
        raise Stop(f"nothing was published: {error}") from error
    except Unnamed as error:
        raise Stop(str(error), 2) from error
    show_problems(changes.warnings)
    return changes


def trigger(
    canvas: str,
    *people: str,
    name: Workspace = "default",
    context: str = "{}",
) -> int:
    """Let people enter a canvas that is triggered by API; a running worker takes them through it.

    Parameters
    ----------
    canvas
        The canvas.
    people
        External ids.
    name
        The workspace.
    context
        Entry properties as JSON.
    """
    carried = _context(context)
    if not people:
        raise Stop("at least one person is needed: journeys trigger CANVAS EXTERNAL_ID …", 2)
    wanted = [Wanted(_named(person), carried) for person in people]

    async def work(_: asyncio.Event) -> int:
        async with database() as db:
            publication = await workspace(db, name)
            if canvas in publication.aside:
                raise Stop(str(publication.aside[canvas]))
            running = publication.canvas(canvas)
            if running is None or running.plan.canvas.schedule.api is None:
                known = [one.name for one in publication.running.values() if one.plan.canvas.schedule.api]
                raise Stop(
                    f"there is no canvas “{canvas}” that is triggered by API; known: {', '.join(known) or 'none'}",
                    2,
                )
            parts = Trigger(db, Published(db), await read_clock(db), NullNotifier(), NullNotifier())
            done = await parts.named(publication, running, str(uuid4()), wanted, None)
            names = dict(await db.pool.fetch(NAMES, [person for person, _ in done.refused]))
        out.print(f"{done.entered} entered, {len(done.refused)} refused, {len(done.unknown)} unknown")
        for who in done.unknown:
            err.print(f"unknown: {who.value}", markup=False)
        for person, reason in done.refused:
            err.print(f"refused: {names.get(person) or person}: {reason}", markup=False)
        return 0 if done.entered == len(set(people)) else 1

    return run(work)


def _context(text: str) -> dict[str, Any]:
    """Entry properties, by the rules of an API call (CTX-1)."""
    carried = json_object("--context", text, '{"article": "ten-k"}')
    if len(text.encode()) > CONTEXT_LIMIT:
        raise Stop(f"--context is larger than {CONTEXT_LIMIT // 1024} KB", 2)
    if not fits(carried):
        raise Stop("--context contains the character U+0000 or is nested too deeply", 2)
    return carried


def _named(person: str) -> Identifier:
    who = identifier_of({"external_id": person})
    if isinstance(who, str):
        raise Stop(f"“{person[:100]}” cannot be an external id: {who}", 2)
    return who
