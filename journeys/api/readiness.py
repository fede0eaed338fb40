"""`/health` says that the process is alive, `/ready` whether it can do its work, and what is missing."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import journeys
from journeys.api.requests import answer
from journeys.api.services import Services
from journeys.engine.metrics import CANVASES_SET_ASIDE
from journeys.engine.outages import DATABASE, OUTAGES, TEMPORAL, within
from journeys.engine.store.database import PASSING
from journeys.engine.store.migrate import Unfit, head, schema_of, works_beside

LONGEST_ANSWER = 2.0
"""Seconds that each thing has for its answer to `/ready`."""

OK, NOT_USED = "ok", "not used"

HEALTH = {
    "summary": "Whether the process is alive",
    "responses": {"200": {"description": "It is, whatever it can do."}},
}
READY = {
    "summary": "Whether the process can do its work: database, schema, Temporal",
    "responses": {
        "200": {"description": "It can. Canvases that it cannot read are listed."},
        "503": {"description": "It cannot; the body says what is missing."},
    },
}
"""The routes, as OpenAPI describes them."""


async def health(_: Request) -> Response:
    """The process is alive: 200, whatever it can do."""
    return answer(200, {"message": "success", "version": journeys.__version__})


async def ready(request: Request) -> Response:
    """Whether the process can do its work: 200, or 503 with what is missing."""
    services: Services = request.app.state.services
    database, temporal = await asyncio.gather(_database(services), _temporal(services))
    aside = [
        {"workspace": workspace, "canvas": canvas, "reason": reason}
        for workspace, canvas, reason in services.published.set_aside()
    ]
    CANVASES_SET_ASIDE.set(len(aside))
    missing = [
        name for name, said in (("database", database), ("temporal", temporal)) if said not in (OK, NOT_USED)
    ]
    body: dict[str, Any] = {
        "message": "success" if not missing else f"not ready: {', '.join(missing)}",
        "version": journeys.__version__,
        "database": database,
        "temporal": temporal,
        "channels": sorted(services.channels),
        "canvases_set_aside": aside,
    }
    return answer(503 if missing else 200, body, {"retry-after": "5"} if missing else {})


async def _database(services: Services) -> str:
    """`ok`, or what is wrong with the database."""
    try:
        found = await within(lambda: schema_of(services.db.pool), LONGEST_ANSWER)
        beside = await within(lambda: works_beside(services.db.pool), LONGEST_ANSWER)
    except (*PASSING, TimeoutError) as error:
        OUTAGES.gone(DATABASE, error)
        return "it does not answer"
    except Unfit as error:
        return str(error)
    except asyncpg.PostgresError as error:
        return f"its schema cannot be read: {type(error).__name__}"
    OUTAGES.back(DATABASE)
    if found is None:
        return "it has no schema of ours"
    if found == head() or beside:
        return OK
    return f"its schema is {found}, this process wants {head()}"


async def _temporal(services: Services) -> str:
    """`ok`, `not used`, or what is wrong with Temporal."""
    if services.temporal is None:
        return NOT_USED
    try:
        await within(services.temporal, LONGEST_ANSWER)
    except Exception as error:  # noqa: BLE001 - whatever it is, it does not answer as it should
        OUTAGES.gone(TEMPORAL, error)
        return "it does not answer"
    OUTAGES.back(TEMPORAL)
    return OK


def routes() -> list[Route]:
    """The two routes; they need no key."""
    return [Route("/health", health, methods=["GET"]), Route("/ready", ready, methods=["GET"])]
