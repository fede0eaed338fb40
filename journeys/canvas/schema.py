"""The JSON schema that editors complete and check definitions with; generated from the models."""

from __future__ import annotations

import json
from typing import Any

from journeys.canvas.definition_kinds import FORMAT, KINDS


def schema() -> dict[str, Any]:
    """The schema of a definition of any kind."""
    kinds = []
    definitions: dict[str, Any] = {}
    for kind, adapter in KINDS.items():
        one = adapter.json_schema(ref_template="#/$defs/{model}")
        definitions.update(one.pop("$defs", {}))
        kinds.append(_with_kind(kind, one, definitions))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Definitions of Journeys",
        "oneOf": kinds,
        "$defs": definitions,
    }


def _with_kind(kind: str, one: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """The schema of one kind, with `kind` and `format` that stand in its file."""
    if "oneOf" in one or "anyOf" in one:
        members = one.get("oneOf") or one["anyOf"]
        return {
            "oneOf": [_with_kind(kind, _resolved(member, definitions), definitions) for member in members]
        }
    properties = {"kind": {"const": kind}, "format": {"const": FORMAT}, **one.get("properties", {})}
    required = ["kind", "format", *one.get("required", [])]
    if "channel" in one.get("properties", {}):
        required.append("channel")
    return {**one, "properties": properties, "required": sorted(set(required))}


def _resolved(member: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    name = member.get("$ref", "").rpartition("/")[2]
    return dict(definitions[name]) if name else member


def text() -> str:
    """The schema as it is kept in `journeys.schema.json`."""
    return json.dumps(schema(), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
