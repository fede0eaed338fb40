"""Entries as they live: who gets in, bursts, who hears an event."""
