"""`/catalogs`: catalogs, their fields and their selections (CAT-1, CAT-3 to CAT-5). A call is complete when it is answered."""

from __future__ import annotations

from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from journeys.api.catalog_shapes import Catalogs, NewCatalog, NewFields, NewSelection, Nothing
from journeys.api.operations import Answered, Operation, RefusedCatalogs
from journeys.api.rate_limits import CATALOG_FIELDS, CATALOGS
from journeys.api.requests import answer
from journeys.api.services import Services
from journeys.engine.large_requests import apart
from journeys.engine.sources.catalogs import schema
from journeys.engine.sources.catalogs.requests import catalog_of, new_fields_of, selection_of
from journeys.engine.workspaces.api_keys import Key

SUCCESS = {"message": "success"}

ONE = "/catalogs/{catalog}"


async def create_catalog(services: Services, key: Key, body: dict[str, Any], request: Request) -> Response:
    """Make the one catalog of the call."""
    del request
    made = await schema.create(services.db.pool, key.workspace, await apart(catalog_of, body))
    return answer(201, {"catalogs": [made], **SUCCESS})


async def list_catalogs(services: Services, key: Key, body: dict[str, Any], request: Request) -> Response:
    """All catalogs of the workspace, with the number of their items."""
    del body, request
    return answer(200, {"catalogs": await schema.listed(services.db.pool, key.workspace), **SUCCESS})


async def delete_catalog(services: Services, key: Key, body: dict[str, Any], request: Request) -> Response:
    """Delete a catalog and all in it."""
    del body
    async with services.db.transaction() as connection:
        await schema.delete(connection, key.workspace, request.path_params["catalog"])
    return answer(200, SUCCESS)


async def create_fields(services: Services, key: Key, body: dict[str, Any], request: Request) -> Response:
    """Add fields to a catalog."""
    async with services.db.transaction() as connection:
        catalog = request.path_params["catalog"]
        await schema.add_fields(connection, key.workspace, catalog, partial(new_fields_of, body))
    return answer(202, SUCCESS)


async def delete_field(services: Services, key: Key, body: dict[str, Any], request: Request) -> Response:
    """Delete a field of a catalog, and its values."""
    del body
    async with services.db.transaction() as connection:
        path = request.path_params
        await schema.drop_field(connection, key.workspace, path["catalog"], path["field"])
    return answer(202, SUCCESS)


async def create_selection(services: Services, key: Key, body: dict[str, Any], request: Request) -> Response:
    """Add a selection to a catalog."""
    async with services.db.transaction() as connection:
        catalog = request.path_params["catalog"]
        await schema.add_selection(connection, key.workspace, catalog, partial(selection_of, body))
    return answer(202, SUCCESS)


async def delete_selection(services: Services, key: Key, body: dict[str, Any], request: Request) -> Response:
    """Delete a selection of a catalog."""
    del body
    path = request.path_params
    await schema.drop_selection(services.db.pool, key.workspace, path["catalog"], path["selection"])
    return answer(202, SUCCESS)


OPERATIONS: tuple[Operation[Any], ...] = tuple(
    Operation(
        method=method,
        path=path,
        summary=summary,
        permission=f"catalogs.{permission}",
        asks=asks,
        answers=answers,
        does=does,
        status=status,
        limit=limit,
        refused=RefusedCatalogs,
    )
    for method, path, summary, permission, asks, answers, does, status, limit in (
        ("POST", "/catalogs", "Create a catalog", "create", NewCatalog, Catalogs, create_catalog, 201, CATALOGS),
        ("GET", "/catalogs", "All catalogs", "get", Nothing, Catalogs, list_catalogs, 200, CATALOGS),
        ("DELETE", ONE, "Delete a catalog with its items", "delete", Nothing, Answered, delete_catalog, 200, CATALOGS),
        ("POST", f"{ONE}/fields", "Add fields", "create_fields", NewFields, Answered, create_fields, 202, CATALOG_FIELDS),
        ("DELETE", f"{ONE}/fields/{{field}}", "Delete a field with its values", "delete_fields", Nothing, Answered, delete_field, 202, CATALOG_FIELDS),
        ("POST", f"{ONE}/selections", "Add a selection", "create_selection", NewSelection, Answered, create_selection, 202, CATALOG_FIELDS),
        ("DELETE", f"{ONE}/selections/{{selection}}", "Delete a selection", "delete_selection", Nothing, Answered, delete_selection, 202, CATALOG_FIELDS),
    )
)  # fmt: skip
