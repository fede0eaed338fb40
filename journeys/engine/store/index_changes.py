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


PARTITIONS = (
    "select inhrelid::regclass::text from pg_inherits where inhparent = '{table}'::regclass order by 1"
)
ATTACHED = """
select i.indrelid::regclass::text from pg_inherits h join pg_index i on i.indexrelid = h.inhrelid
where h.inhparent = '{name}'::regclass
"""


def make_partitioned_index(op: Any, name: str, table: str, on: str) -> None:
    """Make an index of a partitioned table, partition by partition, while it is written to.

    A partition whose index is whole is passed over.
    """
    with _patient(op):
        op.execute(f"create index if not exists {name} on only {table} {on}")
        connection = op.get_bind()
        done = set(connection.execute(text(ATTACHED.format(name=name))).scalars())
        for partition in connection.execute(text(PARTITIONS.format(table=table))).scalars().all():
            if partition not in done:
                own = f"{partition}_{name.removeprefix(f'{table}_')}"
                op.execute(f"drop index concurrently if exists {own}")
                op.execute(f"create index concurrently {own} on {partition} {on}")
                op.execute(f"alter index {name} attach partition {own}")


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
