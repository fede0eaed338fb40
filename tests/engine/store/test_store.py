"""The migrations make the tables that the code is typed by."""

from __future__ import annotations

import re
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from journeys.engine.store import (
    Database,
    alarm_tables,
    canvas_tables,
    consent_tables,
    content_tables,
    export_tables,
    identity_tables,
    name_tables,
    process_tables,
    queue_tables,
    run_tables,
    usage_tables,
)
from journeys.engine.store.migrate import configuration
from journeys.engine.store.tables import Table

PARTITION = re.compile(r"(events|facts)_(rest|\d{4}_\d{2})")


def _differences(connection: Connection) -> list[Any]:
    context = MigrationContext.configure(
        connection,
        opts={
            "include_object": lambda _object, name, kind, _reflected, _other: (
                not (kind == "table" and PARTITION.fullmatch(name or ""))
            )
        },
    )
    return list(compare_metadata(context, Table.metadata))


async def test_the_migrations_make_the_typed_tables_and_no_others(db: Database) -> None:
    parts = (
        alarm_tables.AlarmRow,
        canvas_tables.CanvasRow,
        consent_tables.Subscription,
        content_tables.Cart,
        export_tables.ExportRow,
        identity_tables.Merged,
        name_tables.KnownName,
        process_tables.Process,
        queue_tables.Reply,
        run_tables.RunRow,
        usage_tables.ApiUsage,
    )
    assert {part.__tablename__ for part in parts} <= set(Table.metadata.tables)
    async with db.engine.connect() as connection:
        differences = await connection.run_sync(_differences)

    assert differences == []


async def test_work_that_fails_leaves_nothing_of_what_it_wrote(db: Database) -> None:
    """TRK-10"""

    async def work(connection: Any) -> None:
        await connection.execute("insert into workspaces (name, secret) values ('gone', 'x')")
        raise LookupError

    with pytest.raises(LookupError):
        await db.anew(work)
    assert await db.pool.fetchval("select count(*) from workspaces where name = 'gone'") == 0


def test_the_migrations_are_one_line() -> None:
    """Two that follow the same one leave no process that can start."""
    assert len(ScriptDirectory.from_config(configuration()).get_heads()) == 1
