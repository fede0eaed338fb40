"""The databases that releases have left, one file each."""

from __future__ import annotations

import gzip
from pathlib import Path
from uuid import uuid4

import asyncpg

from journeys.engine.store.embedded_postgres import create_database

FOLDER = Path(__file__).parent

VERSIONS = sorted(path.name.removesuffix(".sql.gz") for path in FOLDER.glob("*.sql.gz"))


def unpacked(version: str, suffix: str) -> str:
    """One of the two files of a release."""
    return gzip.decompress((FOLDER / f"{version}.{suffix}.gz").read_bytes()).decode()


async def restored(server: str, version: str) -> str:
    """The URL of a new database, as that release left it."""
    url = await create_database(server, f"journeys_{version.replace('.', '_')}_{uuid4().hex[:8]}")
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(unpacked(version, "sql"))
    finally:
        await connection.close()
    return url
