"""The access log: a line a request, by its route and id, without anything that is about a person."""

from __future__ import annotations

import logging

import httpx2
import pytest

from journeys.api.app import app
from journeys.engine.store import Database
from journeys.engine.workspaces.api_keys import create_key
from tests.api.parts import STORY, services_of
from tests.engine.test_metrics import Series
from tests.stage import stage_on


async def test_each_request_has_a_line_with_its_route_and_id_and_no_path_query_or_body(
    db: Database, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it is served, refused, or leads nowhere; those that ask how the process is have none."""
    stage, series = await stage_on(db, STORY), Series()
    key = await create_key(db, stage.workspace, "test", ["users.track"])
    services = services_of(stage)

    async def fails(*_: object) -> None:
        raise ZeroDivisionError

    transport = httpx2.ASGITransport(app=app(services), raise_app_exceptions=False)
    body = {"attributes": [{"external_id": "mel", "email": "mel@example.com"}]}
    with caplog.at_level(logging.INFO, "journeys.api"):
        async with httpx2.AsyncClient(transport=transport, base_url="http://api") as client:
            header = {"authorization": f"Bearer {key}", "x-request-id": "mine-7"}
            answers = [
                await client.post("/users/track/", json=body, headers=header),
                await client.get(f"/catalogs?api_key={key}"),
                await client.delete("/catalogs/mels-shoes/items/mel", headers=header),
                await client.get("/o/mel-token?who=mel"),
                await client.get("/mel"),
                await client.get("/"),
                await client.request("BREW", "/users/track"),
                *[await client.get(path) for path in ("/health", "/ready", "/metrics")],
            ]
            monkeypatch.setattr(services, "counted", fails)
            failed = await client.get("/catalogs/mels-shoes/items/", headers=header)
    lines = [record.said for record in caplog.records if getattr(record, "event", "") == "request"]  # type: ignore[attr-defined]

    assert [(line["method"], line["route"], line["status"]) for line in lines] == [
        ("POST", "/users/track", 201),
        ("GET", "/catalogs", 403),
        ("DELETE", "/catalogs/{catalog}/items/{item}", 403),
        ("GET", "/o/{token}", 200),
        ("GET", "none", 404),
        ("GET", "/", 200),
        ("other", "/users/track", 405),
        ("GET", "/catalogs/{catalog}/items", 500),
    ]
    assert failed.status_code == 500
    assert failed.headers["x-request-id"] == "mine-7"
    others = {
        record.event: record.said["route"]
        for record in caplog.records
        if record.name.startswith("journeys.api") and record.event != "request"
    }  # type: ignore[attr-defined]
    assert others["deprecated_key_outside_header"] == "/catalogs"
    assert others["request_failed"] == "/catalogs/{catalog}/items"
    counted = {"route": "/catalogs/{catalog}/items", "method": "GET", "status": "500"}
    assert series.of("http_request_seconds_count", **counted) == 1
    assert all(line["ms"] >= 0 for line in lines)
    assert answers[0].headers["x-request-id"] == "mine-7"
    ids = [answer.headers["x-request-id"] for answer in answers]
    assert len(set(ids)) == len(ids) - 1  # two of them bring the same
    said = [record.getMessage() for record in caplog.records if record.name.startswith("journeys.api")]
    assert not any(word in line for word in ("mel", key) for line in said)
