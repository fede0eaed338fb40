"""The store: the truth about people, entries and messages, in PostgreSQL."""

from journeys.engine.store.database import Database
from journeys.engine.store.migrate import migrate

__all__ = ["Database", "migrate"]
