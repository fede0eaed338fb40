"""What all CSV imports share: streaming in batches, and the report of refused rows."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any

from journeys.engine.intake.csv_columns import Unusable
from journeys.engine.intake.csv_rows import Quoted, Row

BATCH = 500
"""Rows of one transaction."""

SHOWN = 1000
"""How many refusals and warnings are kept in memory; the report has all refusals."""

REPORT_COLUMNS = ("import_line", "import_reason")
"""What the report of refused rows adds to the file's own columns; an import does not read them."""


@dataclass(slots=True)
class Outcome:
    """What became of the rows. Lines count from 1, the header being the first.

    `refused` holds the first thousand, as line and reason; `refusals` counts all. `line` is the last that was dealt with.
    """

    rows: int = 0
    taken: int = 0
    refusals: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)
    line: int = 0
    stopped: bool = False

    def refuse(self, row: Row, reason: str, report: Report) -> None:
        """A row is not taken."""
        self.refusals += 1
        if len(self.refused) < SHOWN:
            self.refused.append((row.line, reason))
        report.write(row, reason)  # CSV-7


async def through(
    file: Any,
    lines: Iterator[Row],
    result: Outcome,
    take: Callable[[list[Row]], Awaitable[None]],
    *,
    progress: Callable[[int], None] | None,
    stop: asyncio.Event | None,
    preview: bool = False,
) -> None:
    """Take the rows after `result.line`, batch by batch; of a preview the first batch alone.

    `progress` gets the number of bytes read after each. When `stop` is set, the import ends after the current batch.
    """
    for batch in _batches(lines, result.line):
        await take(batch)
        result.line = batch[-1].line
        if progress is not None:
            progress(file.buffer.tell())  # CSV-7
        if stop is not None and stop.is_set():
            result.stopped = True
            break
        if preview:
            break


def _batches(lines: Iterator[Row], after_line: int) -> Iterator[list[Row]]:
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


def size_of(path: Path) -> int:
    """The file's size in bytes, 0 where it cannot be looked at."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The file as text; bytes that are not UTF-8 are marked, and affect their own row only."""
    try:
        file = path.open(encoding="utf-8-sig", errors="surrogateescape", newline=None)
    except OSError as error:
        raise Unusable(f"{path} cannot be read: {error.strerror}") from error
    with file:
        yield file


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
