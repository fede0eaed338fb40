"""The pages of the API: they need nothing from elsewhere, and HEAD answers wherever GET does."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from typing import Any

import httpx2
import pytest

from journeys.api.app import app, routes
from journeys.api.docs_page import whole
from journeys.api.openapi import document
from journeys.cli.servers import served
from journeys.engine.store import Database
from tests.api.parts import STORY, services_of
from tests.stage import stage_on


@pytest.fixture
async def client(db: Database) -> AsyncIterator[httpx2.AsyncClient]:
    """Somebody who calls a real server."""
    services = services_of(await stage_on(db, STORY))
    async with (
        served(app(services), "127.0.0.1", 0) as port,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        yield client


class Elements(HTMLParser):
    """The elements of a page with their attributes, and whether each that is opened is closed in its turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in ("meta", "tr", "td", "th"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("tr", "td", "th"):
            assert self.open.pop() == tag


@pytest.mark.parametrize("path", ["/", "/docs"])
async def test_a_page_names_no_other_host_and_runs_no_script(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.get(path, headers={"accept": "text/html,*/*"})
    page = Elements(answer.text)

    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert page.open == []
    assert {tag for tag, _ in page.found} & {"script", "link", "img", "iframe", "object", "base"} == set()
    leads = [value or "" for _, attrs in page.found for name, value in attrs.items() if name in ("href", "src", "action")]  # fmt: skip
    assert leads
    for one in leads:
        assert re.fullmatch(r"#?[\w.-]+", one), one
        assert one.startswith("#") or (await client.get(f"/{one}")).status_code == 200
    assert "url(" not in answer.text
    assert "@import" not in answer.text


async def test_the_docs_say_all_that_the_description_for_programs_says(client: httpx2.AsyncClient) -> None:
    text = (await client.get("/docs")).text

    for path, operations in document()["paths"].items():
        for method in set(operations) - {"parameters"}:
            assert f"<b>{method.upper()}</b> <code>{path}</code>" in text
    assert "Needs the permission <code>users.track</code>" in text
    assert "<code>Idempotency-Key</code>" in text
    assert "purchases_processed" in text


def test_each_call_with_a_body_is_described_with_all_that_it_may_be_answered() -> None:
    """TRK-15: both routes of tracking are described alike, and what is refused is listed in `errors`."""
    paths = document()["paths"]
    posts = {
        path: operations["post"]["responses"] for path, operations in paths.items() if "post" in operations
    }
    assert {
        "/users/track",
        "/users/track/bulk",
        "/catalogs",
        "/content_blocks/create",
        "/canvas/stop",
    } <= set(posts)
    for path, responses in posts.items():
        assert {"400", "401", "403", "408", "413", "415", "429", "431", "500", "503"} <= set(responses), path
        assert "Retry-After" in responses["503"]["headers"], path
        assert "headers" not in responses["500"], path
    for path in ("/users/track", "/users/track/bulk"):
        schema = whole(
            posts[path]["400"]["content"]["application/json"]["schema"], document()["components"]["schemas"]
        )
        assert set(schema["properties"]) == {"message", "errors"}
        refused = posts[path]["401"]["content"]["application/json"]["schema"]
        assert refused == {"$ref": "#/components/schemas/Message"}


async def test_the_front_says_what_this_is_and_where_to_read_on(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/")

    assert answer.status_code == 200
    assert answer.json()["message"].startswith("Journeys ")
    assert answer.json()["documentation"] == "/docs"


async def test_head_answers_wherever_get_does_with_the_same_headers_and_no_body(
    client: httpx2.AsyncClient,
) -> None:
    paths = {"/", "/docs", "/openapi.json", "/health", "/ready", "/metrics"}
    paths |= {re.sub(r"\{\w+\}", "x", route.path) for route in routes() if "GET" in route.methods}  # type: ignore[attr-defined]
    for path in sorted(paths):
        got, head = await client.get(path), await client.head(path)
        assert (head.status_code, head.content) == (got.status_code, b""), path
        assert head.headers["content-type"] == got.headers["content-type"], path
        if path != "/metrics":
            assert head.headers["content-length"] == str(len(got.content)), path
