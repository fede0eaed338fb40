"""Parses rows of a CSV file (RFC 4180), one at a time: with their lines, and with quoted cells marked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import IO

LONGEST_ROW = 1024 * 1024
"""Characters that one row may have; an unclosed quote must not swallow the file."""

_CELL = re.compile(r'(?:"((?:[^"]++|"")*+)"|([^",]*+))(,|$)')
_OPEN = re.compile(r'(?:(?:"(?:[^"]++|"")*+"|[^",]*+),)*+"(?:[^"]++|"")*+')


class Quoted(str):
    """A cell that stood in quotes: it is text, whatever it looks like (CSV-4)."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the line on which it begins (from 1), its raw text, and its cells, or why it cannot be read."""

    line: int
    raw: str
    cells: tuple[str, ...] = ()
    wrong: str | None = None
    mark: str = ""
    """A digest of the file up to and including this row: the same where the file is read again."""


def marked(several: Iterable[Row]) -> Iterator[Row]:
    """The rows with their marks."""
    digest = blake2b(digest_size=16)
    for row in several:
        digest.update(row.raw.encode("utf-8", "surrogateescape") + b"\n")
        yield replace(row, mark=digest.hexdigest())


def bounded_lines(file: IO[str]) -> Iterator[str]:
    """The lines of a file. Of one that is longer than a row may be there is only the beginning; the rest is never held."""
    while line := file.readline(LONGEST_ROW + 1):
        rest = line
        while len(rest) > LONGEST_ROW and not rest.endswith("\n"):
            rest = file.readline(LONGEST_ROW + 1)
        yield line


def rows(lines: Iterable[str]) -> Iterator[Row]:
    """The rows of these lines; blank ones are left out. Line ends may be mixed. Never raises, whatever the text.

    Example:
        >>> [row.cells for row in rows(["a,b\\n", '1,"x, ""y"" z"\\n'])]
        [('a', 'b'), ('1', 'x, "y" z')]
    """
    held: list[str] = []
    first, size, open_quote = 0, 0, False
    for number, line in enumerate(lines, start=1):
        if not held:
            if not line.strip():
                continue
            first = number
        if len(line) > LONGEST_ROW:
            yield Row(first, (held or [line])[0][:200], wrong=f"a row has more than {LONGEST_ROW} characters")
            held, size, open_quote = [], 0, False
            continue
        held.append(line)
        size += len(line)
        open_quote ^= line.count('"') % 2 == 1
        if open_quote and len(held) == 1 and not _OPEN.fullmatch(line):
            open_quote = False  # a stray quote affects its own row only (D10)
        if open_quote and size <= LONGEST_ROW:
            continue
        raw = "".join(held)
        if open_quote:
            yield Row(first, raw[:200], wrong=f"a quote is not closed within {LONGEST_ROW} characters")
        else:
            yield _row(first, raw.rstrip("\r\n"))
        held, size, open_quote = [], 0, False
    if held:
        yield Row(first, "".join(held)[:200], wrong="a quote is not closed at the end of the file")


def _row(line: int, raw: str) -> Row:
    if any("\udc80" <= sign <= "\udcff" for sign in raw):  # CSV-1
        return Row(line, raw.encode("utf-8", "replace").decode(), wrong="the row is not UTF-8")
    if "\0" in raw:
        return Row(line, raw.replace("\0", ""), wrong="the row contains the character U+0000")
    if '"' not in raw:
        return Row(line, raw, tuple(raw.split(",")))
    cells: list[str] = []
    at = 0
    while True:
        found = _CELL.match(raw, at)
        if found is None:
            return Row(
                line,
                raw,
                wrong=f"a quote is within cell {len(cells) + 1}; write it twice, and the cell in quotes",
            )
        quoted, plain, comma = found.groups()
        cells.append(plain if quoted is None else Quoted(quoted.replace('""', '"')))  # CSV-4, D10
        at = found.end()
        if not comma:
            return Row(line, raw, tuple(cells))
