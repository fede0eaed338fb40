"""Loads definitions from files and folders: YAML by its text, Python by running the file that its path names."""

from __future__ import annotations

import importlib.util
import os
import sys
import traceback
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

from journeys.canvas.canvas import Canvas
from journeys.canvas.catalogs import Catalog, check_catalog
from journeys.canvas.check import check, check_segment
from journeys.canvas.content_blocks import ContentBlock, check_content_block
from journeys.canvas.filters import BucketFilter, Filter
from journeys.canvas.kinds import (
    ChannelTemplate,
    EmailTemplate,
    Segment,
    WebhookTemplate,
    WorkspaceSettings,
    kind_of,
)
from journeys.canvas.places import Places
from journeys.canvas.problems import Problem, Where
from journeys.canvas.text import Definition, Definitions, read_file

VALUES = (
    Canvas,
    Segment,
    EmailTemplate,
    WebhookTemplate,
    ChannelTemplate,
    ContentBlock,
    Catalog,
    WorkspaceSettings,
)
EVERYBODY = BucketFilter(bucket=(0, 9999))
"""Stands for the filter of a segment that cannot be read."""

SUFFIXES = (".yaml", ".yml", ".py")


def load(paths: Iterable[Path]) -> Definitions:
    """All definitions of these files and folders, with everything that is wrong with them but the world's part.

    Segments may be named across files. What has a wrong shape is among the broken ones, and checked as far as it goes.
    """
    found = read(paths)
    found.problems += checked(found)
    return found


def read(paths: Iterable[Path]) -> Definitions:
    """All definitions of these files and folders, and what is wrong with the shape of those that are broken."""
    found = Definitions()
    for path in _files(paths):
        definitions, problems = read_python(path) if path.suffix == ".py" else read_file(path)
        found.problems += problems
        for definition in definitions:
            found.add(definition)
    return found


def checked(found: Definitions) -> list[Problem]:
    """What is wrong beside their shape: graphs, and the names that they use of one another; as far as it can be read."""
    segments: dict[str, Filter] = dict.fromkeys(found.named("segment"), EVERYBODY)
    segments |= {name: one.value.when for name, one in found.segments.items()}
    problems: list[Problem] = []
    for one in found.drafts():
        problems += check(one.value, one.places, segments)
    for one in found.segments.values():
        problems += check_segment(one.name, one.value.when, one.places, segments)
    for one in found.catalogs.values():
        problems += check_catalog(one.value, one.places)
    for one in found.content_blocks.values():
        problems += check_content_block(one.value, one.places)
    return problems


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if os.path.isdir(path):  # noqa: PTH112 - a name that is too long is none, and no error
            inner = sorted(each for each in path.rglob("*") if each.suffix in SUFFIXES and each.is_file())
            yield from (
                each for each in inner if not any(part.startswith((".", "__")) for part in each.parts)
            )
        else:
            yield path


def read_python(path: Path) -> tuple[list[Definition], list[Problem]]:
    """The definitions at the top level of a Python file. The file is run, by its path, under a name of its own."""
    name = f"journeys_definitions_{blake2b(str(path.resolve()).encode(), digest_size=6).hexdigest()}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not os.path.isfile(path):  # noqa: PTH113 - as above
        return [], [Problem("J001", Where(str(path)), "the file cannot be read")]
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - it is somebody else's program
        return [], [
            Problem("J006", _line_of(error, path), f"the file failed: {type(error).__name__}: {_said(error)}")
        ]
    finally:
        sys.modules.pop(name, None)
    values = _top_level(module)
    if not values:
        return [], [Problem("J006", Where(str(path)), "the file holds no definition at its top level")]
    lines = path.read_text(encoding="utf-8").count("\n") + 1
    return [Definition(kind_of(value), value, Places(str(path), lines)) for value in values], []


def _top_level(module: Any) -> list[Any]:
    seen: dict[int, Any] = {}
    for name, value in vars(module).items():
        if isinstance(value, VALUES) and not name.startswith("_"):
            seen[id(value)] = value
    return list(seen.values())


def _line_of(error: BaseException, path: Path) -> Where:
    if isinstance(error, SyntaxError):
        return Where(str(path), error.lineno or 1, error.offset or 1)
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).resolve() == path.resolve()
    ]
    return Where(str(path), (frames[-1].lineno or 1) if frames else 1)


def _said(error: BaseException) -> str:
    return str(error).strip().split("\n")[0][:300]
