"""`journeys apps`: makes, lists and removes the apps of a workspace."""

from __future__ import annotations

import asyncio
from typing import Annotated

from cyclopts import Parameter
from rich.table import Table

from journeys.cli.addresses import database, workspace
from journeys.cli.console import err, out, print_json, run
from journeys.cli.keys import minute
from journeys.cli.options import AsJson, Workspace
from journeys.cli.stop import Stop
from journeys.engine.workspaces.api_keys import Taken
from journeys.engine.workspaces.apps import NoApp, Platform, apps_of, create_app, remove_app
from journeys.engine.workspaces.naming import Unnamed
from journeys.engine.workspaces.publishing import workspace_of


def create(
    name: str,
    *,
    platform: Annotated[Platform, Parameter(show_choices=True)] = "other",
    workspace_name: Workspace = "default",
) -> int:
    """Make an app, and print its publishable key: with it the app sends what people do, and can read nothing.

    Parameters
    ----------
    name
        What it is called: up to 100 characters.
    platform
        What it runs on.
    workspace_name
        The workspace that it belongs to, created if needed.
    """

    async def work(_: asyncio.Event) -> int:
        async with database() as db:
            try:
                made = await create_app(db, await workspace_of(db, workspace_name), name, platform)
            except Unnamed as error:
                raise Stop(str(error), 2) from error
            except Taken as error:
                raise Stop(str(error)) from error
        err.print(f"app_id: {made.id}", markup=False)
        print(made.publishable)
        return 0

    return run(work)


def list_(*, workspace_name: Workspace = "default", as_json: AsJson = False) -> int:
    """List the apps of a workspace: their ids, their publishable keys, and when each was last used.

    Parameters
    ----------
    workspace_name
        The workspace.
    as_json
        Print them as JSON.
    """

    async def work(_: asyncio.Event) -> int:
        async with database() as db:
            found = await apps_of(db, (await workspace(db, workspace_name)).workspace)
        if as_json:
            print_json([
                {
                    "app_id": str(one.id), "name": one.name, "platform": one.platform,
                    "publishable_key": one.publishable, "created": one.created, "last_used": one.last_seen,
                }
                for one in found
            ])  # fmt: skip
            return 0
        table = Table()
        for column in ("app", "platform", "app_id", "publishable key", "created (UTC)", "last used (UTC)"):
            table.add_column(column)
        for one in found:
            used = minute(one.last_seen)
            table.add_row(one.name, one.platform, str(one.id), one.publishable, minute(one.created), used)
        out.print(table if found else "there are no apps: `journeys apps create` makes one")
        return 0

    return run(work)


def remove(name: str, *, workspace_name: Workspace = "default") -> int:
    """Remove an app: after a second no process accepts its key. What it has sent stays.

    Parameters
    ----------
    name
        The app.
    workspace_name
        The workspace.
    """

    async def work(_: asyncio.Event) -> int:
        async with database() as db:
            try:
                await remove_app(db, (await workspace(db, workspace_name)).workspace, name)
            except NoApp as error:
                raise Stop(str(error), 2) from error
        out.print(f"removed: {name}", markup=False)
        return 0

    return run(work)
