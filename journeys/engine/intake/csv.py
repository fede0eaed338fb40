"""People and events from CSV files, through the same door as the API (CSV-1 to CSV-7)."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from journeys.engine.clock import Clock
from journeys.engine.intake.times import instant
from journeys.engine.people.standard import COLUMNS, CONSENTS, STANDARD
from journeys.engine.people.track import MOST, track
from journeys.engine.ports import Bell, Teller
from journeys.engine.published import Published
from journeys.engine.store.database import Database

IDENTIFIERS = ("external_id", "braze_id", "email", "phone")
ALIAS = ("user_alias_name", "user_alias_label")


class Unusable(ValueError):
    """A file that cannot be imported at all; the message says why."""


@dataclass(slots=True)
class Imported:
    """What became of the rows: lines count from 1, the header being the first."""

    rows: int = 0
    taken: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)
    warnings: list[tuple[int, str]] = field(default_factory=list)
    stopped: bool = False


Parts = tuple[Database, Published, Clock, Teller, Bell]


async def import_file(
    parts: Parts,
    workspace: int,
    path: Path,
    *,
    kind: Literal["attributes", "events"] = "attributes",
    progress: Callable[[int], None] | None = None,
    stop: asyncio.Event | None = None,
) -> Imported:
    """Take a file's rows, 75 at a time; wrong rows are reported and sink no other.

    `progress` is told how many bytes were read. Where `stop` is set it ends after the batch at hand; importing the
    file again does no harm: attributes are set to the same values, doubles of events are refused. Raises Unusable.
    """
    result = Imported()
    rows = _rows(path, kind, result, progress)
    while batch := await asyncio.to_thread(_take, rows):
        tracked = await track(*parts, workspace, {kind: [given for _, given in batch]})
        result.taken += tracked.taken.get(kind, 0)
        result.refused += [(batch[error["index"]][0], error["type"]) for error in tracked.errors]
        result.warnings += [(batch[error["index"]][0], error["type"]) for error in tracked.warnings]
        if stop is not None and stop.is_set():
            result.stopped = True
            break
    result.refused.sort()
    return result


def _take(rows: Iterator[tuple[int, dict[str, Any]]]) -> list[tuple[int, dict[str, Any]]]:
    return [row for _, row in zip(range(MOST), rows, strict=False)]


def _rows(
    path: Path, kind: str, result: Imported, progress: Callable[[int], None] | None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of the rows, each with its line; rows of a wrong shape go to the refused."""
    try:
        raw = path.open("rb")
    except OSError as error:
        raise Unusable(f"{path} cannot be read: {error.strerror}") from error
    with raw:
        reader = csv.reader(_lines(raw, path, progress), strict=True)
        header = _header(reader, path, kind)
        while True:
            try:
                cells = next(reader, None)
            except csv.Error as error:
                result.rows += 1
                result.refused.append((reader.line_num, f"a quote is out of place: {error}"))
                continue
            if cells is None:
                return
            if not any(cells):
                continue
            result.rows += 1
            if len(cells) != len(header):
                result.refused.append((reader.line_num, f"{len(cells)} cells instead of {len(header)}"))
                continue
            yield reader.line_num, _object(header, cells, kind)


def _lines(raw: Any, path: Path, progress: Callable[[int], None] | None) -> Iterator[str]:
    first = True
    for number, line in enumerate(raw, 1):
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Unusable(f"{path} is not UTF-8, in line {number}") from error
        yield text.removeprefix("\ufeff") if first else text
        first = False
        if progress and number % 100 == 0:
            progress(raw.tell() if raw.seekable() else 0)
    if progress:
        progress(raw.tell())


def _header(reader: Any, path: Path, kind: str) -> Sequence[str]:
    header = [name.strip() for name in next(reader, [])]
    known = [name for name in IDENTIFIERS if name in header]
    if not known and not all(name in header for name in ALIAS):
        raise Unusable(
            f"{path} has no column that says who: one of {', '.join(IDENTIFIERS)}, {' + '.join(ALIAS)}"
        )
    if "external_id" in header and ALIAS[0] in header:
        raise Unusable(f"{path} has both external_id and an alias; a file has one of them")
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None:
        raise Unusable(f"{path} has the column “{twice}” twice")
    if kind == "events" and not {"name", "time"} <= set(header):
        raise Unusable(f"{path} has no columns `name` and `time`")
    return header


def _object(header: Sequence[str], cells: Sequence[str], kind: str) -> dict[str, Any]:
    """A row as an object of the API; an empty cell changes nothing (CSV-4)."""
    given = {name: cell for name, cell in zip(header, cells, strict=True) if cell != ""}
    found: dict[str, Any] = {name: given.pop(name) for name in IDENTIFIERS if name in given}
    if ALIAS[0] in given:
        found["user_alias"] = {"alias_name": given.pop(ALIAS[0]), "alias_label": given.pop(ALIAS[1], "")}
        found["_update_existing_only"] = False
    if kind == "events":
        return {**found, **_event(given)}
    for name, cell in given.items():
        plain = name in COLUMNS or name in CONSENTS or name in STANDARD
        found[name] = cell if plain else typed(cell)
    return found


def _event(given: Mapping[str, str]) -> dict[str, Any]:
    name = given.get("name", "")
    prefix = f"{name}.properties."
    properties = {
        column.removeprefix(prefix): typed(cell)
        for column, cell in given.items()
        if column.startswith(prefix)
    }
    return {"name": name, "time": given.get("time"), "properties": properties}


def typed(cell: str) -> Any:
    """A cell's value: true and false, numbers, all else as text; a number with a leading zero stays text (D11)."""
    if cell in ("true", "false"):
        return cell == "true"
    text = cell.strip()
    digits = text.removeprefix("-")
    if digits.isascii() and digits.isdigit() and len(digits) < 16:
        return cell if len(digits) > 1 and digits.startswith("0") else int(text)
    whole, dot, fraction = digits.partition(".")
    if (
        dot
        and whole.isascii()
        and whole.isdigit()
        and fraction.isascii()
        and fraction.isdigit()
        and len(digits) < 18
    ):
        return cell if len(whole) > 1 and whole.startswith("0") else float(text)
    return cell if instant(cell) is None else cell.strip()
