"""CSV import of people and events, from a file of any size; refused rows go into a report.

The file streams, in batches of one transaction each, through the code behind `/users/track`. Importing it again
has no effect: attributes get the same values, and events are known by the mark of their row where they have no id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from journeys.engine.clock import Clock
from journeys.engine.intake.csv_columns import Header, Kind, Unusable, typed
from journeys.engine.intake.csv_rows import Row, bounded_lines, marked, rows
from journeys.engine.intake.import_files import SHOWN, Outcome, Report, opened, through
from journeys.engine.intake.track import track
from journeys.engine.ports import AlarmSync, Notifier
from journeys.engine.store.database import Database
from journeys.engine.workspaces.published import Published

Parts = tuple[Database, Published, Clock, AlarmSync, Notifier]


@dataclass(slots=True)
class Imported(Outcome):
    """What became of the rows. `created` and `updated` count people, batch by batch.

    `warnings` holds the first thousand, as line and reason. An import that was stopped goes on with `after_line=line`,
    or from the top, which does nothing twice.
    """

    created: int = 0
    updated: int = 0
    warnings: list[tuple[int, str]] = field(default_factory=list)

    def warn(self, line: int, text: str) -> None:
        """Say something of a row that is taken all the same."""
        if len(self.warnings) < SHOWN:
            self.warnings.append((line, text))


async def import_file(
    parts: Parts,
    workspace: int,
    path: Path,
    *,
    kind: Kind = "attributes",
    report: Path | None = None,
    progress: Callable[[int], None] | None = None,
    stop: asyncio.Event | None = None,
    after_line: int = 0,
    preview: bool = False,
) -> Imported:
    """Import a CSV file (CSV-1 to CSV-4, CSV-6, CSV-7, CSV-9), and return the outcome. A row that is not valid does not affect others.

    `report` is a file for the refused rows, with line and reason, that can be corrected and imported itself; it is made
    only where a row is refused. `progress` gets the number of bytes read after each batch. When `stop` is set,
    the import ends after the current batch. Rows up to `after_line` are skipped. A `preview` says what would become of the first five
    hundred of the others, and writes nothing, no report either (CSV-7). Raises `Unusable`.
    """
    result = Imported(line=after_line)
    with ExitStack() as stack:
        file = stack.enter_context(opened(path))
        lines = marked(rows(bounded_lines(file)))
        header = Header.read(next(lines, None), kind, path.name)
        for text in header.remarks:
            result.warn(1, text)
        refusing = stack.enter_context(Report(None if preview else report, header.names, path))
        take = partial(_import, parts, workspace, header, result, refusing, preview)
        await through(file, lines, result, take, progress=progress, stop=stop, preview=preview)
    return result


def first_rows(path: Path, *, kind: Kind = "attributes", count: int = 5) -> list[Mapping[str, Any]]:
    """The first rows as the objects that would be written, without writing them (CSV-7). Raises `Unusable`."""
    found: list[Mapping[str, Any]] = []
    with opened(path) as file:
        lines = rows(bounded_lines(file))
        header = Header.read(next(lines, None), kind, path.name)
        for row, _ in zip(lines, range(count), strict=False):
            said, _ = header.object_of(row)
            found.append({"line": row.line, "refused": said} if isinstance(said, str) else said)
    return found


async def _import(
    parts: Parts,
    workspace: int,
    header: Header,
    result: Imported,
    report: Report,
    preview: bool,  # noqa: FBT001 - bound by its caller
    batch: list[Row],
) -> None:
    objects: list[dict[str, Any]] = []
    of: list[Row] = []
    for row in batch:
        result.rows += 1
        said, remarks = header.object_of(row)
        for text in remarks:
            result.warn(row.line, text)
        if isinstance(said, str):
            result.refuse(row, said, report)  # CSV-1, CSV-7
        else:
            objects.append(said if header.kind == "attributes" else {"event_id": f"row {row.mark}", **said})
            of.append(row)
    objects, of = await _allowed(parts[0], workspace, objects, of, result, report)
    if not objects:
        return
    tracked = await track(*parts, workspace, {header.kind: objects}, preview=preview, alike=False)
    refused: dict[int, list[str]] = {}
    for error in tracked.errors:
        refused.setdefault(error["index"], []).append(error["type"])
    for index, reasons in refused.items():
        result.refuse(of[index], "; ".join(reasons), report)  # CSV-7
    for warning in tracked.warnings:
        result.warn(of[warning["index"]].line, warning["type"])
    result.taken += tracked.taken[header.kind]
    result.created += len(tracked.created)
    result.updated += len(tracked.people - tracked.created)


IDENTIFIED = """
select a.label, a.name from aliases a join people p on (p.workspace, p.id) = (a.workspace, a.person)
where a.workspace = $1 and p.external_id is not null
    and (a.label, a.name) in (select * from unnest($2::text[], $3::text[]))
"""
EXISTING = """
select id::text from people where workspace = $1 and id::text = any($2::text[])
union all select old::text from merged where workspace = $1 and old::text = any($2::text[])
"""
"""The ids of people, and of those who are one with another now."""


async def _allowed(
    db: Database,
    workspace: int,
    objects: list[dict[str, Any]],
    of: list[Row],
    result: Imported,
    report: Report,
) -> tuple[list[dict[str, Any]], list[Row]]:
    """An import by alias does not change identified people, and one by `braze_id` creates no one (CSV-2)."""
    aliases = [said["user_alias"] for said in objects if "user_alias" in said]
    ids = [said["braze_id"].lower() for said in objects if "braze_id" in said]
    barred: set[tuple[str, str]] = set()
    known: set[str] = set()
    if aliases:
        labels, names = [one["alias_label"] for one in aliases], [one["alias_name"] for one in aliases]
        barred = {(row[0], row[1]) for row in await db.pool.fetch(IDENTIFIED, workspace, labels, names)}
    if ids:
        known = {row[0] for row in await db.pool.fetch(EXISTING, workspace, ids)}
    kept: list[tuple[dict[str, Any], Row]] = []
    for said, row in zip(objects, of, strict=True):
        alias = said.get("user_alias")
        if alias and (alias["alias_label"], alias["alias_name"]) in barred:  # CSV-2
            result.refuse(row, "the alias belongs to a person who has an external id", report)
        elif "braze_id" in said and said["braze_id"].lower() not in known:  # CSV-2
            result.refuse(row, "there is no person with this braze_id", report)
        else:
            kept.append((said, row))
    return [said for said, _ in kept], [row for _, row in kept]


__all__ = ["Imported", "Kind", "Parts", "Unusable", "first_rows", "import_file", "typed"]
