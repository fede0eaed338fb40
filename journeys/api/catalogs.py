"""`/catalogs`: catalogs, their fields and their selections (CAT-1, CAT-3 to CAT-5). A call is complete when it is answered."""

from __future__ import annotations

from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from journeys.api.rate_limits import CATALOG_FIELDS, CATALOGS
from journeys.api.requests import answer, guarded
from journeys.api.services import Services
from journeys.engine.large_requests import apart
from journeys.engine.sources.catalogs import schema
from journeys.engine.sources.catalogs.requests import catalog_of, new_fields_of, selection_of
from journeys.engine.workspaces.api_keys import Key

SUCCESS = {"message": "success"}


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


def routes() -> list[BaseRoute]:
    """The routes of catalogs without their items."""
    one = "/catalogs/{catalog}"
    return [
        Route(path, guarded(permission, work, limit), methods=[method])
        for method, path, permission, work, limit in (
            ("POST", "/catalogs", "catalogs.create", create_catalog, CATALOGS),
            ("GET", "/catalogs", "catalogs.get", list_catalogs, CATALOGS),
            ("DELETE", one, "catalogs.delete", delete_catalog, CATALOGS),
            ("POST", f"{one}/fields", "catalogs.create_fields", create_fields, CATALOG_FIELDS),
            ("DELETE", f"{one}/fields/{{field}}", "catalogs.delete_fields", delete_field, CATALOG_FIELDS),
            ("POST", f"{one}/selections", "catalogs.create_selection", create_selection, CATALOG_FIELDS),
            (
                "DELETE",
                f"{one}/selections/{{selection}}",
                "catalogs.delete_selection",
                delete_selection,
                CATALOG_FIELDS,
            ),
        )
    ]
