"""Templates for mails that the API manages, and what it tells of those from files (TPL-4)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from journeys.canvas.content_blocks import named_blocks
from journeys.canvas.definition_kinds import EmailTemplate
from journeys.canvas.ownership import Owner
from journeys.engine.people.identity import uuid_of
from journeys.engine.workspaces.definition_rows import define, digest_of, raise_revision

Known = Mapping[str, Any]

LONGEST = 90
"""Characters of the name under which canvases find a template whose title has others; a number may follow."""

ROW = """
insert into email_templates as t (workspace, name, id, title, owner, tags, inline_css) values ($1, $2, $3, $4, $5, $6, $7)
on conflict (workspace, name) do update set title = excluded.title, owner = excluded.owner, tags = excluded.tags,
    inline_css = excluded.inline_css, edited = now()
returning id
"""
FROM_FILE = """
insert into email_templates (workspace, name, id, title, owner) values ($1, $2, $3, $2, $4)
on conflict (workspace, name) do update set owner = excluded.owner, edited = now()
"""
TAKEN = "select name from definitions where workspace = $1 and kind = 'template' and name like $2"
SELECT = """
select t.*, d.body from email_templates t join definitions d
    on (d.workspace, d.kind, d.name) = (t.workspace, 'template', t.name) and d.body ->> 'channel' = 'email'
where t.workspace = $1
"""
BY_ID = f"{SELECT} and t.id = $2"
LIST = f"""{SELECT} and ($2::timestamptz is null or t.edited >= $2) and ($3::timestamptz is null or t.edited <= $3)
order by t.created, t.name limit $4 offset $5
"""
BLOCKS = "select name from content_blocks where workspace = $1 and name = any($2::text[])"


async def free_name(connection: Any, workspace: int, title: str) -> str:
    """A name for canvases that is like a title, and that no template has. The workspace is locked.

    Example: “Welcome, Mel!” becomes `Welcome-Mel`, and the next of that title `Welcome-Mel-2`.
    """
    plain = re.sub(r"[^A-Za-z0-9_/-]+", "-", title).strip("-/")[:LONGEST]
    parts = [part.strip("-_") for part in plain.split("/")]
    name = "-".join(part for part in parts if part) or "template"
    name = name if name[0].isalpha() else f"t-{name}"
    taken = {row["name"] for row in await connection.fetch(TAKEN, workspace, name.replace("_", r"\_") + "%")}
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    return free


async def write(
    connection: Any,
    workspace: int,
    template: EmailTemplate,
    *,
    title: str,
    tags: Sequence[str],
    inline_css: bool,
) -> UUID:
    """Let a template be so, managed by the API. The workspace is locked; what is written is in force with the commit."""
    await raise_revision(connection, workspace)
    body = template.model_dump(mode="json")
    await define(connection, workspace, "template", template.name, digest_of(body), body)
    found: UUID = await connection.fetchval(
        ROW, workspace, template.name, uuid7(), title, "api", list(tags), inline_css
    )
    return found


async def settle(connection: Any, workspace: int, name: str, owner: Owner) -> None:
    """Note that a template was published from a file. Within its transaction."""
    await connection.execute(FROM_FILE, workspace, name, uuid7(), owner)


async def known(connection: Any, workspace: int, id_: str) -> Known | None:
    """A template by its id."""
    row = await connection.fetchrow(BY_ID, workspace, uuid_of(id_))
    return None if row is None else dict(row)


async def listed(
    connection: Any, workspace: int, after: datetime | None, before: datetime | None, limit: int, offset: int
) -> list[Known]:
    """Templates edited between two instants, the oldest first."""
    return [dict(row) for row in await connection.fetch(LIST, workspace, after, before, limit, offset)]


async def unknown_blocks(connection: Any, workspace: int, sources: Sequence[str]) -> set[str]:
    """The content blocks that these texts name and that there are not. A name that Liquid makes is left alone."""
    names = {name for source in sources for name in named_blocks(source)}
    there = {row["name"] for row in await connection.fetch(BLOCKS, workspace, sorted(names))}
    return names - there
