"""Alembic's entry: runs the migrations on the connection that it is given."""

from alembic import context

from journeys.engine.store import (  # noqa: F401 - their tables are ours too
    alarm_tables,
    canvas_tables,
    consent_tables,
    content_tables,
    count_tables,
    export_tables,
    name_tables,
    process_tables,
    queue_tables,
    run_tables,
)
from journeys.engine.store.tables import Table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
