"""`/content_blocks`: create, update, list and read blocks (TPL-1 to TPL-3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from journeys.api.operations import Answered, Asked, Operation
from journeys.api.requests import Refusal, answer
from journeys.api.services import Services
from journeys.canvas.content_blocks import (
    LARGEST,
    LONGEST_DESCRIPTION,
    LONGEST_NAME,
    NAME,
    ContentBlock,
    faults,
)
from journeys.canvas.written_instants import instant
from journeys.engine.content import problems
from journeys.engine.large_requests import LARGE, apart
from journeys.engine.workspaces import content_blocks
from journeys.engine.workspaces.api_keys import Key
from journeys.engine.workspaces.published import Publication

MOST, USUAL = 1000, 100
"""The maximum number of blocks on one list, and the default."""

MANAGED = {409: "A file manages it; `owner: api` takes it over."}

MARKUP = re.compile(r"<[A-Za-z!/][^>]*>")


async def create_block(services: Services, key: Key, body: dict[str, Any], request: Request) -> Response:
    """Make a block. 201 with its id and the tag that inserts it."""
    del request
    publication = await services.published.of(key.workspace)
    block = await apart(_block, body, publication)
    async with services.db.transaction() as connection:
        made = await content_blocks.make(connection, key.workspace, block)
    if made is None:  # TPL-1
        raise Refusal(400, "Content Block with this name already exists.")
    services.published.forget(key.workspace)
    said = {"content_block_id": str(made.id), "liquid_tag": _tag(block.name), "message": "success"}
    return answer(201, {**said, "created_at": _instant(made.created)})  # TPL-1


async def update_block(services: Services, key: Key, body: dict[str, Any], request: Request) -> Response:
    """Edit a block: what the call leaves out stays as it is. The name cannot be changed (B3)."""
    del request
    publication = await services.published.of(key.workspace)
    async with services.db.transaction() as connection:
        await content_blocks.hold(connection, key.workspace)
        old = await _known(connection, key, body.get("content_block_id"))
        if body.get("name", old["name"]) != old["name"]:
            raise Refusal(400, "Content Block name cannot be changed.")
        if old["owner"] == "file" and body.get("owner") != "api":  # TPL-4
            raise managed_by_file("Content Block", old["name"])
        names = ("name", "content", "description", "state", "tags")
        given = {**{name: old[name] for name in names}, **body}
        block = await apart(_block, given, publication, large=len(old["content"]) > LARGE)
        made = await content_blocks.edit(connection, key.workspace, block)
    services.published.forget(key.workspace)
    said = {"content_block_id": str(made.id), "liquid_tag": _tag(block.name), "message": "success"}
    edited = _instant(made.edited)
    return answer(200, {**said, "last_edited": edited, "updated_at": edited})


async def list_blocks(services: Services, key: Key, body: dict[str, Any], request: Request) -> Response:
    """A list of blocks, by the time of their last edit where the call asks for it."""
    del body
    asked = request.query_params
    after, before = (_time(asked, name) for name in ("modified_after", "modified_before"))
    limit, offset = _number(asked, "limit", USUAL, 1, MOST), _number(asked, "offset", 0, 0, 10**9)  # TPL-3
    publication = await services.published.of(key.workspace)
    found = await content_blocks.listed(services.db.pool, key.workspace, after, before, limit, offset)
    said = [_described(row, publication) for row in found]
    return answer(200, {"count": len(said), "content_blocks": said, "message": "success"})


async def block_info(services: Services, key: Key, body: dict[str, Any], request: Request) -> Response:
    """One block with its content, and with the templates that name it where the call asks for them."""
    del body
    row = await _known(services.db.pool, key, request.query_params.get("content_block_id"))
    publication = await services.published.of(key.workspace)
    said = {
        **_described(row, publication),
        "content": row["content"],  # TPL-3
        "description": row["description"],
        "version": row["version"],
    }
    if request.query_params.get("include_inclusion_data", "").lower() == "true":
        said["inclusion_data"] = content_blocks.inclusions(publication, row["name"])  # TPL-3
    return answer(200, {**said, "message": "success"})


def managed_by_file(what: str, name: str) -> Refusal:
    """The answer to an edit of what a file manages."""
    return Refusal(
        409,
        f"Conflict: the {what} “{name}” is managed by a file: change it there, or say 'owner': 'api' to manage it here",
    )


def _block(given: Mapping[str, Any], publication: Publication) -> ContentBlock:
    """The block of a call. Raises `Refusal` with the texts that clients know (TPL-2)."""
    content, name = given.get("content"), given.get("name")
    if name is None or name == "":
        raise Refusal(400, "Content Block name cannot be blank.")
    if not isinstance(name, str):
        raise Refusal(400, "Content Block name can only contain alphanumeric characters.")
    if content is None:
        raise Refusal(400, "Content cannot be blank.")
    if not isinstance(content, str):
        raise Refusal(400, "Content must be a string.")
    description, state = given.get("description") or "", given.get("state") or "active"
    if not isinstance(description, str):
        raise Refusal(400, "Content Block description must be a string.")
    if state not in ("active", "draft"):
        raise Refusal(400, "Content Block state must be either Active or Draft.")
    tags = tags_of(given.get("tags"), publication)
    block = ContentBlock(name=name, content=content, description=description, state=state, tags=tags)
    for _, message in faults(block):
        raise Refusal(400, message)
    if "\0" in content + description or problems(content):
        raise Refusal(400, "Content contains malformed liquid.")
    return block


def tags_of(given: Any, publication: Publication) -> tuple[str, ...]:
    """Tags are those of the workspace's file. Raises Refusal with the texts that clients know (TPL-2)."""
    if given is None:
        return ()
    if not isinstance(given, list):
        raise Refusal(400, "Tags must be an array.")
    if not all(isinstance(tag, str) for tag in given):
        raise Refusal(400, "All Tags must be Strings.")
    known = publication.settings.tags if publication.settings else ()
    if not set(given) <= set(known):
        raise Refusal(400, "Some Tags could not be found.")
    return tuple(dict.fromkeys(given))


async def _known(connection: Any, key: Key, id_: Any) -> content_blocks.Known:
    if not isinstance(id_, str) or not id_:
        raise Refusal(400, "Content Block ID cannot be blank.")
    found = await content_blocks.known(connection, key.workspace, id_)
    if found is None:
        raise Refusal(404, "The workspace has no Content Block with this ID.")
    return found


def _described(row: content_blocks.Known, publication: Publication) -> dict[str, Any]:
    return {
        "content_block_id": str(row["id"]),
        "name": row["name"],
        "content_type": "html" if MARKUP.search(row["content"]) else "text",
        "liquid_tag": _tag(row["name"]),
        "inclusion_count": len(content_blocks.inclusions(publication, row["name"])),
        "created_at": _instant(row["created"]),
        "last_edited": _instant(row["edited"]),
        "state": row["state"],
        "owner": row["owner"],
        "tags": row["tags"],
    }


def _tag(name: str) -> str:
    return "{{content_blocks.${" + name + "}}}"


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")


def _time(asked: Mapping[str, str], name: str) -> datetime | None:
    if name not in asked:
        return None
    found = instant(asked[name])
    if found is None:
        raise Refusal(400, f"'{name}' must be an ISO 8601 datetime")
    return found


def _number(asked: Mapping[str, str], name: str, usual: int, least: int, most: int) -> int:
    text = asked.get(name, str(usual))
    if not text.isdecimal() or len(text) > 10 or not least <= int(text) <= most:
        raise Refusal(400, f"'{name}' must be a number from {least} to {most}")
    return int(text)


class NewBlock(Asked):
    """A new content block."""

    name: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME, pattern=f"^{NAME.pattern}$")]
    content: Annotated[str, Field(description=f"Liquid, at most {LARGEST // 1024} KB.")]
    description: Annotated[str, Field(max_length=LONGEST_DESCRIPTION)] | None = None
    state: Literal["active", "draft"] | None = None
    tags: list[str] | None = None


class EditBlock(Asked):
    """A change of a content block: what is left out stays. `owner: api` takes over one that a file manages."""

    content_block_id: str
    name: Annotated[str, Field(description="The name that it has: it cannot be changed.")] | None = None
    content: str | None = None
    description: Annotated[str, Field(max_length=LONGEST_DESCRIPTION)] | None = None
    state: Literal["active", "draft"] | None = None
    tags: list[str] | None = None
    owner: Any = None


class AskedBlocks(Asked):
    """Which content blocks are asked for, by the time of their last edit."""

    modified_after: str | None = None
    modified_before: str | None = None
    limit: Annotated[int, Field(ge=1, le=MOST)] = USUAL
    offset: Annotated[int, Field(ge=0)] = 0


class AskedBlock(Asked):
    """Which content block is asked for, and whether with the templates that name it."""

    content_block_id: str
    include_inclusion_data: str | None = None


class MadeBlock(Answered):
    """The block by its id, and the tag that inserts it."""

    content_block_id: str
    liquid_tag: str
    created_at: str


class EditedBlock(Answered):
    """The same, with the time of this edit."""

    content_block_id: str
    liquid_tag: str
    last_edited: str
    updated_at: str


class ListedBlock(BaseModel):
    """A block in a list. `owner` manages it."""

    content_block_id: str
    name: str
    content_type: Literal["html", "text"]
    liquid_tag: str
    inclusion_count: int
    created_at: str
    last_edited: str
    state: Literal["active", "draft"]
    owner: Literal["file", "api"]
    tags: list[str]


class Blocks(Answered):
    """A list of content blocks."""

    count: int
    content_blocks: list[ListedBlock]


class WholeBlock(ListedBlock, Answered):
    """One content block."""

    content: str
    description: str
    version: int
    inclusion_data: Any = None


OPERATIONS: tuple[Operation[Any], ...] = tuple(
    Operation(
        method=method,
        path=f"/content_blocks/{name}",
        summary=summary,
        permission=f"content_blocks.{name}",
        asks=asks,
        answers=answers,
        does=does,
        status=status,
        also=also,
    )
    for method, name, summary, asks, answers, does, status, also in (
        ("POST", "create", "Create a content block", NewBlock, MadeBlock, create_block, 201, {}),
        ("POST", "update", "Edit a content block", EditBlock, EditedBlock, update_block, 200, MANAGED),
        ("GET", "list", "Content blocks", AskedBlocks, Blocks, list_blocks, 200, {}),
        ("GET", "info", "One content block", AskedBlock, WholeBlock, block_info, 200, {}),
    )
)
