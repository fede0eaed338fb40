"""`journeys promotions`: adds promotion codes from files, and lists the promotion lists."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from rich.table import Table

from journeys.canvas.written_instants import instant
from journeys.cli.addresses import database, workspace
from journeys.cli.console import bar, err, out, run
from journeys.cli.options import Workspace
from journeys.cli.stop import Stop
from journeys.engine.clock import Clock
from journeys.engine.intake.csv_columns import Unusable
from journeys.engine.intake.csv_rows import bounded_lines, rows
from journeys.engine.intake.import_files import opened, size_of
from journeys.engine.sources.promotions import Full, code_of, end_of, filling, lists

START, NO_TEXT = 4096, re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")
"""The number of bytes at the beginning of a file that are checked, and the bytes that no text has."""
SHOWN = 5
"""How many refused lines are printed."""


@dataclass
class Refused:
    """Lines that are no codes: how many, and the first of them with the reason."""

    count: int = 0
    first: list[tuple[int, str]] = field(default_factory=list)

    def take(self, line: int, reason: str) -> None:
        """Remember one."""
        self.count += 1
        if len(self.first) < SHOWN:
            self.first.append((line, reason))


def import_(name: str, path: Path, *, expires: str, workspace_name: Workspace = "default") -> int:
    """Add codes to a list, which is created if needed. Codes that the list has are skipped, so a file can be imported again.

    Parameters
    ----------
    name
        The list, as templates name it: {% promotion('NAME') %}.
    path
        The file: one code a line, or CSV with the codes in its first column; a header `code` is skipped.
    expires
        When the list expires, at most six months ahead: no code is sent after that. ISO 8601; UTC without a zone.
    workspace_name
        The workspace.
    """
    ends = instant(expires)
    if ends is None:
        raise Stop(
            f"--expires is not an instant: {expires}; write 2027-05-31 or 2027-05-31T22:00:00+02:00", 2
        )

    async def work(stop: asyncio.Event) -> int:
        async with database() as db:
            publication = await workspace(db, workspace_name)
            refused = Refused()
            read = added = 0
            try:
                end_of(ends, Clock().now())
                with opened(path) as file, bar(path.name, size_of(path)) as progress:
                    codes = _some(path, _codes(_texts(path, file), refused, stop))
                    async for filled in filling(db, publication.workspace, name, ends, codes):
                        read, added = filled.read, filled.added
                        progress(file.buffer.tell())
            except (Full, Unusable) as error:
                _tell(refused)
                raise Stop(str(error), 2) from error
        out.print(f"{name}: {read:,} codes read, {added:,} new; the list expires {ends:%Y-%m-%d %H:%M} UTC")
        _tell(refused)
        return 130 if stop.is_set() else 1 if refused.count else 0

    return run(work)


def _tell(refused: Refused) -> None:
    for line, reason in refused.first:
        err.print(f"  line {line}: {reason}", markup=False)
    if refused.count:
        err.print(f"refused: {refused.count:,} {'line' if refused.count == 1 else 'lines'}")


def _texts(path: Path, file: Any) -> Any:
    """The lines of the file; raises `Unusable` where it begins as no text does."""
    if NO_TEXT.search(file.buffer.peek(START)[:START]):
        raise Unusable(f"{path} is not a text file: codes are written one per line")
    return bounded_lines(file)


def _some(path: Path, codes: Iterator[str]) -> Iterator[str]:
    """The codes; raises `Unusable` before a list is made where there are none."""
    first = next(codes, None)
    if first is None:
        raise Unusable(f"{path} has no codes")
    return chain((first,), codes)


def _codes(file: Iterator[str], refused: Refused, stop: asyncio.Event) -> Iterator[str]:
    for row in rows(file):
        if stop.is_set():
            return
        cell = row.cells[0] if row.cells else ""
        if row.line == 1 and cell.strip().lower() == "code":
            continue
        code = code_of(cell)
        if code is None or row.wrong is not None:
            refused.take(row.line, row.wrong or "a code has 1 to 200 characters")
        else:
            yield code


def list_(*, workspace_name: Workspace = "default") -> int:
    """List the promotion lists of a workspace: when each expires, how many codes are unused, how many are charged.

    Parameters
    ----------
    workspace_name
        The workspace.
    """

    async def work(_: asyncio.Event) -> int:
        async with database() as db:
            publication = await workspace(db, workspace_name)
            found = await lists(db.pool, publication.workspace)
        table = Table()
        for column in ("list", "expires (UTC)", "unused", "charged"):
            table.add_column(column)
        for one in found:
            ends = f"{one['expires']:%Y-%m-%d %H:%M}"
            table.add_row(one["name"], ends, f"{one['unused']:,}", f"{one['charged']:,}")
        out.print(table if found else "there are no lists")
        return 0

    return run(work)
