"""Checks definitions against each other and against what is installed, and parses their templates."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from journeys.canvas.check import messages, site
from journeys.canvas.definition_kinds import LIQUID, EmailTemplate
from journeys.canvas.frozen_model import is_liquid
from journeys.canvas.loading import checked, read
from journeys.canvas.occurrences import LATEST_ZONE, occurrences
from journeys.canvas.problems import Problem, in_order, meant
from journeys.canvas.source_positions import Path as Place
from journeys.canvas.source_positions import Places
from journeys.canvas.steps import Delay, UserUpdate
from journeys.canvas.steps.delay import LONGEST
from journeys.canvas.steps.user_update import Increment
from journeys.canvas.yaml_definitions import Definition, Definitions
from journeys.engine.clock import Clock
from journeys.engine.content import Template, compile, compile_html
from journeys.engine.content.content_blocks import LEVELS
from journeys.engine.content.known_names import UNSUBSCRIBE
from journeys.engine.content.lint import ANY, Setting, lint
from journeys.engine.people.attributes import Refused as Unkept
from journeys.engine.people.attributes import kept_properties
from journeys.engine.people.standard_attributes import faults, look_alikes
from journeys.engine.sources.catalogs.requests import value_faults

NO_CHANGES = frozenset({"decrement", "decrease", "increase"})
"""What is written for an `increment` by mistake; it would be kept as an object."""

ABSENT = ("J301", "J304", "J311", "J314")
"""Problems that are none where a workspace has what the files do not: templates, segments, blocks, catalogs, groups."""


def validate(paths: Sequence[Path], channels: Mapping[str, Any]) -> Definitions:
    """All definitions of these files, and everything that is wrong with them. `channels`: those that are installed."""
    found = read(paths)
    found.problems += problems_of(found, channels)
    found.problems = in_order(found.problems)
    return found


def problems_of(
    found: Definitions,
    channels: Mapping[str, Any],
    now: datetime | None = None,
    stands: Definitions | None = None,
) -> list[Problem]:
    """Everything that is wrong with definitions beside their shape, where these are all that there are.

    `now`: what instants are held against; None: the time of this machine. `stands`: what the workspace has that they
    are published to, where that is known: a schedule that is past must not be new to it (ENT-5).
    """
    problems = checked(found)
    setting = _setting(found)
    for template in found.templates.values():
        problems += _template(template, found, channels, setting)
    for one in (*found.content_blocks.values(), *found.broken):
        problems += _sources(one, setting)
    for catalog in found.catalogs.values():
        problems += _catalog(catalog)
    templates = {name: one.value for name, one in found.templates.items()}
    broken = found.named("template") - set(templates)
    now = now or Clock().now()
    companies = [one.value.zone for one in found.workspaces.values()]
    for canvas in found.drafts():
        problems += _canvas(canvas, templates, broken, channels, setting)
        problems += _delays(canvas, now)
        problems += _updates(canvas)
        problems += _past(canvas, now, companies[0] if companies else LATEST_ZONE, stands)
    for definition in found.all():
        problems += _not_run(definition)
    return problems


def _template(
    template: Definition, found: Definitions, channels: Mapping[str, Any], setting: Setting
) -> Iterator[Problem]:
    value, places = template.value, template.places
    if value.channel not in channels:
        message = f"the channel “{value.channel}” is not installed"
        yield Problem("J303", places.where(("channel",)), message, meant(value.channel, channels))
    yield from _sources(template, setting)
    if isinstance(value, EmailTemplate) and not _way_out(value, found):
        message = "the mail has no unsubscribe link"
        yield Problem(
            "J901", places.where(("html",), key=True), message, "write {{${set_user_to_unsubscribed_url}}}"
        )


def _sources(one: Definition, known: Setting) -> Iterator[Problem]:
    """What is wrong with the Liquid of a template or content block, of one that cannot be used too."""
    if one.kind not in LIQUID:
        return
    value = one.value
    setting = replace(known, channel=ANY if one.kind == "content_block" else value.channel or ANY)
    for path, source in value.sources().items():
        removed = path == ("html",) and getattr(value, "html_comments", "removed") == "removed"
        yield from _liquid_of(path, source, one.places, setting, compile_html if removed else compile)


def _not_run(one: Definition) -> Iterator[Problem]:
    """Liquid where none is run: in keys, names, filters, and in whatever else is no text of a message or step."""
    if one.kind == "canvas":
        steps = site(one.value, one.places).steps
        run = {(*path, *below) for path, step in steps for below in step.sources()}
    elif one.kind == "catalog":
        run = {
            ("selections", place, "filters", each, "value")
            for place, selection in enumerate(one.value.selections)
            for each in range(len(selection.filters))
        }
    else:
        run = set(one.value.sources()) if one.kind in LIQUID else set()
    for path, key in _liquid_in(one.value.model_dump(mode="json"), ()):
        if (key or path not in run) and path[0] != "description":
            yield Problem(
                "J913",
                one.places.where(path, key=key),
                "Liquid is not run here: it stays as it is",
                "write plain text",
            )


def _liquid_in(value: Any, path: Place) -> Iterator[tuple[Place, bool]]:
    """Where Liquid stands, and whether in a key."""
    if is_liquid(value):
        yield path, False
    elif isinstance(value, Mapping):
        for name, part in value.items():
            if is_liquid(name):
                yield (*path, name), True
            yield from _liquid_in(part, (*path, name))
    elif isinstance(value, list | tuple):
        for place, part in enumerate(value):
            yield from _liquid_in(part, (*path, place))


def _way_out(mail: EmailTemplate, found: Definitions) -> bool:
    """Whether a mail has an unsubscribe link: in its raw text, comments and all (L8), or in a block that it shows."""
    level, seen = [mail.html, mail.text or ""], set[str]()
    for _ in range(LEVELS + 1):
        if any(_WAY_OUT.search(text) for text in level):
            return True
        names = {name for text in level for name in _NAMED.findall(text)} - seen
        seen |= names
        level = [found.content_blocks[name].value.content for name in names & found.content_blocks.keys()]
    return False


_NAMED = re.compile(r"\$\{([^{}]*)\}")
_WAY_OUT = re.compile(rf"\$\{{\s*(?:{'|'.join(sorted(UNSUBSCRIBE))})\s*\}}")


def _setting(found: Definitions) -> Setting:
    """What a template may name: the blocks and catalogs that there are, and the promotion lists where they are known."""
    selections = {name: [each.name for each in one.value.selections] for name, one in found.catalogs.items()}
    groups = found.named("subscription_group") | {
        one.value.api_id for one in found.subscription_groups.values()
    }
    blocks, catalogs = found.named("content_block"), found.named("catalog")
    return Setting(None, blocks, catalogs, selections, found.promotions, groups)


def _liquid_of(
    path: Place,
    source: str,
    places: Places,
    setting: Setting,
    compiler: Callable[[str], Template] = compile,
) -> Iterator[Problem]:
    """What is wrong with a piece of Liquid, at its line and column of the file."""
    for one in lint(source, setting, compiler):
        yield Problem(one.code, places.within(path, one.line, one.column), one.message, one.hint)


def _catalog(catalog: Definition) -> Iterator[Problem]:
    types = {each.name: each.type for each in catalog.value.fields}
    for place, selection in enumerate(catalog.value.selections):
        for fault in value_faults(selection, types):
            where = catalog.places.where(("selections", place, *fault.path))
            yield Problem("J307", where, fault.message, fault.hint)


def _delays(canvas: Definition, now: datetime) -> Iterator[Problem]:
    """Delays until an instant that lies further ahead than a delay may hold (X6)."""
    for path, step in site(canvas.value, canvas.places).steps:
        if isinstance(step, Delay) and step.too_late(now):
            where = canvas.places.where((*path, "until"))
            message = f"this instant is more than {LONGEST.days} days ahead, longer than a delay can be"
            yield Problem("J403", where, message, "split it into several, or publish it later")


def _updates(canvas: Definition) -> Iterator[Problem]:
    """J100 and J918: what a user update would not write, whoever it is about, and names that are hardly meant (UPD-1)."""
    for path, step in site(canvas.value, canvas.places).steps:
        if not isinstance(step, UserUpdate):
            continue
        for name, change in step.attributes.items():
            value = change.increment if isinstance(change, Increment) else change
            where = canvas.places.where((*path, "attributes", name))
            if isinstance(change, Mapping) and len(change) == 1 and set(change) <= NO_CHANGES:
                hint = "write {increment: 1}, or {increment: -1}"
                yield Problem("J100", where, f"“{next(iter(change))}” is no change of a number", hint)
                continue
            for said in () if any(_liquid_in(value, ())) else faults({name: value}):
                yield Problem("J100", where, f"the update would not be written: {said}")
            for said in look_alikes({name: value}):
                yield Problem("J918", where, said)
        for place, event in enumerate(step.events):
            where = canvas.places.where((*path, "events", place, "properties"))
            fixed = {
                name: value for name, value in event.properties.items() if not any(_liquid_in(value, ()))
            }
            try:
                _, remarks = kept_properties(fixed)
            except Unkept as refused:
                remarks = [str(refused)]
            for said in remarks:
                yield Problem("J100", where, f"the event would not have it: {said}")


def _past(canvas: Definition, now: datetime, company: str, stands: Definitions | None) -> Iterator[Problem]:
    """J407, J915 and J916: schedules whose time has come already, everywhere or in some zones (ENT-5, ENT-8).

    Where a workspace has a canvas with this schedule, it has run by it.
    """
    schedule, places = canvas.value.schedule, canvas.places
    known = stands.canvases.get(canvas.name) if stands is not None else None
    if not schedule.by_clock or (known is not None and known.value.schedule == schedule):
        return
    following = next(occurrences(schedule, company, now), None)
    if following is None:
        where = places.where(("schedule", "once" if schedule.once else "ends"))
        code = "J915" if stands is None else "J407"  # ENT-5
        yield Problem(code, where, "nobody would enter: this time is past", "write a later one")
    elif schedule.once and following.first < now:  # ENT-8
        message = "this local time is past in some zones: their people do not enter"
        yield Problem("J916", places.where(("schedule", "once")), message, "publish it a day ahead")


def _canvas(
    canvas: Definition,
    templates: Mapping[str, Any],
    broken: frozenset[str],
    channels: Mapping[str, Any],
    setting: Setting,
) -> Iterator[Problem]:
    """`broken`: the names of templates that cannot be used."""
    places = canvas.places
    for path, step in messages(canvas.value, places):
        if step.channel not in channels:
            message = f"the channel “{step.channel}” is not installed"
            yield Problem("J303", places.where((*path, "channel")), message, meant(step.channel, channels))
        template = templates.get(step.template)
        if template is None and step.template not in broken:
            message = f"there is no template “{step.template}”"
            yield Problem("J301", places.where((*path, "template")), message, meant(step.template, templates))
        elif template is not None and template.channel != step.channel and step.channel in channels:
            message = f"the template “{step.template}” is for {template.channel}, the step “{step.id}” for {step.channel}"
            yield Problem("J303", places.where((*path, "template")), message)
    for path, each in site(canvas.value, places).steps:
        for below, source in each.sources().items():
            yield from _liquid_of((*path, *below), source, places, setting)
