"""Content blocks over the REST API and from files, on a real database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from journeys.api.app import app
from journeys.canvas.problems import Refused
from journeys.engine.store import Database
from journeys.engine.workspaces.api_keys import create_key
from journeys.engine.workspaces.publishing import publish
from tests.api.parts import services_of
from tests.stage import EMAIL, Stage, canvas, definitions_of, stage_on

STORY = (
    canvas("  - {type: message, id: m, channel: email, template: hello}")
    + EMAIL.replace("Dear", "{{content_blocks.${footer}}} Dear")
    + """
---
kind: workspace
format: 1
name: default
tags: [spring]
"""
)
FOOTER = """
kind: content_block
format: 1
name: footer
content: "<p>Yours, {{${first_name}}}</p>"
"""


class Desk:
    """The API, called with a key."""

    def __init__(self, stage: Stage, key: str) -> None:
        self.stage = stage
        services = services_of(stage)
        self.client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=app(services)),
            base_url="http://api",
            headers={"Authorization": f"Bearer {key}"},
        )

    async def create(self, **body: Any) -> httpx2.Response:
        return await self.client.post("/content_blocks/create", json=body)

    async def update(self, **body: Any) -> httpx2.Response:
        return await self.client.post("/content_blocks/update", json=body)

    async def info(self, id_: str, **asked: str) -> httpx2.Response:
        return await self.client.get("/content_blocks/info", params={"content_block_id": id_, **asked})

    async def in_use(self) -> dict[str, str]:
        return dict((await self.stage.published.of(self.stage.workspace)).blocks)


@pytest.fixture
async def desk(db: Database) -> AsyncIterator[Desk]:
    stage = await stage_on(db, STORY)
    made = Desk(stage, await create_key(db, stage.workspace, "test", ["*"]))
    yield made
    await made.client.aclose()


async def test_a_block_is_made_edited_read_and_listed_and_its_versions_are_kept(desk: Desk) -> None:
    """TPL-1, TPL-2, TPL-3, B3: an edit is in force with its answer."""
    made = await desk.create(name="footer", content="<p>Yours</p>", description="Below", tags=["spring"])
    assert made.status_code == 201
    said = made.json()
    assert (said["message"], said["liquid_tag"]) == ("success", "{{content_blocks.${footer}}}")
    assert said["created_at"].endswith("+00:00")
    assert await desk.in_use() == {"footer": "<p>Yours</p>"}

    edited = await desk.update(content_block_id=said["content_block_id"], content="<p>Ever yours</p>")
    assert (edited.status_code, edited.json()["message"]) == (200, "success")
    assert await desk.in_use() == {"footer": "<p>Ever yours</p>"}

    info = (await desk.info(said["content_block_id"], include_inclusion_data="true")).json()
    assert (info["content"], info["description"], info["tags"]) == ("<p>Ever yours</p>", "Below", ["spring"])
    assert (info["version"], info["content_type"], info["inclusion_data"]) == (2, "html", ["hello"])
    versions = await desk.stage.db.pool.fetch(
        "select version, content from content_block_versions order by 1"
    )
    assert [tuple(row) for row in versions] == [(1, "<p>Yours</p>"), (2, "<p>Ever yours</p>")]

    await desk.create(name="other", content="plain")
    for asked, names in (
        ({}, ["footer", "other"]),
        ({"limit": "1"}, ["footer"]),
        ({"limit": "1", "offset": "1"}, ["other"]),
        ({"modified_before": "2020-01-01T00:00:00Z"}, []),
        ({"modified_after": "2020-01-01T00:00:00Z"}, ["footer", "other"]),
    ):
        listed = (await desk.client.get("/content_blocks/list", params=asked)).json()
        assert [one["name"] for one in listed["content_blocks"]] == names
        assert listed["count"] == len(names)
        if "footer" in names:
            assert listed["content_blocks"][0]["inclusion_count"] == 1


async def test_a_draft_is_empty_wherever_it_is_named(desk: Desk) -> None:
    made = await desk.create(name="footer", content="Yours", state="draft")
    assert await desk.in_use() == {}

    await desk.update(content_block_id=made.json()["content_block_id"], state="active")
    assert await desk.in_use() == {"footer": "Yours"}


WRONG: list[Any] = [
    ({"content": "x"}, "Content Block name cannot be blank."),
    ({"name": "", "content": "x"}, "Content Block name cannot be blank."),
    ({"name": "a b", "content": "x"}, "Content Block name can only contain alphanumeric characters."),
    ({"name": 7, "content": "x"}, "Content Block name can only contain alphanumeric characters."),
    ({"name": "x" * 101, "content": "x"}, "Content Block name must not have more than 100 characters."),
    ({"name": "taken", "content": "x"}, "Content Block with this name already exists."),
    ({"name": "a"}, "Content cannot be blank."),
    ({"name": "a", "content": " "}, "Content cannot be blank."),
    ({"name": "a", "content": 7}, "Content must be a string."),
    ({"name": "a", "content": "ä" * 26_000}, "Content must be smaller than 50kb."),
    ({"name": "a", "content": "{% if %}"}, "Content contains malformed liquid."),
    (
        {"name": "a", "content": "{{content_blocks.${a}}}"},
        "Content Block cannot be referenced within itself.",
    ),
    ({"name": "a", "content": "x", "state": "old"}, "Content Block state must be either Active or Draft."),
    ({"name": "a", "content": "x", "tags": "spring"}, "Tags must be an array."),
    ({"name": "a", "content": "x", "tags": [1]}, "All Tags must be Strings."),
    ({"name": "a", "content": "x", "tags": ["autumn"]}, "Some Tags could not be found."),
]


async def test_what_is_wrong_with_a_block_is_said_in_the_words_that_clients_know(desk: Desk) -> None:
    """TPL-2"""
    await desk.create(name="taken", content="x")
    for body, text in WRONG:
        answer = await desk.create(**body)
        assert (answer.status_code, answer.json()) == (400, {"message": text})

    id_ = (await desk.create(name="a", content="x")).json()["content_block_id"]
    for body, text in WRONG[7:]:
        answer = await desk.update(content_block_id=id_, **body)
        assert (answer.status_code, answer.json()) == (400, {"message": text})
    assert (await desk.info(id_)).json()["version"] == 1

    assert (await desk.info("nope")).status_code == 404
    assert (await desk.client.get("/content_blocks/list", params={"limit": "1001"})).status_code == 400


async def test_edits_of_one_block_at_the_same_time_lose_nothing(desk: Desk) -> None:
    """TPL-3: what a call leaves out stays as it is, also where another call changes it at that moment."""
    id_ = (await desk.create(name="footer", content="0")).json()["content_block_id"]
    for n in range(1, 9):
        edits = ({"content": str(n)}, {"description": str(n)}, {"state": "draft" if n % 2 else "active"})
        await asyncio.gather(*(desk.update(content_block_id=id_, **edit) for edit in edits))
        info = (await desk.info(id_)).json()
        assert (info["content"], info["description"]) == (str(n), str(n))
        assert info["state"] == ("draft" if n % 2 else "active")
    assert info["version"] == 9


async def test_a_name_is_for_good(desk: Desk) -> None:
    """B3"""
    made = await desk.create(name="footer", content="x")
    answer = await desk.update(content_block_id=made.json()["content_block_id"], name="other")

    assert (answer.status_code, answer.json()["message"]) == (400, "Content Block name cannot be changed.")


async def test_a_block_from_a_file_and_the_api_do_not_overwrite_one_another_in_silence(
    desk: Desk, db: Database
) -> None:
    """B3, TPL-4: each says so where it takes the block over, and its versions are kept."""

    async def published(text: str) -> Any:
        done = await publish(db, "default", definitions_of(text), channels={"email": object()})
        desk.stage.published.forget(desk.stage.workspace)
        return done

    await published(FOOTER)
    assert await desk.in_use() == {"footer": "<p>Yours, {{${first_name}}}</p>"}
    [block] = (await desk.client.get("/content_blocks/list")).json()["content_blocks"]
    assert block["owner"] == "file"
    refused = await desk.update(content_block_id=block["content_block_id"], content="by API")
    assert refused.status_code == 409
    assert refused.json()["message"].startswith("Conflict: the Content Block “footer” is managed by a file")

    taken = await desk.update(content_block_id=block["content_block_id"], content="by API", owner="api")
    assert (taken.status_code, await desk.in_use()) == (200, {"footer": "by API"})
    with pytest.raises(Refused, match="J313 the content block “footer” is managed by the API"):
        await published(FOOTER)
    assert (await published(FOOTER + "owner: api\n")).same == 1
    assert (await published(FOOTER.replace("<p>Yours, {{${first_name}}}</p>", "by API"))).same == 1
    assert await desk.in_use() == {"footer": "by API"}

    back = await published(FOOTER + "owner: file\n")
    assert back.new == [("content_block", "footer")]
    assert (await desk.in_use())["footer"].startswith("<p>Yours")
    assert (await desk.info(block["content_block_id"])).json()["owner"] == "file"
    assert await db.pool.fetchval("select max(version) from content_block_versions") == 3
    assert (await published(FOOTER + "owner: file\n")).same == 1
