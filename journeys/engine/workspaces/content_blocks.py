"""The content blocks of a workspace in the store, with their former versions. An edit reaches all messages (B3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from journeys.canvas.content_blocks import ContentBlock, named_blocks
from journeys.canvas.ownership import Owner
from journeys.engine.people.identity import uuid_of
from journeys.engine.workspaces.definition_rows import raise_revision
from journeys.engine.workspaces.published import Publication

Known = Mapping[str, Any]

PUT = """
insert into content_blocks as b (workspace, name, id, description, state, tags, content, owner)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict (workspace, name) do update set owner = excluded.owner, description = excluded.description, state = excluded.state,
    tags = excluded.tags, version = b.version + (b.content <> excluded.content)::int, content = excluded.content,
    edited = now()
returning id, version, content, created, edited
"""
MAKE = """
insert into content_blocks (workspace, name, id, description, state, tags, content)
values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing returning id, version, content, created, edited
"""
VERSION = """
insert into content_block_versions (workspace, name, version, content) values ($1, $2, $3, $4) on conflict do nothing
"""
BY_ID = "select * from content_blocks where workspace = $1 and id = $2"
LIST = """
select * from content_blocks where workspace = $1 and ($2::timestamptz is null or edited >= $2)
    and ($3::timestamptz is null or edited <= $3)
order by created, name limit $4 offset $5
"""
HOLD = "select 1 from workspaces where id = $1 for no key update"
UNDEFINE = "delete from definitions where workspace = $1 and kind = 'content_block' and name = $2"


@dataclass(frozen=True, slots=True)
class Written:
    """A block that was written: its id, its version, and when it was made and edited."""

    id: UUID
    version: int
    created: datetime
    edited: datetime


def _row(workspace: int, block: ContentBlock) -> tuple[Any, ...]:
    tags = list(block.tags)
    return workspace, block.name, uuid7(), block.description, block.state, tags, block.content


async def settle(connection: Any, workspace: int, block: ContentBlock, owner: Owner | None = None) -> Written:
    """Let a block be so: made if new, its former content kept as a version. Within a transaction.

    `owner`: who manages it from now on; where it is left out, whom its file says.
    """
    row = await connection.fetchrow(PUT, *_row(workspace, block), owner or block.owner or "file")
    return await _keep(connection, workspace, block, row)


async def _keep(connection: Any, workspace: int, block: ContentBlock, row: Any) -> Written:
    await connection.execute(VERSION, workspace, block.name, row["version"], row["content"])
    return Written(row["id"], row["version"], row["created"], row["edited"])


async def make(connection: Any, workspace: int, block: ContentBlock) -> Written | None:
    """A new block; None where there is one of that name (B3). Within a transaction."""
    await raise_revision(connection, workspace)
    row = await connection.fetchrow(MAKE, *_row(workspace, block))
    if row is None:
        return None
    return await _keep(connection, workspace, block, row)


async def hold(connection: Any, workspace: int) -> None:
    """Lock the blocks of this workspace against other edits, until the end of the transaction."""
    await connection.execute(HOLD, workspace)


async def edit(connection: Any, workspace: int, block: ContentBlock) -> Written:
    """Another content, description, state or tags for a block that is there; the API manages it from now on."""
    await raise_revision(connection, workspace)
    await connection.execute(UNDEFINE, workspace, block.name)
    return await settle(connection, workspace, block, "api")


async def known(connection: Any, workspace: int, id_: str) -> Known | None:
    """A block by its id."""
    row = await connection.fetchrow(BY_ID, workspace, uuid_of(id_))
    return None if row is None else dict(row)


async def listed(
    connection: Any, workspace: int, after: datetime | None, before: datetime | None, limit: int, offset: int
) -> list[Known]:
    """Blocks edited between two instants, the oldest first."""
    return [dict(row) for row in await connection.fetch(LIST, workspace, after, before, limit, offset)]


def inclusions(publication: Publication, name: str) -> list[str]:
    """The templates and blocks that name this block."""
    templates = [
        template.name
        for template in publication.templates.values()
        if any(name in named_blocks(source) for source in template.sources().values())
    ]
    return [
        *templates,
        *(other for other, content in publication.blocks.items() if name in named_blocks(content)),
    ]
