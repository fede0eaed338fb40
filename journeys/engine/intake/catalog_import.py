"""CSV import of catalog items: a file of any size, streamed; refused rows go into a report (CAT-6)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

from journeys.canvas.problems import meant
from journeys.engine.intake.csv_columns import Unusable
from journeys.engine.intake.csv_rows import Row, bounded_lines, rows
from journeys.engine.intake.import_files import REPORT_COLUMNS, Outcome, Report, opened, through
from journeys.engine.sources.catalogs.items import id_faults, lay_over
from journeys.engine.sources.catalogs.requests import Invalid
from journeys.engine.sources.catalogs.schema import shared_types, types_of
from journeys.engine.sources.catalogs.values import Refused, coerced
from journeys.engine.store.database import Database, Undone

MOST_COLUMNS = 1000


async def import_items(
    db: Database,
    workspace: int,
    catalog: str,
    path: Path,
    *,
    report: Path | None = None,
    progress: Callable[[int], None] | None = None,
    stop: asyncio.Event | None = None,
    after_line: int = 0,
    preview: bool = False,
) -> Outcome:
    """Import a CSV file into a catalog that is there: by its header, each cell of its field's type.

    A row creates an item, or updates the columns of the item of its id; an empty cell changes nothing. Wrong rows do not
    affect others. `report`, `progress`, `stop`, `after_line` and `preview` are those of the import of people: one that was stopped goes on
    after `line`, or from the top, which has the same result. Raises `Unusable`.
    """
    result = Outcome(line=after_line)
    with ExitStack() as stack:
        file = stack.enter_context(opened(path))
        lines = rows(bounded_lines(file))
        types = await _types(db, workspace, catalog)
        names = _header(next(lines, None), types, path.name)
        refusing = stack.enter_context(Report(None if preview else report, names, path))
        take = partial(_import, db, workspace, catalog, names, result, refusing, preview)
        with suppress(Undone):
            await through(file, lines, result, take, progress=progress, stop=stop, preview=preview)
    return result


async def _types(db: Database, workspace: int, catalog: str) -> Mapping[str, str]:
    try:
        return await types_of(db.pool, workspace, catalog)
    except Invalid as error:
        known = [
            row[0] for row in await db.pool.fetch("select name from catalogs where workspace = $1", workspace)
        ]
        raise Unusable(
            f"there is no catalog “{catalog}” ({meant(catalog, known) or 'publish it first'})"
        ) from error


def _header(row: Row | None, types: Mapping[str, str], file: str) -> tuple[str, ...]:
    """The columns, which are fields of the catalog, `id` the first of them (CAT-6). Raises `Unusable`."""
    if row is None:
        raise Unusable(f"{file} is empty: a header row was expected")
    if row.wrong is not None:
        raise Unusable(f"{file}:1: the header cannot be read: {row.wrong}")
    names = tuple(str(name).strip() for name in row.cells)
    if names[0] != "id":  # CAT-6
        raise Unusable(f"{file}:1: the first column must be “id”, not “{names[0][:60]}”")
    if len(names) > MOST_COLUMNS:
        raise Unusable(f"{file}:1: there are {len(names)} columns; at most {MOST_COLUMNS} are allowed")
    for name in names:
        if names.count(name) > 1:
            raise Unusable(f"{file}:1: the column “{name}” appears twice")
        if name not in types and name not in REPORT_COLUMNS:  # CAT-6
            raise Unusable(f"{file}:1: the catalog has no field “{name[:60]}” ({meant(name, types)})")
    return names


async def _import(
    db: Database,
    workspace: int,
    catalog: str,
    names: tuple[str, ...],
    result: Outcome,
    report: Report,
    preview: bool,  # noqa: FBT001 - bound by its caller
    batch: list[Row],
) -> None:
    items: dict[str, dict[str, Any]] = {}
    async with db.transaction() as connection:
        types = await shared_types(connection, workspace, catalog)
        for row in batch:
            result.rows += 1
            said = _item(row, names, types)
            if isinstance(said, str):
                result.refuse(row, said, report)
            else:
                result.taken += 1
                items[said["id"]] = {**items.get(said["id"], {}), **said}
        if items:
            await lay_over(connection, workspace, catalog, items)
        if preview:
            raise Undone(None)


def _item(row: Row, names: tuple[str, ...], types: Mapping[str, str]) -> dict[str, Any] | str:
    """The item of a row, or why it is refused."""
    if row.wrong is not None:
        return row.wrong
    if len(row.cells) != len(names):
        return f"the row has {len(row.cells)} cells, the header {len(names)}"
    item: dict[str, Any] = {}
    for name, cell in zip(names, row.cells, strict=True):
        text = str(cell)
        if name in REPORT_COLUMNS or name not in types or not text.strip():
            continue
        try:
            item[name] = coerced(types[name], text if types[name] == "string" else text.strip())  # CAT-6
        except Refused as refused:
            return f"{name}: {refused.message}"
    item["id"] = str(item.get("id", "")).strip()
    for fault in id_faults([item["id"]]):
        return f"id: {fault.message}"
    return item
