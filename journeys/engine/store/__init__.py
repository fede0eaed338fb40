"""The store: people, entries and messages in PostgreSQL. It holds the state of everything."""

from journeys.engine.store.database import Database
from journeys.engine.store.migrate import migrate

__all__ = ["Database", "migrate"]
