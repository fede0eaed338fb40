"""`journeys keys`: creates, lists, rotates and revokes API keys."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Annotated

from cyclopts import Parameter
from rich.table import Table

from journeys.canvas.times import span
from journeys.cli.addresses import database, workspace
from journeys.cli.console import err, out, print_json, run
from journeys.cli.options import AsJson, Workspace
from journeys.cli.stop import Stop
from journeys.engine.workspaces.api_keys import (
    ALL,
    NoKey,
    NoNetwork,
    Taken,
    UnknownPermission,
    check_permissions,
    create_key,
    keys_of,
    revoke_key,
    rotate_key,
)
from journeys.engine.workspaces.naming import Unnamed
from journeys.engine.workspaces.publishing import workspace_of

LONGEST_OVERLAP = timedelta(days=90)


def create(
    *,
    name: str,
    workspace_name: Workspace = "default",
    every: Annotated[bool, Parameter("--all")] = False,
    permission: tuple[str, ...] = (),
    network: tuple[str, ...] = (),
) -> int:
    """Create an API key and print it once: it cannot be shown again.

    Parameters
    ----------
    name
        What it is for: up to 100 characters.
    workspace_name
        The workspace that it belongs to, created if needed.
    every
        Give it all permissions.
    permission
        A permission of the key: users.track, canvas.trigger.send …
    network
        An address or a network from which alone the key may be used: 192.0.2.7, 10.0.0.0/8; from anywhere without it.
    """
    if not every and not permission:
        raise Stop("a key needs permissions: --all, or --permission users.track", 2)

    async def work(_: asyncio.Event) -> int:
        from journeys.api.app import permissions

        async with database() as db:
            try:
                check_permissions(permission, permissions())
                identity = await workspace_of(db, workspace_name)
                key = await create_key(db, identity, name, [ALL] if every else permission, network)
            except (Unnamed, UnknownPermission, NoNetwork) as error:
                raise Stop(str(error), 2) from error
            except Taken as error:
                raise Stop(str(error)) from error
        print(key)
        return 0

    return run(work)


def list_(*, workspace_name: Workspace = "default", as_json: AsJson = False) -> int:
    """List the API keys of a workspace: the first characters, the permissions, and when each was last used.

    Parameters
    ----------
    workspace_name
        The workspace.
    as_json
        Print them as JSON.
    """

    async def work(_: asyncio.Event) -> int:
        async with database() as db:
            found = await keys_of(db, (await workspace(db, workspace_name)).workspace)
        if as_json:
            print_json([
                {
                    "name": one.name, "prefix": one.prefix, "permissions": one.permissions,
                    "networks": one.networks, "created": one.created, "last_used": one.last_seen,
                    "former": one.former_until and {
                        "prefix": one.former_prefix, "until": one.former_until, "last_used": one.former_seen,
                    },
                }
                for one in found
            ])  # fmt: skip
            return 0
        table = Table()
        for column in ("key", "begins with", "created (UTC)", "last used (UTC)", "from", "permissions"):
            table.add_column(column)
        for one in found:
            allowed = "all" if ALL in one.permissions else ", ".join(one.permissions)
            networks = ", ".join(one.networks) or "anywhere"
            table.add_row(one.name, one.prefix, minute(one.created), minute(one.last_seen), networks, allowed)
            if one.former_until:
                until = f"former, until {minute(one.former_until)}"
                table.add_row(until, one.former_prefix, "", minute(one.former_seen), "", "")
        out.print(table if found else "there are no keys: `journeys keys create` makes one")
        return 0

    return run(work)


def rotate(name: str, *, workspace_name: Workspace = "default", overlap: str = "1 day") -> int:
    """Replace the secret of a key, and print the new one once. The former one is accepted for a while beside it.

    Parameters
    ----------
    name
        The key.
    workspace_name
        The workspace.
    overlap
        How long the former secret is still accepted: `1 day`, `2 hours`, `0 seconds` for not at all; at most 90 days.
    """
    try:
        kept = span(overlap)
    except ValueError as error:
        raise Stop(
            f"--overlap: “{overlap[:100]}” is not a span: write 1 day, 2 hours or 0 seconds", 2
        ) from error
    if not timedelta(0) <= kept <= LONGEST_OVERLAP:
        raise Stop("--overlap is at most 90 days", 2)

    async def work(_: asyncio.Event) -> int:
        async with database() as db:
            identity = (await workspace(db, workspace_name)).workspace
            try:
                key, until = await rotate_key(db, identity, name, kept)
            except NoKey as error:
                raise Stop(str(error), 2) from error
        said = (
            f"the former secret is accepted until {minute(until)} UTC"
            if kept
            else "the former secret is accepted no longer"
        )
        err.print(said, markup=False)
        print(key)
        return 0

    return run(work)


def revoke(name: str, *, workspace_name: Workspace = "default") -> int:
    """Remove a key: after a second no process accepts it.

    Parameters
    ----------
    name
        The key.
    workspace_name
        The workspace.
    """

    async def work(_: asyncio.Event) -> int:
        async with database() as db:
            try:
                await revoke_key(db, (await workspace(db, workspace_name)).workspace, name)
            except NoKey as error:
                raise Stop(str(error), 2) from error
        out.print(f"revoked: {name}", markup=False)
        return 0

    return run(work)


def minute(instant: datetime | None) -> str:
    """An instant in UTC, to the minute."""
    return "never" if instant is None else f"{instant:%Y-%m-%d %H:%M}"
