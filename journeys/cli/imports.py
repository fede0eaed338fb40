"""`import`: people, events and items of catalogs from CSV files."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, Literal

from journeys.cli.addresses import database, workspace
from journeys.cli.console import bar, err, out, run
from journeys.cli.options import Workspace
from journeys.cli.stop import Stop
from journeys.engine.intake.catalog_import import import_items
from journeys.engine.intake.csv_import import Imported, Unusable, first_rows, import_file
from journeys.engine.intake.import_files import Outcome, size_of
from journeys.engine.ports import NullNotifier
from journeys.engine.store.shared_clock import read_clock
from journeys.engine.workspaces.published import Published


def import_(
    path: Path,
    *,
    name: Workspace = "default",
    kind: Literal["attributes", "events"] | None = None,
    catalog: str | None = None,
    report: Path | None = None,
    after_line: int = 0,
    preview: bool = False,
) -> int:
    """Import people, events or items of a catalog from a CSV file. Rows that are not valid are refused, and the others are imported.

    The report has the refused rows with line and reason; correct it and import it.

    Parameters
    ----------
    path
        The file: UTF-8, a header, a column that identifies the person; for a catalog its fields, `id` first.
    name
        The workspace.
    kind
        What its rows are; attributes of people by default.
    catalog
        The name of the catalog to import items into.
    report
        The file for the refused rows; beside the imported file by default.
    after_line
        Continue after this line, to resume an import that was stopped.
    preview
        Say what would become of the first 500 rows: who would be created, updated, refused. Write nothing.
    """
    if kind is not None and catalog is not None:
        raise Stop("--kind is for rows about people: it cannot be used with --catalog", 2)

    async def work(stop: asyncio.Event) -> int:
        async with database() as db:
            publication = await workspace(db, name)
            refused = report or beside(path)
            try:
                with bar(path.name, size_of(path)) as progress:
                    more: dict[str, Any] = {
                        "report": refused,
                        "progress": progress,
                        "stop": stop,
                        "after_line": after_line,
                        "preview": preview,
                    }
                    result: Outcome
                    if catalog is not None:
                        result = await import_items(db, publication.workspace, catalog, path, **more)
                    else:
                        parts = (db, Published(db), await read_clock(db), NullNotifier(), NullNotifier())
                        result = await import_file(
                            parts, publication.workspace, path, kind=kind or "attributes", **more
                        )
            except Unusable as error:
                raise Stop(str(error), 2) from error
        if preview:
            _foreseen(path, kind, catalog)
        _told(result, path, None if preview else refused, preview=preview)
        return 130 if result.stopped else 1 if result.refusals else 0

    return run(work)


def beside(path: Path) -> Path | None:
    """Where the refused rows of a file go; nowhere where it has no name, and so is no file."""
    return path.with_suffix(".refused.csv") if path.name else None


def _foreseen(path: Path, kind: Literal["attributes", "events"] | None, catalog: str | None) -> None:
    """The first rows about people as they would be written."""
    if catalog is None:
        for row in first_rows(path, kind=kind or "attributes"):
            out.print(json.dumps(row, ensure_ascii=False), markup=False, soft_wrap=True)


def _told(result: Outcome, path: Path, report: Path | None, *, preview: bool) -> None:
    would = "would be " if preview else ""
    people = ""
    if isinstance(result, Imported):
        people = f" ({result.created:,} people {would}created, {result.updated:,} {would}updated)"
    which = "the first " if preview else ""
    out.print(
        f"{path.name}: {which}{result.rows:,} rows, {result.taken:,} {would}taken{people}, {result.refusals:,} {would}refused"
    )
    if preview:
        out.print("nothing was written")
    for line, text in result.warnings[:10] if isinstance(result, Imported) else ():
        err.print(f"  line {line}: {text}", markup=False)
    if result.refusals:
        err.print("refused:")
        for line, reason in result.refused[:5]:
            err.print(f"  line {line}: {reason}", markup=False)
        if report is not None:
            err.print(f"all refused rows: {report}", markup=False)
    if result.stopped:
        err.print(
            f"stopped after line {result.line}: continue with --after-line {result.line}, or import it again"
        )
