"""One file of an export: about five thousand people as lines of JSON, compressed, written piece by piece."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import msgspec

FORMATS = {"zip": "zip", "gzip": "json.gz"}
"""The end of a file's name, by format."""

_encode = msgspec.json.Encoder(order="sorted").encode


def name_of(number: int, format_: str) -> str:
    """The name of a file, the same however often it is written.

    Example:
        >>> name_of(1, "zip"), name_of(12, "gzip")
        ('part-00001.zip', 'part-00012.json.gz')
    """
    return f"part-{number:05}.{FORMATS[format_]}"


@contextmanager
def open_file(place: Path, number: int, format_: str) -> Iterator[IO[bytes]]:
    """A file to write lines to."""
    if format_ == "gzip":
        with gzip.open(place, "wb", compresslevel=6) as lines:
            yield lines  # type: ignore[misc]
    else:
        inner = name_of(number, format_).replace(".zip", ".json")
        with (
            zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive,
            archive.open(inner, "w", force_zip64=True) as member,
        ):
            yield member


def write_lines(lines: IO[bytes], users: list[dict[str, Any]]) -> int:
    """Write people, a line each; how many bytes they are."""
    text = b"".join(_encode(user) + b"\n" for user in users)
    lines.write(text)
    return len(text)
