"""Two workspaces with the same ids never see each other: every operation is called with the key of the other one."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import httpx2
import msgspec

from journeys.api.app import app
from journeys.api.openapi import document
from journeys.engine.store import Database
from journeys.engine.workspaces.api_keys import create_key
from tests.api.parts import STORY, services_of
from tests.fuzzing import GROUPS, SEEDS
from tests.stage import stage_on

MARK = "only-in-the-first"
BLOCK = f'---\nkind: content_block\nformat: 1\nname: footer\ncontent: "{MARK}"\n'
OPEN = {"/health", "/ready", "/metrics"}
"""They belong to no workspace."""


async def _rows(db: Database, workspace: int) -> dict[str, list[str]]:
    """All rows of the workspace, by table. A key's last use is left out: it was used before."""
    tables = await db.pool.fetch(
        "select table_name from information_schema.columns c join pg_class t on t.relname = c.table_name "
        "where c.table_schema = 'public' and c.column_name = 'workspace' and t.relkind in ('r', 'p') and not t.relispartition"
    )
    found = {}
    for (table,) in tables:
        rows = await db.pool.fetch(
            f"select (to_jsonb(t) - 'last_seen')::text from {table} t where workspace = $1 order by 1",
            workspace,
        )
        found[table] = [row[0] for row in rows]
    return found


def _with(seed: Any, block: str, template: str) -> Any:
    """A seed that names a content block and a template of the other workspace."""
    text = msgspec.json.encode(seed).replace(b"00000000-0000-0000-0000-000000000001", block.encode())
    return msgspec.json.decode(text.replace(b"00000000-0000-0000-0000-000000000002", template.encode()))


async def test_no_operation_shows_or_changes_anything_of_the_other_workspace(db: Database) -> None:
    """A64, API-3: the same external ids, addresses, names and the other's own ids, at every operation of the document."""
    first = await stage_on(db, STORY + GROUPS + BLOCK, workspace="first")
    second = await stage_on(db, STORY + GROUPS, workspace="second")
    application = app(services_of(first))
    workspaces = first.workspace, second.workspace
    keys = {workspace: await create_key(db, workspace, "all", ["*"]) for workspace in workspaces}

    async def call(workspace: int, method: str, path: str, body: Any = None) -> httpx2.Response:
        transport = httpx2.ASGITransport(app=application)
        async with httpx2.AsyncClient(transport=transport, base_url="http://api") as client:
            headers = {"Authorization": f"Bearer {keys[workspace]}"}
            return await client.request(method, path, json=body, headers=headers)

    def mine(value: Any) -> Any:
        """A seed with the mark in its texts that are no names."""
        return msgspec.json.decode(msgspec.json.encode(value).replace(b'"d"', f'"{MARK}"'.encode()))

    for path in (
        "/users/track",
        "/catalogs",
        "/catalogs/{catalog}/items",
        "/v2/subscription/status/set",
        "/preference_center/v1",
    ):
        for seed in SEEDS[path]:
            await call(first.workspace, "POST", path.replace("{catalog}", "shoes"), mine(seed))
    attributes = [{"external_id": "a", "first_name": MARK, "x": MARK}]
    await call(first.workspace, "POST", "/users/track", {"attributes": attributes})
    await call(second.workspace, "POST", "/users/track", {"attributes": [{"external_id": "a"}]})
    person = await db.pool.fetchval(
        "select id from people where workspace = $1 and external_id = 'a'", first.workspace
    )
    block = await db.pool.fetchval("select id from content_blocks where workspace = $1", first.workspace)
    template = await db.pool.fetchval("select id from email_templates where workspace = $1", first.workspace)
    centre = await db.pool.fetchval("select id from preference_centres where workspace = $1", first.workspace)
    names = {
        "centre": str(centre),
        "person": "a",
        "catalog": "shoes",
        "item": "1",
        "field": "price",
        "selection": "s",
    }
    asked = [
        ("content_block_id", block), ("email_template_id", template), ("subscription_group_id", "news"), ("external_id", "a"), ("email", "a@b.example"),
        ("canvas_id", "story"), ("include_inclusion_data", "true"), ("segment_id", "runners"), ("start_date", "2020-01-01"), ("end_date", "2030-01-01"),
        ("length", "3"), ("include_step_breakdown", "true"), ("include_variant_breakdown", "true"),
    ]  # fmt: skip
    others = {"/users/track": [{"attributes": [{"braze_id": str(person), "x": 2}]}]}
    before = await _rows(db, first.workspace)
    assert sum(MARK in row for rows in before.values() for row in rows) > 3

    for path, operations in document()["paths"].items():
        for method in sorted(operations.keys() - {"parameters"}) if path not in OPEN else ():
            place = path
            for name, value in names.items():
                place = place.replace("{" + name + "}", value)
            place += f"?{urlencode(asked)}" if method == "get" else ""
            for seed in [{}, *SEEDS.get(path, []), *others.get(path, [])]:
                body = None if method == "get" else _with(seed, str(block), str(template))
                answer = await call(second.workspace, method.upper(), place, body)
                assert answer.status_code < 500 and answer.status_code != 429, (method, path)
                assert MARK not in answer.text, (method, path)
    assert await _rows(db, first.workspace) == before
