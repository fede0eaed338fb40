"""`/catalogs/{catalog}/items`: items of catalogs, one by one and up to 50 in a call (CAT-2 to CAT-4).

A call is complete when it is answered, also with the status 202.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from journeys.api.rate_limits import CATALOG_ITEM, CATALOG_ITEMS
from journeys.api.requests import Work, answer, guarded
from journeys.api.services import Services
from journeys.engine.large_requests import apart
from journeys.engine.sources.catalogs import items
from journeys.engine.sources.catalogs.schema import types_of
from journeys.engine.workspaces.api_keys import Key

SUCCESS = {"message": "success"}

Writing = Callable[[Any, int, str, items.Items], Awaitable[None]]


def _several(writing: Writing) -> Work:
    async def work(services: Services, key: Key, body: dict[str, Any], request: Request) -> Response:
        given = await apart(items.given_items, body)
        async with services.db.transaction() as connection:
            await writing(connection, key.workspace, request.path_params["catalog"], given)
        return answer(202, SUCCESS)  # CAT-3

    return work


def _one(writing: Writing, status: int) -> Work:
    async def work(services: Services, key: Key, body: dict[str, Any], request: Request) -> Response:
        given = await apart(items.given_item, body, request.path_params["item"])
        async with services.db.transaction() as connection:
            await writing(connection, key.workspace, request.path_params["catalog"], given)
        return answer(status, SUCCESS)

    return work


async def delete_items(services: Services, key: Key, body: dict[str, Any], request: Request) -> Response:
    """Delete items; those that are not there are deleted already."""
    given = await apart(items.given_items, body)
    await items.delete(services.db.pool, key.workspace, request.path_params["catalog"], list(given))
    return answer(202, SUCCESS)


async def list_items(services: Services, key: Key, body: dict[str, Any], request: Request) -> Response:
    """A page of 50 items; `Link` leads to its neighbours, by paths."""
    del body
    catalog = request.path_params["catalog"]
    page = await items.page(services.db.pool, key.workspace, catalog, request.query_params.get("cursor"))
    links = [
        f'</catalogs/{catalog}/items?cursor={cursor}>; rel="{name}"'  # CAT-3
        for name, cursor in (("prev", page.previous), ("next", page.next))
        if cursor
    ]
    headers = {"link": ", ".join(links)} if links else {}
    return answer(200, {"items": page.items, **SUCCESS}, headers)


async def get_item(services: Services, key: Key, body: dict[str, Any], request: Request) -> Response:
    """One item."""
    del body
    catalog, item = request.path_params["catalog"], request.path_params["item"]
    types = await types_of(services.db.pool, key.workspace, catalog)
    found = await items.find(services.db.pool, key.workspace, catalog, [item])
    if not found:
        raise items.unknown_item(item)
    return answer(200, {"items": [items.ordered(found[item], types)], **SUCCESS})


async def delete_item(services: Services, key: Key, body: dict[str, Any], request: Request) -> Response:
    """Delete one item."""
    del body
    catalog, item = request.path_params["catalog"], request.path_params["item"]
    if not await items.delete(services.db.pool, key.workspace, catalog, [item]):
        raise items.unknown_item(item)
    return answer(200, SUCCESS)


def routes() -> list[BaseRoute]:
    """The routes of items."""
    several, one = "/catalogs/{catalog}/items", "/catalogs/{catalog}/items/{item}"
    return [
        Route(path, guarded(f"catalogs.{permission}", work, limit), methods=[method])
        for method, path, permission, work, limit in (
            ("POST", several, "add_items", _several(items.replace), CATALOG_ITEMS),
            ("PUT", several, "replace_items", _several(items.replace), CATALOG_ITEMS),
            ("PATCH", several, "update_items", _several(items.change), CATALOG_ITEMS),
            ("DELETE", several, "delete_items", delete_items, CATALOG_ITEMS),
            ("GET", several, "get_items", list_items, CATALOG_ITEM),
            ("GET", one, "get_item", get_item, CATALOG_ITEM),
            ("POST", one, "create_item", _one(items.make_one, 201), CATALOG_ITEM),  # CAT-3
            ("PUT", one, "replace_item", _one(items.replace, 200), CATALOG_ITEM),
            ("PATCH", one, "update_item", _one(items.change_one, 200), CATALOG_ITEM),
            ("DELETE", one, "delete_item", delete_item, CATALOG_ITEM),
        )
    ]
