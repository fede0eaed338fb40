"""`preview`: a message as a person would get it, or their way through a canvas. Nothing is stored, sent or charged."""

from __future__ import annotations

import asyncio
import os
import webbrowser
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from journeys.canvas.plan import Plan
from journeys.canvas.problems import meant
from journeys.cli.addresses import database, workspace
from journeys.cli.console import out, run
from journeys.cli.entries import clock
from journeys.cli.finding import Named, the_person
from journeys.cli.options import Workspace, json_object
from journeys.cli.stop import Stop
from journeys.engine.delivery.previews import Preview, previewed
from journeys.engine.entries.previews import Given, Way, way_of
from journeys.engine.people.profiles import load
from journeys.engine.sources.connected.connected_content import ConnectedContent, connected_content
from journeys.engine.store.database import Database
from journeys.engine.store.shared_clock import read_clock
from journeys.engine.workspaces.published import Publication


def preview(
    name: str,
    *,
    person: str | None = None,
    named: Named | None = None,
    event: str | None = None,
    choose: list[str] | None = None,
    call: bool = False,
    html: Path | None = None,
    open_: Annotated[bool, Parameter("--open")] = False,
    workspace_name: Workspace = "default",
) -> int:
    """Show a message as a person would get it now, or the way that a person would take through a canvas.

    A person whom the canvas would not let in now does not enter here either: the gate is told, with what it sees.

    Nothing is stored, sent or charged, and no web service is called unless `--call` says so. Links in the mail lead where
    they lead, uncounted; a promotion code is shown as a placeholder.

    Parameters
    ----------
    name
        A published canvas or template; canvas:NAME or template:NAME where both have that name.
    person
        The person's external id; or another name of theirs, where nobody has it as external id.
    named
        Other names.
    event
        The event that brings the person in, as JSON: '{"name": "signed_up", "properties": {"plan": "pro"}}'. Its properties are
        the context of the entry. Without it an event is taken that lets people in.
    choose
        What the person does at a step that they decide, as step=path. It can be given several times.
    call
        Call the web services of Connected Content.
    html
        The file for the HTML of a mail; the template's name with .html in this folder by default.
    open_
        Open it in the browser.
    workspace_name
        The workspace.
    """

    async def work(_: asyncio.Event) -> int:
        async with database() as db, _calls(db, wanted=call) as calls:
            publication = await workspace(db, workspace_name)
            kind, what = _meant(publication, name)
            identity = await the_person(db, publication.workspace, workspace_name, person, named)
            profile = (await load(db.pool, publication.workspace, [identity], consents=True))[identity]
            now = (await read_clock(db)).now()
            given = _given(event)
            if kind == "canvas":
                plan = publication.running[what].plan
                choices = _choices(plan, choose or [])
                zone = profile.zone or publication.zone
                told = partial(clock, zone=zone)
                _show_way(await way_of(db, publication, plan, profile, now, given, choices, told), zone)
                return 0
            properties = {} if given is None else dict(given.properties)
            found = await previewed(db, publication, what, profile, now, properties, calls)
        _show_message(found, html or Path(what.replace("/", "-") + ".html"), open_=open_)
        return 0

    return run(work)


@asynccontextmanager
async def _calls(db: Database, *, wanted: bool) -> AsyncIterator[ConnectedContent | None]:
    if not wanted:
        yield None
        return
    async with connected_content(db) as calls:
        yield calls


def _meant(publication: Publication, name: str) -> tuple[str, str]:
    """Whether a canvas or a template is meant, and which."""
    there: Mapping[str, Iterable[str]] = {"canvas": publication.running, "template": publication.templates}
    kind, colon, rest = name.partition(":")
    if colon and kind in there:
        if rest not in there[kind]:
            raise Stop(f"{publication.name} has no {kind} “{rest}”: {meant(rest, there[kind])}", 1)
        return kind, rest
    found = [each for each, names in there.items() if name in names]
    if len(found) > 1:
        raise Stop(f"there is a canvas and a template “{name}”: write canvas:{name} or template:{name}", 2)
    if not found:
        hint = meant(name, [*publication.running, *publication.templates])
        raise Stop(f"{publication.name} has no canvas or template “{name}”: {hint}", 1)
    return found[0], name


def _given(event: str | None) -> Given | None:
    if event is None:
        return None
    example = '{"name": "signed_up", "properties": {"plan": "pro"}}'
    said = json_object("--event", event, example)
    name, properties = said.get("name"), said.get("properties", {})
    if not isinstance(properties, dict):
        raise Stop(f"the properties in --event are an object, as in {example}", 2)
    if name is not None and not isinstance(name, str):
        raise Stop(f"the name in --event is a text, as in {example}", 2)
    return Given(name, properties)


def _choices(plan: Plan, said: list[str]) -> dict[str, str]:
    found = {}
    for each in said:
        step, _, path = each.partition("=")
        ways = list(plan.steps[step].branches()) if step in plan.steps else []
        if not ways:
            deciding = [name for name, one in plan.steps.items() if one.branches()]
            raise Stop(f"“{each}” names no step with paths: {meant(step, deciding)}", 2)
        if path not in (*ways, "otherwise"):
            raise Stop(f"the step “{step}” has no path “{path}”: {meant(path, ways)}", 2)
        found[step] = path
    return found


def _show_way(way: Way, zone: str) -> None:
    for one in way.lines:
        out.print(f"{clock(one.at, zone)}  {one.text}", markup=False, soft_wrap=True)
    for step, paths in way.could.items():
        out.print(
            f"at {step} the person could choose: {', '.join(f'--choose {step}={each}' for each in paths)}",
            markup=False,
            soft_wrap=True,
        )


def _show_message(found: Preview, place: Path, *, open_: bool) -> None:
    if found.refused:
        out.print(f"it would not leave now: {found.refused}", markup=False, soft_wrap=True)
    for name, value in found.fields.items():
        out.print(f"{name}: {value}", markup=False, soft_wrap=True)
    if found.text:
        out.print(f"\n{found.text}", markup=False, soft_wrap=True)
    if found.html is None:
        return
    try:
        with open(
            place, "w", encoding="utf-8", opener=lambda path, flags: os.open(path, flags, 0o600)
        ) as file:
            file.write(found.html)
    except OSError as error:
        raise Stop(f"{place} cannot be written: {error.strerror}", 2) from error
    out.print(f"\nthe HTML is in {place}", markup=False, soft_wrap=True)
    if open_:
        webbrowser.open(place.resolve().as_uri())
