"""The links in messages: what they do, and that nobody can forge them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from journeys.api.app import app
from journeys.api.requests import IN_WORK
from journeys.engine.delivery.engagement import MOST_TIMES
from journeys.engine.delivery.tracking_links import Links, Mark, token
from journeys.engine.store import Database
from tests.api.parts import services_of
from tests.stage import EMAIL, canvas, stage_on


class Reader:
    """Somebody's mail reader."""

    def __init__(self, stage: Any, links: Links) -> None:
        self.stage = stage
        self.links = links
        services = services_of(stage)
        self.http = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=app(services)), base_url="https://j.example"
        )

    async def did(self) -> list[tuple[str, Any]]:
        rows = await self.stage.db.pool.fetch(
            "select name, properties->>'url' as url from events order by no"
        )
        return [(row["name"], row["url"]) for row in rows]


@pytest.fixture
async def reader(db: Database) -> AsyncIterator[Reader]:
    stage = await stage_on(db, canvas("  - {type: message, id: m, channel: email, template: hello}") + EMAIL)
    mel = await stage.person(email="mel@example.com")
    [entry] = await stage.enter(mel)
    publication = await stage.published.of(stage.workspace)
    made = Reader(
        stage,
        Links(
            "https://j.example",
            publication.secret,
            Mark(stage.workspace, mel.id, entry, "story", "m", "email"),
        ),
    )
    yield made
    await made.http.aclose()


async def test_the_pixel_counts_an_open_and_a_machines_look_at_the_headers_does_not(reader: Reader) -> None:
    await reader.http.head(reader.links.pixel)
    assert await reader.did() == []
    answer = await reader.http.get(reader.links.pixel)

    assert answer.headers["content-type"] == "image/gif"
    assert await reader.did() == [("opened", None)]


async def test_a_click_is_counted_and_led_on(reader: Reader) -> None:
    answer = await reader.http.get(reader.links.click("https://example.com/a?b=1&c=2"))

    assert (answer.status_code, answer.headers["location"]) == (302, "https://example.com/a?b=1&c=2")
    assert await reader.did() == [("clicked", "https://example.com/a?b=1&c=2")]


async def test_no_link_is_an_open_redirect_and_none_can_be_forged(reader: Reader) -> None:
    """Another address, another kind, another workspace's secret, a cut token: nothing happens, nobody is led on."""
    links = reader.links
    good = links.click("https://example.com/a")
    other = token(b"x" * 32, "click", links.mark, "https://evil.example/")
    forged = [
        good.replace("example.com", "evil.example"),
        links.unsubscribe.replace("/u/", "/o/"),
        links.pixel.replace("/o/", "/u/"),
        links.pixel.replace("/o/", "/c/") + "?u=https%3A%2F%2Fevil.example%2F",
        f"https://j.example/c/{other}?u=https%3A%2F%2Fevil.example%2F",
        links.pixel[:-3],
        "https://j.example/o/nonsense",
        "https://j.example/u/e30.x",
        links.click("javascript:alert(1)"),
    ]
    for url in forged:
        for answer in (await reader.http.get(url), await reader.http.post(url)):
            assert answer.status_code in (200, 404, 405), url
            assert "location" not in answer.headers

    assert await reader.did() == []


async def test_the_unsubscribe_link_asks_before_it_acts_and_a_post_acts(reader: Reader) -> None:
    """Scanners follow links; RFC 8058 posts."""
    page = await reader.http.get(reader.links.unsubscribe)
    assert '<form method="post"><' in page.text, (
        "it goes to where the page was found, below a public path too"
    )
    assert await reader.did() == []
    answer = await reader.http.post(reader.links.unsubscribe, data={"List-Unsubscribe": "One-Click"})

    assert answer.status_code == 200
    assert await reader.did() == [("unsubscribed", None)]
    assert await reader.stage.db.pool.fetchval("select state from consents") == "unsubscribed"
    again = await reader.http.post(reader.links.unsubscribe, data={"List-Unsubscribe": "One-Click"})
    assert again.status_code == 200
    assert await reader.did() == [("unsubscribed", None)], "a mail reader may well say it twice"


async def test_a_message_is_opened_and_clicked_so_often_and_no_more(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks for the pixel over and over is a machine; another message has its own count."""
    for _ in range(MOST_TIMES + 5):
        reader.stage.clock.turn(timedelta(seconds=1))
        assert (await reader.http.get(reader.links.pixel)).status_code == 200
    assert len(await reader.did()) == MOST_TIMES
    await reader.http.get(reader.links.click("https://a.example"))
    assert (await reader.did())[-1] == ("clicked", "https://a.example")

    monkeypatch.setattr(reader.stage.db, "transaction", None)  # nobody may need it
    assert (await reader.http.get(reader.links.pixel)).status_code == 200, "the database is not asked again"


async def test_links_of_a_workspace_are_worked_on_a_few_at_once(reader: Reader) -> None:
    """However many connections ask for them: they keep no connection to the database from others."""
    links = reader.links
    others = IN_WORK.of(links.mark.workspace)
    for _ in range(4):
        await others.acquire()
    waits = asyncio.create_task(reader.http.get(links.pixel))
    assert (await reader.http.head(links.pixel)).status_code == 200
    assert not waits.done()
    for _ in range(4):
        others.release()
    await waits
    assert await reader.did() == [("opened", None)]


async def test_while_the_database_does_not_answer_a_link_says_so_and_counts_later(reader: Reader) -> None:
    async with Database.at(reader.stage.db.url, size=1) as other:
        working, reader.stage.db.pool = reader.stage.db.pool, other.pool
    calls = {
        "GET": [reader.links.pixel, reader.links.click("https://example.com/")],
        "POST": [reader.links.unsubscribe],
    }
    answers = [await reader.http.request(method, url) for method, urls in calls.items() for url in urls]
    assert [(each.status_code, each.headers["retry-after"]) for each in answers] == [(503, "5")] * 3

    reader.stage.db.pool = working
    for method, urls in calls.items():
        for url in urls:
            await reader.http.request(method, url)
    assert [name for name, _ in await reader.did()] == ["opened", "clicked", "unsubscribed"]
