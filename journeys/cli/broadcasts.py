"""`broadcasts`: which entries by API for an audience are on their way, and which were set aside and why."""

from __future__ import annotations

import asyncio
from typing import Any

from rich.markup import escape
from rich.table import Table

from journeys.cli.addresses import database, workspace
from journeys.cli.console import out, print_json, run
from journeys.cli.options import AsJson, Workspace
from journeys.engine.store.database import Database

LATEST = """
select id, canvas, stored, entered, tries, reason, ended,
    case when ended is null then 'on its way' when reason is null then 'ended' else 'set aside' end as state
from broadcasts where workspace = $1 order by ended is not null, stored desc limit 100
"""
AGAIN = """
update broadcasts set ended = null, tries = 0, reason = null, lease = null
where workspace = $1 and id::text = $2 and reason is not null returning id
"""


def broadcasts(
    *,
    name: Workspace = "default",
    again: str | None = None,
    as_json: AsJson = False,
) -> int:
    """Show the latest broadcasts: how many entered, whether it goes on, and why one was set aside.

    Parameters
    ----------
    name
        The workspace.
    again
        The id of one that was set aside: it goes on where it stood.
    as_json
        Print it as JSON.
    """

    async def work(_: asyncio.Event) -> int:
        async with database() as db:
            publication = await workspace(db, name)
            if again is not None and not await db.pool.fetchval(AGAIN, publication.workspace, again):
                out.print(f"no broadcast of {name} that failed has the id “{again}”", markup=False)
                return 1
            found = await latest(db, publication.workspace)
        if as_json:
            print_json(found)
            return 0
        table = Table()
        for column in ("id", "canvas", "asked for (UTC)", "entered", "state", "why"):
            table.add_column(column)
        for one in found:
            why = escape(one["reason"] or "")
            when = f"{one['stored']:%Y-%m-%d %H:%M}"
            table.add_row(one["id"], one["canvas"], when, f"{one['entered']:,}", one["state"], why)
        out.print(table if found else "there is no broadcast")
        return 0

    return run(work)


async def latest(db: Database, workspace_id: int) -> list[dict[str, Any]]:
    """The latest broadcasts, those on their way first."""
    rows = await db.pool.fetch(LATEST, workspace_id)
    return [{**dict(row), "id": str(row["id"])} for row in rows]
