"""Pages of other sites: none is let in but those whose origins the operator names."""

from __future__ import annotations

import httpx2
import pytest
from pydantic import ValidationError

from journeys.api.app import app
from journeys.api.cross_origin import CrossOriginSettings
from journeys.engine.store import Database
from journeys.engine.workspaces.api_keys import create_key
from tests.api.parts import STORY, services_of
from tests.stage import stage_on

DESK, OTHER = "https://desk.example.com", "https://evil.example.com"
ALLOWED = "access-control-allow-origin"


@pytest.fixture
async def services(db: Database) -> tuple[object, str]:
    stage = await stage_on(db, STORY)
    return services_of(stage), await create_key(db, stage.workspace, "test", ["*"])


def client_of(services: object) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app(services)), base_url="http://api")  # type: ignore[arg-type]


async def asks(client: httpx2.AsyncClient, origin: str) -> httpx2.Response:
    """What a browser asks before it lets a page call."""
    asked = {"origin": origin, "access-control-request-method": "POST"}
    asked["access-control-request-headers"] = "authorization,content-type,idempotency-key"
    return await client.options("/users/track", headers=asked)


async def test_a_page_of_an_origin_that_is_named_may_call_and_no_other(
    services: tuple[object, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """API-6"""
    monkeypatch.setenv("JOURNEYS_CORS_ORIGINS", f"{DESK}, http://localhost:3000")
    parts, key = services
    async with client_of(parts) as client:
        for origin in (DESK, "http://localhost:3000"):
            before = await asks(client, origin)
            assert (before.status_code, before.headers[ALLOWED]) == (200, origin)
            assert "POST" in before.headers["access-control-allow-methods"]
            called = await client.post(
                "/users/track",
                json={"attributes": [{"external_id": "mel", "x": 1}]},
                headers={"origin": origin, "authorization": f"Bearer {key}"},
            )
            assert (called.status_code, called.headers[ALLOWED]) == (201, origin)
            assert "x-ratelimit-remaining" in called.headers["access-control-expose-headers"]
            assert "access-control-allow-credentials" not in called.headers
        refused = await client.get("/nope", headers={"origin": DESK})
        assert (refused.status_code, refused.headers[ALLOWED]) == (404, DESK)
        for origin in (OTHER, DESK + ":8443", DESK.replace("https", "http"), DESK + ".evil.example", "null"):
            assert ALLOWED not in (await asks(client, origin)).headers
            assert ALLOWED not in (await client.get("/health", headers={"origin": origin})).headers


async def test_where_no_origin_is_named_nothing_is_said_of_any(services: tuple[object, str]) -> None:
    """API-6"""
    async with client_of(services[0]) as client:
        assert (await asks(client, DESK)).status_code == 405
        for answer in (await asks(client, DESK), await client.get("/health", headers={"origin": DESK})):
            assert not any(name.startswith("access-control") for name in answer.headers)
            assert "vary" not in answer.headers


@pytest.mark.parametrize(
    "text",
    ["*", "https://*.example.com", "desk.example.com", DESK + "/", DESK + "/a", f"{DESK} {OTHER}", "null"],
)
def test_what_names_no_single_origin_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="is not an origin: write https"):
        CrossOriginSettings(cors_origins=text)
