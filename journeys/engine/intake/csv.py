"""CSV import: people, or what they did, from a file of any size; what was refused goes into a report.

The file streams, in batches of one transaction each, through the code behind `/users/track`. Importing it again does
nothing twice: attributes come to the same, and an event that is known is refused as a double.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any

from journeys.engine.clock import Clock
from journeys.engine.intake.columns import Header, Kind, Unusable, typed
from journeys.engine.intake.rows import Quoted, Row, rows
from journeys.engine.people.track import track
from journeys.engine.ports import Bell, Teller
from journeys.engine.published import Published
from journeys.engine.store.database import Database

BATCH = 500
"""Rows of one transaction."""

SHOWN = 1000
"""So many refusals and warnings are kept in memory; the report has all refusals."""

REPORT_COLUMNS = ("import_line", "import_reason")
"""What the report of refused rows adds to the file's own columns; an import does not read them."""

Parts = tuple[Database, Published, Clock, Teller, Bell]


@dataclass(slots=True)
class Imported:
    """What became of the rows. Lines count from 1, the header being the first.

    `created` and `updated` count people, batch by batch. `refused` and `warnings` hold the first thousand, as line
    and reason; `refusals` counts all. `line` is the last that was dealt with: an import that was `stopped` goes on
    with `after_line=line`, or from the top, which does nothing twice.
    """

    rows: int = 0
    taken: int = 0
    created: int = 0
    updated: int = 0
    refusals: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)
    warnings: list[tuple[int, str]] = field(default_factory=list)
    line: int = 0
    stopped: bool = False

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
) -> Imported:
    """Import a CSV file (CSV-1 to CSV-4, CSV-6, CSV-7, CSV-9), and say what became of its rows. Wrong rows sink no other.

    `report` is a file for the refused rows, with line and reason, that can be mended and imported itself; it is made
    only where a row is refused. `progress` is told after each batch how many bytes were read. When `stop` is set,
    the import ends after the batch at hand. Rows up to `after_line` are passed over. Raises `Unusable`.
    """
    result = Imported(line=after_line)
    with ExitStack() as stack:
        file = stack.enter_context(opened(path))
        lines = rows(file)
        header = Header.read(next(lines, None), kind, path.name)
        for text in header.remarks:
            result.warn(1, text)
        refusing = stack.enter_context(Report(report, header.names, path))
        for batch in batches(lines, after_line):
            await _import(parts, workspace, header, batch, result, refusing)
            result.line = batch[-1].line
            if progress is not None:
                progress(file.buffer.tell())
            if stop is not None and stop.is_set():
                result.stopped = True
                break
    return result


def preview(path: Path, *, kind: Kind = "attributes", count: int = 5) -> list[Mapping[str, Any]]:
    """The first rows as the objects that would be written, without writing them (CSV-7). Raises `Unusable`."""
    found: list[Mapping[str, Any]] = []
    with opened(path) as file:
        lines = rows(file)
        header = Header.read(next(lines, None), kind, path.name)
        for row, _ in zip(lines, range(count), strict=False):
            said, _ = header.object_of(row)
            found.append({"line": row.line, "refused": said} if isinstance(said, str) else said)
    return found


def size_of(path: Path) -> int:
    """The file's size in bytes, 0 where it cannot be looked at."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The file as text; bytes that are not UTF-8 are marked, and spoil their own row only."""
    try:
        file = path.open(encoding="utf-8-sig", errors="surrogateescape", newline=None)
    except OSError as error:
        raise Unusable(f"{path} cannot be read: {error.strerror}") from error
    with file:
        yield file


def batches(lines: Iterator[Row], after_line: int) -> Iterator[list[Row]]:
    """Rows of one transaction each, without those up to a line."""
    batch: list[Row] = []
    for row in lines:
        if row.line <= after_line:
            continue
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


async def _import(
    parts: Parts, workspace: int, header: Header, batch: list[Row], result: Imported, report: Report
) -> None:
    objects: list[dict[str, Any]] = []
    of: list[Row] = []
    for row in batch:
        result.rows += 1
        said, remarks = header.object_of(row)
        for text in remarks:
            result.warn(row.line, text)
        if isinstance(said, str):
            _refuse(result, report, row, said)
        else:
            objects.append(said)
            of.append(row)
    objects, of = await _allowed(parts[0], workspace, objects, of, result, report)
    if not objects:
        return
    tracked = await track(*parts, workspace, {header.kind: objects})
    for error in tracked.errors:
        _refuse(result, report, of[error["index"]], error["type"])
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
EXISTING = "select id::text from people where workspace = $1 and id::text = any($2::text[])"


async def _allowed(
    db: Database,
    workspace: int,
    objects: list[dict[str, Any]],
    of: list[Row],
    result: Imported,
    report: Report,
) -> tuple[list[dict[str, Any]], list[Row]]:
    """An import by alias leaves identified people alone, and one by `braze_id` makes nobody (CSV-2)."""
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
        if alias and (alias["alias_label"], alias["alias_name"]) in barred:
            _refuse(result, report, row, "the alias belongs to somebody who has an external id")
        elif "braze_id" in said and said["braze_id"].lower() not in known:
            _refuse(result, report, row, "nobody has this braze_id")
        else:
            kept.append((said, row))
    return [said for said, _ in kept], [row for _, row in kept]


def _refuse(result: Imported, report: Report, row: Row, reason: str) -> None:
    result.refusals += 1
    if len(result.refused) < SHOWN:
        result.refused.append((row.line, reason))
    report.write(row, reason)


class Report:
    """The file of refused rows, made with the first of them; it takes its place when it is whole.

    An import that ends in an error leaves what it has as well: those rows were refused. What is no regular file
    (`/dev/stderr`, say) is written to as it stands. Raises `Unusable` where the report cannot be written, or is the
    file that is read.
    """

    def __init__(self, path: Path | None, columns: Sequence[str], source: Path) -> None:
        self._path = None if path is None else path.resolve()
        self._columns = columns
        self._file: IO[str] | None = None
        if path is not None:
            self._check(path, source)

    @staticmethod
    def _check(path: Path, source: Path) -> None:
        try:
            if path.exists() and path.samefile(source):
                raise Unusable(f"the report cannot be {path}: that is the file to import")
            if path.is_dir():
                raise Unusable(f"the report cannot be {path}: that is a folder")
            if not os.access(path.parent, os.W_OK):
                raise Unusable(f"the report cannot be {path}: nothing can be written to {path.parent}")
        except OSError as error:
            raise Unusable(f"the report cannot be {path}: {error.strerror}") from error

    def __enter__(self) -> Report:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None and self._path is not None:
            self._file.close()
            if Path(self._file.name) != self._path:
                Path(self._file.name).replace(self._path)

    def write(self, row: Row, reason: str) -> None:
        """Add a row; one that could not be split into cells stands in the first of them as it was."""
        if self._path is None:
            return
        names = [name for name in self._columns if name not in REPORT_COLUMNS]
        if self._file is None:
            self._file = _beside(self._path)
            self._file.write(_line([*names, *REPORT_COLUMNS]))
        by_name = dict(zip(self._columns, row.cells, strict=False))
        whole = len(row.cells) == len(self._columns)
        cells = [by_name[name] for name in names] if whole else [row.raw.strip(), *[""] * (len(names) - 1)]
        self._file.write(_line([*cells, str(row.line), reason]))


def _beside(path: Path) -> IO[str]:
    """A new file that can take the place of this one."""
    if path.exists() and not path.is_file():
        return path.open("w", encoding="utf-8", newline="")
    options: dict[str, Any] = {
        "prefix": f".{path.name[:100]}.",
        "delete": False,
        "encoding": "utf-8",
        "newline": "",
    }
    return NamedTemporaryFile("w", dir=path.parent, **options)


def _line(cells: Sequence[str]) -> str:
    """A row of the report: what stood in quotes stands in quotes again, since it is text."""
    return ",".join(_cell(cell) for cell in cells) + "\r\n"


def _cell(cell: str) -> str:
    needed = isinstance(cell, Quoted) or any(sign in cell for sign in ',"\r\n')
    return '"' + cell.replace('"', '""') + '"' if needed else cell


__all__ = [
    "Imported", "Kind", "Parts", "Report", "Unusable", "batches", "import_file", "opened", "preview", "size_of", "typed",
]  # fmt: skip
