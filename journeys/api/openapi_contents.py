"""The OpenAPI description of the routes of catalogs and content blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from journeys.canvas.catalogs import MOST_FILTERS, MOST_RESULTS, OPERATORS

TEXT = {"type": "string"}
SUCCESS = {"message": {"const": "success"}}
MESSAGE = {"type": "object", "required": ["message"], "properties": {"message": TEXT}}
NAME = {"type": "string", "maxLength": 250, "pattern": "^[A-Za-z0-9_-]+$"}
FIELD = {
    "type": "object",
    "required": ["name", "type"],
    "properties": {"name": NAME, "type": {"enum": list(OPERATORS)}},
}
FIELDS = {"type": "array", "items": FIELD}
CATALOG = {
    "type": "object",
    "required": ["name", "fields"],
    "properties": {
        "name": NAME,
        "description": {"type": "string", "maxLength": 250},
        "fields": {**FIELDS, "maxItems": 500, "description": "The first is `id`, of type string."},
    },
}
DESCRIBED = {
    "type": "object",
    "properties": {
        **CATALOG["properties"],  # type: ignore[dict-item]
        "num_items": {"type": "integer"},
        "updated_at": TEXT,
    },
}
ITEM = {
    "type": "object",
    "description": "Values by field, each of the field's type.",
    "additionalProperties": True,
}


def _items(most: int, **properties: Any) -> dict[str, Any]:
    item = {**ITEM, "properties": properties, "required": list(properties)}
    array = {"type": "array", "minItems": 1, "maxItems": most, "items": item}
    return {"type": "object", "required": ["items"], "properties": {"items": array}}


SEVERAL, ONE, IDS = _items(50, id=NAME), _items(1), _items(50, id=NAME)
FILTER = {
    "type": "object",
    "required": ["field", "operator", "value"],
    "properties": {
        "field": NAME,
        "operator": {"enum": sorted({each for allowed in OPERATORS.values() for each in allowed})},
        "value": {"description": "A value of the field's type, or Liquid that makes no calls."},
    },
}
SELECTION = {
    "type": "object",
    "required": ["selection"],
    "properties": {
        "selection": {
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": NAME,
                "description": {"type": "string", "maxLength": 250},
                "filters": {"type": "array", "maxItems": MOST_FILTERS, "items": FILTER},
                "results_limit": {"type": "integer", "minimum": 1, "maximum": MOST_RESULTS},
                "sort_field": TEXT,
                "sort_order": {"enum": ["asc", "desc"]},
            },
        }
    },
}
BLOCK = {
    "name": {"type": "string", "maxLength": 100, "pattern": "^[A-Za-z0-9_-]+$"},
    "content": {"type": "string", "description": "Liquid, at most 50 KB."},
    "description": {"type": "string", "maxLength": 250},
    "state": {"enum": ["active", "draft"], "default": "active"},
    "tags": {"type": "array", "items": TEXT},
}
REFUSED = {
    "type": "object",
    "required": ["message"],
    "properties": {
        "message": TEXT,
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "id": {"type": "string", "description": "A code, such as item-not-found."},
                    "message": TEXT,
                    "parameters": {"type": "array", "items": TEXT},
                    "parameter_values": {"type": "array"},
                },
            },
        },
    },
}


def _done(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": ["message"], "properties": {**SUCCESS, **properties}}


def _listed(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return _done(**{name: {"type": "array", "items": schema}})


def _operation(
    summary: str, permission: str, status: int, said: Mapping[str, Any], body: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    refusals = {
        "400": ("The request is not valid.", REFUSED),
        "401": ("The key is missing or not valid.", MESSAGE),
        "403": ("The key lacks the permission.", MESSAGE),
        "404": ("Not found.", REFUSED),
        "429": ("Too many requests; see x-ratelimit-reset.", MESSAGE),
    }
    answers = {str(status): ("Done.", said), **refusals}
    operation: dict[str, Any] = {
        "summary": summary,
        "description": f"Needs the permission `{permission}`.",
        "security": [{"key": []}],
        "responses": {
            code: {"description": text, "content": {"application/json": {"schema": schema}}}
            for code, (text, schema) in answers.items()
        },
    }
    if body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return operation


def _asked(name: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema}


def _path(*names: str, **operations: dict[str, Any]) -> dict[str, Any]:
    """Operations of one path, whose parts in braces have these names."""
    parameters = [{"name": name, "in": "path", "required": True, "schema": TEXT} for name in names]
    return {"parameters": parameters, **operations} if parameters else dict(operations)


def paths() -> dict[str, Any]:
    """The paths of catalogs and content blocks."""
    done, items = _done(), _listed("items", ITEM)
    one_catalog = {"type": "object", "required": ["catalogs"], "properties": {
        "catalogs": {"type": "array", "minItems": 1, "maxItems": 1, "items": CATALOG}}}  # fmt: skip
    new_fields = {
        "type": "object",
        "required": ["fields"],
        "properties": {"fields": {**FIELDS, "maxItems": 50}},
    }
    catalogs = _listed("catalogs", DESCRIBED)
    page = _operation("A page of items", "catalogs.get_items", 200, items)
    page["parameters"] = [_asked("cursor", type="string", description="As `Link` gives it.")]
    return {
        "/catalogs": _path(
            post=_operation("Create a catalog", "catalogs.create", 201, catalogs, one_catalog),
            get=_operation("All catalogs", "catalogs.get", 200, catalogs),
        ),
        "/catalogs/{catalog}": _path(
            "catalog", delete=_operation("Delete a catalog with its items", "catalogs.delete", 200, done)
        ),
        "/catalogs/{catalog}/items": _path(
            "catalog",
            get=page,
            post=_operation("Write whole items", "catalogs.add_items", 202, done, SEVERAL),
            put=_operation("Write whole items", "catalogs.replace_items", 202, done, SEVERAL),
            patch=_operation("Change items, field by field", "catalogs.update_items", 202, done, SEVERAL),
            delete=_operation("Delete items", "catalogs.delete_items", 202, done, IDS),
        ),
        "/catalogs/{catalog}/items/{item}": _path(
            *("catalog", "item"),
            get=_operation("One item", "catalogs.get_item", 200, items),
            post=_operation("Create an item", "catalogs.create_item", 201, done, ONE),
            put=_operation("Write a whole item", "catalogs.replace_item", 200, done, ONE),
            patch=_operation("Change an item", "catalogs.update_item", 200, done, ONE),
            delete=_operation("Delete an item", "catalogs.delete_item", 200, done),
        ),
        "/catalogs/{catalog}/fields": _path(
            "catalog", post=_operation("Add fields", "catalogs.create_fields", 202, done, new_fields)
        ),
        "/catalogs/{catalog}/fields/{field}": _path(
            *("catalog", "field"),
            delete=_operation("Delete a field with its values", "catalogs.delete_fields", 202, done),
        ),
        "/catalogs/{catalog}/selections": _path(
            "catalog", post=_operation("Add a selection", "catalogs.create_selection", 202, done, SELECTION)
        ),
        "/catalogs/{catalog}/selections/{selection}": _path(
            *("catalog", "selection"),
            delete=_operation("Delete a selection", "catalogs.delete_selection", 202, done),
        ),
        **_block_paths(),
    }


def _block_paths() -> dict[str, Any]:
    new = {"type": "object", "required": ["name", "content"], "properties": BLOCK}
    edit = {
        "type": "object",
        "required": ["content_block_id"],
        "properties": {"content_block_id": TEXT, "owner": {"const": "api"}, **BLOCK},
    }
    made = _done(content_block_id=TEXT, liquid_tag=TEXT, created_at=TEXT)
    edited = _done(content_block_id=TEXT, liquid_tag=TEXT, last_edited=TEXT, updated_at=TEXT)
    one = {"content_block_id": TEXT, "content_type": {"enum": ["html", "text"]}, "liquid_tag": TEXT}
    one |= {"inclusion_count": {"type": "integer"}, "created_at": TEXT, "last_edited": TEXT}
    one |= {"owner": {"enum": ["file", "api"]}}
    one |= {name: BLOCK[name] for name in ("name", "state", "tags")}
    several = _listed("content_blocks", {"type": "object", "properties": one})
    listing = _operation("Content blocks", "content_blocks.list", 200, several)
    listing["parameters"] = [
        _asked("modified_after", type="string"),
        _asked("modified_before", type="string"),
        _asked("limit", type="integer", minimum=1, maximum=1000, default=100),
        _asked("offset", type="integer", minimum=0, default=0),
    ]
    whole = {**one, "content": TEXT, "description": TEXT, "version": {"type": "integer"}}
    info = _operation("One content block", "content_blocks.info", 200, _done(**whole))
    info["parameters"] = [
        {**_asked("content_block_id", type="string"), "required": True},
        _asked("include_inclusion_data", type="boolean", default=False),
    ]
    return {
        "/content_blocks/create": {
            "post": _operation("Create a content block", "content_blocks.create", 201, made, new)
        },
        "/content_blocks/update": {
            "post": _operation("Edit a content block", "content_blocks.update", 200, edited, edit)
        },
        "/content_blocks/list": {"get": listing},
        "/content_blocks/info": {"get": info},
    }
