"""`journeys keys usage`: how often the API was called, by key and route, and how near its limits came."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.table import Table

from journeys.cli.addresses import database, workspace
from journeys.cli.console import err, out, print_json, run
from journeys.cli.options import AsJson, Workspace
from journeys.engine.workspaces.api_usage import this_hour, usage_of


def usage(
    *,
    name: str | None = None,
    hours: Annotated[int, Parameter(validator=Number(gte=1, lte=2160))] = 24,
    workspace_name: Workspace = "default",
    as_json: AsJson = False,
) -> int:
    """Show the calls of each key to each route by hour (UTC), those that were too many, and how much of each limit was used.

    A limit of which 80 % or more were used within one window is warned of.

    Parameters
    ----------
    name
        Calls of this key only.
    hours
        So many hours, this one included; at most 90 days.
    workspace_name
        The workspace.
    as_json
        Print it as JSON.
    """
    since = this_hour() - timedelta(hours=hours - 1)

    async def work(_: asyncio.Event) -> int:
        async with database() as db:
            calls, peaks = await usage_of(db, (await workspace(db, workspace_name)).workspace, since, name)
        if as_json:
            print_json({
                "calls": [
                    {
                        "hour": one.hour, "key": one.key, "endpoint": one.endpoint,
                        "calls": one.calls, "rate_limited": one.refused,
                    }
                    for one in calls
                ],
                "limits": [
                    {
                        "hour": one.hour, "limit": one.bucket,
                        "calls": one.calls, "used": one.used, "near": one.near,
                    }
                    for one in peaks
                ],
            })  # fmt: skip
            return 0
        table = Table()
        for column in ("hour (UTC)", "key", "route", "calls", "too many"):
            table.add_column(column, justify="right" if column in ("calls", "too many") else "left")
        for one in calls:
            counts = (str(one.calls), str(one.refused or ""))
            table.add_row(f"{one.hour:%Y-%m-%d %H:00}", one.key, one.endpoint, *counts)
        out.print(table if calls else "there were no calls")
        for peak in peaks:
            if peak.near:
                share = round(100 * peak.used / peak.calls)
                said = f"{peak.hour:%Y-%m-%d %H:00}: {share} % of the limit {peak.bucket} was used within a window"
                err.print(f"{said} ({peak.used} of {peak.calls} calls)", style="yellow", markup=False)
        return 0

    return run(work)
