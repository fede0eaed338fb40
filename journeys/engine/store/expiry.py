"""Deletes rows that are kept for a fixed time, the oldest first, some at a time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

PAGE = 5000
"""How many rows a statement deletes."""

Expiring = Literal["seen", "hearings", "replies"]
"""The tables of such rows; each has an index by `stored`."""


async def delete_older(connection: Any, table: Expiring, kept: timedelta, page: int = PAGE) -> int:
    """Delete what was stored longer ago than this, page by page; returns how much it was."""
    query = f"""
        delete from {table} where ctid = any(array(
            select ctid from {table} where stored < clock_timestamp() - $1::interval order by stored limit $2))
    """  # noqa: S608 - one of our tables
    deleted = 0
    while True:
        found = int((await connection.execute(query, kept, page)).rpartition(" ")[2])
        deleted += found
        if found < page:
            return deleted
