"""Changes of indexes beside live work, for migrations that do nothing else: they are not one transaction.

Each can be repeated, whatever was left when its process was killed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import text


def make_index(op: Any, name: str, on: str) -> None:
    """Make an index while its table is written to. One that is there already is made anew: it may not be whole."""
    with _patient(op):
        op.execute(f"drop index concurrently if exists {name}")
        op.execute(f"create index concurrently {name} on {on}")


def drop_index(op: Any, name: str) -> None:
    """Drop an index while its table is in use."""
    with _patient(op):
        op.execute(f"drop index concurrently if exists {name}")


@contextmanager
def _patient(op: Any) -> Iterator[None]:
    """Statements of their own, which hold up no one while they wait for transactions to end, however long it takes."""
    with op.get_context().autocommit_block():
        waits = op.get_bind().execute(text("show lock_timeout")).scalar_one()
        op.execute("set lock_timeout = 0")
        yield
        op.execute(f"set lock_timeout = '{waits}'")
