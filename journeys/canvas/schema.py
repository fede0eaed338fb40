"""The JSON schema that editors complete and check definitions with; generated from the models."""

from __future__ import annotations

import json
from typing import Any

from journeys.canvas.definition_kinds import FORMAT, KINDS
from journeys.canvas.field_docs import meanings, models


def schema() -> dict[str, Any]:
    """The schema of a definition of any kind."""
    kinds = []
    definitions: dict[str, Any] = {}
    said = {model.__name__: meanings(model) for model in models()}
    for kind, adapter in KINDS.items():
        one = adapter.json_schema(ref_template="#/$defs/{model}")
        definitions.update(one.pop("$defs", {}))
        _describe(said.get(one.get("title", ""), {}), one)
        kinds.append(_with_kind(kind, one, definitions))
    for name, definition in definitions.items():
        _describe(said.get(name, {}), definition)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Definitions of Journeys",
        "oneOf": kinds,
        "$defs": definitions,
    }


def _describe(said: dict[str, str], definition: dict[str, Any]) -> None:
    """Let the keys say what they mean, for editors to show."""
    keys = definition.get("properties", {})
    for name in keys.keys() & said.keys():
        keys[name]["description"] = said[name]


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
