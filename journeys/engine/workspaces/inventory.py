"""The definitions of a workspace: what is published is checked together with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from journeys.canvas.content_blocks import ContentBlock
from journeys.canvas.definition_kinds import KINDS, parse
from journeys.canvas.problems import Problem, in_order
from journeys.canvas.source_positions import Places
from journeys.canvas.yaml_definitions import Definition, Definitions
from journeys.engine.workspaces.validate import problems_of

STORED = """
select kind, name, body from definitions d where workspace = $1 and kind <> 'content_block'
    and not (kind = 'canvas' and exists (select from canvases c
        where (c.workspace, c.name) = (d.workspace, d.name) and c.status = 'archived'))
"""
"""Whatever else is published may break an archived canvas: it is checked when it is published again."""

CATALOGS = "select name, description, fields from catalogs where workspace = $1"
PROMOTIONS = "select name from promotion_lists where workspace = $1"
BLOCKS = "select name, description, state, tags, content from content_blocks where workspace = $1"


async def workspace_definitions(connection: Any, workspace: int) -> Definitions:
    """What the workspace has: from files, or made by API. What this version cannot read is left out."""
    found = Definitions()
    for row in await connection.fetch(STORED, workspace):
        _add(found, row["kind"], row["name"], row["body"])
    for row in await connection.fetch(CATALOGS, workspace):
        if row["name"] not in found.catalogs:
            _add(found, "catalog", row["name"], dict(row))
    for row in await connection.fetch(BLOCKS, workspace):
        block = ContentBlock.model_construct(**{**row, "tags": tuple(row["tags"])})
        found.add(Definition("content_block", block, _nowhere("content_block", row["name"])))
    found.promotions = frozenset(row["name"] for row in await connection.fetch(PROMOTIONS, workspace))
    return found


def _add(found: Definitions, kind: str, name: str, body: Any) -> None:
    try:
        found.add(Definition(kind, parse(kind, body), _nowhere(kind, name)))
    except (ValidationError, KeyError):
        return


def _nowhere(kind: str, name: str) -> Places:
    running = "the running canvas" if kind == "canvas" else f"the published {kind.replace('_', ' ')}"
    return Places(f"{running} “{name}”", 0)


def problems_together(
    stands: Definitions,
    given: Definitions,
    channels: Mapping[str, Any],
    workspace: str,
    now: datetime | None = None,
) -> list[Problem]:
    """What is wrong with definitions that are given, and what they would break of those that stand.

    What is given replaces what has the same kind and name. What was wrong before is left as it is. `now`: what
    instants are held against; None: the time of this machine.
    """
    before = {problem.identity for problem in problems_of(stands, channels, now)}
    together = Definitions(broken=given.broken, promotions=stands.promotions)
    for kind in KINDS:
        together.of(kind).update(stands.of(kind) | given.of(kind))
    after = [*given.problems, *_settings(given, workspace), *problems_of(together, channels, now, stands)]
    return in_order(problem for problem in after if problem.identity not in before)


CONTROLS = """
select name, coalesce((select sum((v->>'weight')::float8) from jsonb_array_elements(body->'variants') v
    where (v->>'control')::bool), 0) as share
from definitions where workspace = $1 and kind = 'canvas'
"""


async def risen_controls(connection: Any, workspace: int, given: Definitions) -> list[Problem]:
    """J406: canvases, archived ones too, whose control group would be larger than it is (VAR-4)."""
    shares = dict(await connection.fetch(CONTROLS, workspace))
    found = []
    for name, one in given.canvases.items():
        for place, variant in enumerate(one.value.variants):
            if variant.control and name in shares and variant.weight > shares[name]:  # VAR-4
                where = one.places.where(("variants", place, "weight"))
                message = f"the control group of “{name}” has {shares[name]:g} per cent of the people, not {variant.weight:g}"
                hint = "it can be made smaller only: who has had messages is no control; publish a canvas of another name"
                found.append(Problem("J406", where, message, hint))
    return found


def _settings(given: Definitions, workspace: str) -> Iterator[Problem]:
    """J309"""
    for one in given.workspaces.values():
        if one.name != workspace:
            message = f"these are the settings of the workspace “{one.name}”, not of “{workspace}”"
            hint = f"write name: {workspace}, or publish with --workspace {one.name}"
            yield Problem("J309", one.places.where(("name",)), message, hint)
