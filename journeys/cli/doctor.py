"""`doctor`: looks at the database and at what runs on it, says what is to be done, and does what is safe if it is asked to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict

from journeys.cli.addresses import database_address, reached
from journeys.cli.console import err, out, print_json, run
from journeys.cli.options import AsJson
from journeys.engine.clock import Clock
from journeys.engine.store.database import Database
from journeys.engine.store.health_checks import SCHEMA, Examined, Verdict, examine
from journeys.engine.store.shared_clock import read_clock
from journeys.workflows.health_checks import CHECKS


def doctor(*, fix: bool = False, as_json: AsJson = False) -> int:
    """Look at the database and at what runs on it: schema, partitions, indexes, dead rows, disk, clocks, processes,
    entries past their alarm, claims, retention.

    The exit code is 1 where something is to be done.

    Parameters
    ----------
    fix
        Do what is to be done, where that is safe, and say what was done.
    as_json
        Print it as JSON.
    """

    async def work(_: asyncio.Event) -> int:
        async with database_address() as url:
            await reached(url)
            async with Database.at(url, size=2) as db:
                verdicts = await found_in(db, fix=fix)
        if as_json:
            print_json([asdict(one) for one in verdicts])
        else:
            _show(verdicts)
        return 1 if any(one.todo for one in verdicts) else 0

    return run(work)


async def found_in(db: Database, *, fix: bool) -> list[Verdict]:
    """What all checks say; only that of the schema where the others could not look."""
    verdicts = await examine(Examined(db, Clock()), [SCHEMA], fix=fix)
    if any(one.todo for one in verdicts):
        return verdicts
    return verdicts + await examine(Examined(db, await read_clock(db)), CHECKS, fix=fix)


def _show(verdicts: Sequence[Verdict]) -> None:
    for one in verdicts:
        if one.fixed:
            out.print(f"{one.check}: {one.fixed}", markup=False, soft_wrap=True)
        if one.todo:
            err.print(f"{one.check}: {one.found}: {one.todo}", style="yellow", markup=False, soft_wrap=True)
        else:
            out.print(f"{one.check}: {one.found}", markup=False, soft_wrap=True)
