"""Loads definitions from files and folders: YAML by its text, Python by running the file that its path names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from journeys.canvas.catalogs import check_catalog
from journeys.canvas.check import check
from journeys.canvas.content_blocks import check_content_block
from journeys.canvas.filters import BucketFilter, Filter
from journeys.canvas.group_references import groups_in_canvas, groups_in_filter
from journeys.canvas.modules_beside import SOMEBODY_ELSES
from journeys.canvas.problems import Problem, Where
from journeys.canvas.python_definitions import looks_like_definitions, read_python
from journeys.canvas.segment_check import check_segment, rounds_of
from journeys.canvas.subscription_groups import check_subscription_groups
from journeys.canvas.yaml_definitions import Definitions, read_file

EVERYBODY = BucketFilter(bucket=(0, 9999))
"""Stands for the filter of a segment that cannot be read."""

SUFFIXES = (".yaml", ".yml", ".py")


def load(paths: Iterable[Path]) -> Definitions:
    """All definitions of these files and folders, with all problems except those of templates and channels.

    Segments may be named across files. What has a wrong shape is among the broken ones, and checked as far as it goes.
    """
    found = read(paths)
    found.problems += checked(found)
    return found


def read(paths: Iterable[Path]) -> Definitions:
    """All definitions of these files and folders, and what is wrong with the shape of those that are broken."""
    found = Definitions()
    nothing: dict[Path, Problem] = {}
    imported: set[Path] = set()
    for given in paths:
        empty = True
        for path in _files([given]):
            empty = False
            if path.suffix == ".py":
                ran = read_python(path, given if os.path.isdir(given) else None)  # noqa: PTH112 - as below
                definitions, problems = ran.definitions, ran.problems
                imported |= ran.imported
                if ran.nothing is not None:
                    nothing[path.resolve()] = ran.nothing
            else:
                definitions, problems = read_file(path)
            found.problems += problems
            for definition in definitions:
                found.add(definition)
        if empty:
            hint = f"definitions lie in files that end with {', '.join(SUFFIXES)}"
            found.problems.append(
                Problem("J008", Where(str(given), 0, 0), "the folder has no definition", hint)
            )
    found.problems += [problem for path, problem in nothing.items() if path not in imported]
    return found


def checked(found: Definitions) -> list[Problem]:
    """What is wrong beside their shape: graphs, and the names that they use of one another; as far as it can be read."""
    segments: dict[str, Filter] = dict.fromkeys(found.named("segment"), EVERYBODY)
    segments |= {name: one.value.when for name, one in found.segments.items()}
    problems: list[Problem] = []
    groups = found.named("subscription_group")
    for one in found.drafts():
        problems += check(one.value, one.places, segments)
        problems += groups_in_canvas(one.value, one.places, groups)
    rounds = rounds_of(segments)
    for one in found.segments.values():
        problems += check_segment(one.name, one.value.when, one.places, segments, rounds)
        problems += groups_in_filter(one.value.when, ("when",), one.places, groups)
    for one in found.catalogs.values():
        problems += check_catalog(one.value, one.places)
    for one in found.content_blocks.values():
        problems += check_content_block(one.value, one.places)
    problems += check_subscription_groups(
        (one.value, one.places) for one in found.subscription_groups.values()
    )
    return problems


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if os.path.isdir(path):  # noqa: PTH112 - a name that is too long is none, and no error
            inner = sorted(each for each in path.rglob("*") if each.suffix in SUFFIXES and each.is_file())
            for each in inner:
                inside = each.relative_to(path).parts
                hidden = any(part.startswith((".", "__")) or part in SOMEBODY_ELSES for part in inside)
                if not hidden and (each.suffix != ".py" or looks_like_definitions(each)):
                    yield each
        else:
            yield path
