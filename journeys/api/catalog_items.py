"""`/catalogs/{catalog}/items`: items of catalogs, one by one and up to 50 in a call (CAT-2 to CAT-4).

A call is complete when it is answered, also with the status 202.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from journeys.api import catalog_shapes as shapes
from journeys.api.operations import Answered, Operation, RefusedCatalogs
from journeys.api.rate_limits import CATALOG_ITEM, CATALOG_ITEMS
from journeys.api.requests import Work, answer
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


SEVERAL, ONE = "/catalogs/{catalog}/items", "/catalogs/{catalog}/items/{item}"

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
        limit=CATALOG_ITEMS if asks is shapes.Several else CATALOG_ITEM,
        refused=RefusedCatalogs,
        in_body=asks in (shapes.Several, shapes.One),
    )
    for method, path, summary, permission, asks, answers, does, status in (
        ("POST", SEVERAL, "Write whole items", "add_items", shapes.Several, Answered, _several(items.replace), 202),
        ("PUT", SEVERAL, "Write whole items", "replace_items", shapes.Several, Answered, _several(items.replace), 202),
        ("PATCH", SEVERAL, "Change items, field by field", "update_items", shapes.Several, Answered, _several(items.change), 202),
        ("DELETE", SEVERAL, "Delete items", "delete_items", shapes.Several, Answered, delete_items, 202),
        ("GET", SEVERAL, "A page of items", "get_items", shapes.Page, shapes.Items, list_items, 200),
        ("GET", ONE, "One item", "get_item", shapes.Nothing, shapes.Items, get_item, 200),
        ("POST", ONE, "Create an item", "create_item", shapes.One, Answered, _one(items.make_one, 201), 201),  # CAT-3
        ("PUT", ONE, "Write a whole item", "replace_item", shapes.One, Answered, _one(items.replace, 200), 200),
        ("PATCH", ONE, "Change an item", "update_item", shapes.One, Answered, _one(items.change_one, 200), 200),
        ("DELETE", ONE, "Delete an item", "delete_item", shapes.Nothing, Answered, delete_item, 200),
    )
)  # fmt: skip
