"""Catalogs: their fields, items and selections, in the store."""
