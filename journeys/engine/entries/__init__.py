"""Entries in the store: admission, bursts, and who hears an event."""
