"""Reads definitions, checks them as a publication does, and makes of them what a workspace runs, without a database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from journeys.canvas.definition_kinds import kind_of
from journeys.canvas.loading import SUFFIXES, read
from journeys.canvas.plan import compile
from journeys.canvas.problems import Problem, Refused, in_order, meant
from journeys.canvas.source_positions import Places
from journeys.canvas.yaml_definitions import Definition, Definitions, read_text
from journeys.engine.core.changes import watched_by
from journeys.engine.workspaces.published import Publication, Running, comparisons
from journeys.engine.workspaces.validate import problems_of

WORKSPACE = 1
SECRET = b"a secret that signs links in tests alone"

Given = Any
"""A file or folder, a text in YAML, a definition in Python, or several of these."""


def identity(*names: object) -> UUID:
    """An id that is the same in each run."""
    return uuid5(NAMESPACE_URL, "journeys.testing/" + "/".join(map(str, names)))


def definitions_of(given: Given, folders: Sequence[Path] = ()) -> Definitions:
    """The definitions that are given. `folders`: where else than here a path is looked for."""
    found = Definitions()
    for one in given if isinstance(given, list | tuple) else [given]:
        if isinstance(one, str) and "\n" in one:
            several, problems = read_text(one)
            found.problems += problems
            for each in several:
                found.add(each)
        elif isinstance(one, str | Path):
            _take(found, _read(_path(one, folders)))
        else:
            found.add(Definition(kind_of(one), one, Places(f"the {kind_of(one)} “{one.name}”", 0)))
    return found


def _read(path: Path) -> Definitions:
    """The definitions of a file or folder: read once for all tests, and again when a file has changed."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path] if path.exists() else []
    states = ((file, file.stat()) for file in files if file.suffix in SUFFIXES)
    key = tuple((str(file), state.st_mtime_ns, state.st_size) for file, state in states)
    if not key or any(name.endswith(".py") for name, _, _ in key):  # a program may depend on anything
        return read([path])
    if key not in _known:
        _known[key] = read([path])
    return _known[key]


_known: dict[tuple[tuple[str, int, int], ...], Definitions] = {}


def _take(found: Definitions, more: Definitions) -> None:
    found.problems += more.problems
    for each in (*more.all(), *more.broken):
        found.add(each)


def _path(given: str | Path, folders: Sequence[Path]) -> Path:
    places = [Path(given), *(folder / given for folder in folders)]
    return next((place for place in places if place.exists()), places[0])


def checked(found: Definitions, channels: Mapping[str, Any], now: datetime) -> Sequence[Problem]:
    """The warnings; raises `Refused` with all problems where there is more."""
    problems = in_order([*found.problems, *problems_of(found, channels, now)])
    if any(not problem.warning for problem in problems):
        raise Refused(problems)
    return [problem for problem in problems if problem.warning]


def publication_of(
    found: Definitions, canvases: Iterable[str] | None, since: datetime, zone: str | None
) -> Publication:
    """What a workspace runs that has these definitions, of the canvases only those that are named (None: all)."""
    wanted = list(found.canvases if canvases is None else canvases)
    for name in wanted:
        if name not in found.canvases:
            raise LookupError(f"there is no canvas “{name}” ({meant(name, found.canvases)})")
    plans = {name: compile(found.canvases[name].value) for name in wanted}
    settings = next((one.value for one in found.workspaces.values()), None)
    return Publication(
        workspace=WORKSPACE,
        name="default" if settings is None else settings.name,
        zone=zone or ("UTC" if settings is None else settings.zone),
        secret=SECRET,
        revision=1,
        settings=settings,
        running={
            name: Running(identity("canvas", name), name, "active", plan, since)
            for name, plan in plans.items()
        },
        segments={name: one.value.when for name, one in found.segments.items()},
        templates={name: one.value for name, one in found.templates.items()},
        blocks={name: one.value.content for name, one in found.content_blocks.items()},
        compared=comparisons(plans.values()),
        watched=watched_by(plans.values()),
        groups={name: one.value for name, one in found.subscription_groups.items()},
    )
