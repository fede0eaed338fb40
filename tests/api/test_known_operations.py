"""What the API says of operations of Braze's API: of those that it has, and of those that it does not have yet."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest
from starlette.routing import Route

from journeys.api.app import app, routes
from journeys.api.known_operations import LIST, KnownOperations, every_operation, not_built
from journeys.engine.store import Database
from tests import known_operations
from tests.api.parts import STORY, services_of
from tests.stage import stage_on

ROOT = Path(__file__).parents[2]


async def test_an_operation_that_is_not_built_is_named_and_one_that_is_asks_for_a_key(db: Database) -> None:
    """Each of the table, with something in the places of its path, with a slash at its end, and by another method."""
    services = services_of(await stage_on(db, STORY))
    later = {(one.method, one.path) for one in not_built(routes())}
    assert later

    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=app(services)), base_url="http://a"
    ) as client:
        for one in every_operation():
            path = one.path.replace("{", "").replace("}", "")
            for end in ("", "/"):
                answer = await client.request(one.method, path + end)
                named = f"{one.method} {one.path} is an operation of Braze's API that is not built here yet"
                if (one.method, one.path) in later:
                    assert answer.status_code == 404, one
                    assert named in answer.json()["message"]
                    assert answer.json()["documentation"] == LIST
                    assert "x-ratelimit-limit" in answer.headers
                else:
                    assert answer.status_code == 401, one
        other = await client.get("/messages/send")
        assert (other.status_code, "POST /messages/send is an operation" in other.json()["message"]) == (
            404,
            True,
        )
        assert (await client.get("/messages/sends")).json() == {"message": "Not Found"}
        assert (await client.get("/users/track")).status_code == 405
        docs = (await client.get("/docs")).text
        assert all(f"<code>{path}</code>" in docs for _, path in later)
        assert f'id="{LIST.partition("#")[2]}"' in docs


OWN = {"/canvas/stop", "/canvas/pause", "/canvas/resume", "/canvas/archive", "/canvas/changes"}
"""Operations that Braze's API does not have."""


def test_every_route_that_asks_for_a_key_is_an_operation_of_the_table_and_none_stands_there_twice() -> None:
    ours = {
        (method, route.path)
        for route in routes()
        if isinstance(route, Route) and hasattr(route.endpoint, "_permission")
        for method in (route.methods or set()) - {"HEAD"}
    }
    table = [(one.method, one.path) for one in every_operation()]

    own = {one for one in ours if one[1] in OWN}
    assert {path for _, path in own} == OWN
    assert ours - own <= set(table)
    assert len(table) == len(set(table))


@pytest.mark.parametrize(
    ("method", "path", "meant"),
    [
        ("GET", "/preference_center/v1/list", "/preference_center/v1/list"),
        ("GET", "/preference_center/v1/pc-7", "/preference_center/v1/{centre}"),
        ("DELETE", "/scim/v2/Users/7", "/scim/v2/Users/{account}"),
        ("POST", "/cdi/integrations/a.b/sync", "/cdi/integrations/{integration}/sync"),
        ("POST", "/cdi/integrations/a/b/sync", None),
        ("POST", "/usersXmerge", None),
    ],
)
def test_the_nearest_path_counts(method: str, path: str, meant: str | None) -> None:
    found = KnownOperations(not_built([])).of(method, path)

    assert (found and found.path) == meant


def test_the_page_of_operations_is_the_one_that_the_code_makes() -> None:
    assert (ROOT / "docs" / "api-operations.md").read_text() == known_operations.page(), "run `make docs`"
