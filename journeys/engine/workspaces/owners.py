"""Who manages a content block or a template: what a publication leaves alone, and what it must not overwrite (TPL-4)."""

from __future__ import annotations

from typing import Any

from journeys.canvas.problems import Problem
from journeys.canvas.yaml_definitions import Definition, Definitions

BLOCKS = "select name, owner, description, state, tags, content from content_blocks where workspace = $1"
TEMPLATES = """
select t.name, t.owner, d.body from email_templates t
join definitions d on (d.workspace, d.kind, d.name) = (t.workspace, 'template', t.name) where t.workspace = $1
"""

Name = tuple[str, str]


async def _stand(connection: Any, workspace: int) -> dict[Name, tuple[str, dict[str, Any]]]:
    """What there is: its owner, and what it says."""
    found: dict[Name, tuple[str, dict[str, Any]]] = {}
    for row in await connection.fetch(BLOCKS, workspace):
        said = dict(row)
        found["content_block", row["name"]] = said.pop("owner"), said
    for row in await connection.fetch(TEMPLATES, workspace):
        found["template", row["name"]] = row["owner"], row["body"]
    return found


async def left_alone(connection: Any, workspace: int, given: Definitions) -> set[Name]:
    """The definitions that change nothing: they say that the API manages what is there, or say what it says already."""
    stand = await _stand(connection, workspace)
    found: set[Name] = set()
    for kind, one in _managed(given):
        owner, said = stand.get((kind, one.name), ("", {}))
        if owner and (one.value.owner == "api" or (owner == "api" and _same(one, said))):
            found.add((kind, one.name))
    return found


async def overwriting(connection: Any, workspace: int, given: Definitions) -> list[Problem]:
    """J313: the definitions that would overwrite what the API manages, without saying so."""
    stand = await _stand(connection, workspace)
    found = []
    for kind, one in _managed(given):
        owner, said = stand.get((kind, one.name), ("", {}))
        if owner == "api" and one.value.owner is None and not _same(one, said):
            message = f"the {kind.replace('_', ' ')} “{one.name}” is managed by the API, and this file says otherwise"
            hint = "write owner: file to take it back, or owner: api to leave it as it is"
            found.append(Problem("J313", one.places.where(("name",)), message, hint))
    return found


def _managed(given: Definitions) -> list[tuple[str, Definition]]:
    return [
        (kind, one)
        for kind in ("content_block", "template")
        for one in given.of(kind).values()
        if hasattr(one.value, "owner")
    ]


def _same(one: Definition, said: dict[str, Any]) -> bool:
    written: dict[str, Any] = one.value.model_dump(mode="json", exclude={"owner"})
    return written == {name: value for name, value in said.items() if name != "owner"}
