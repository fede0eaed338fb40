"""Journeys: customer journeys as values, run durably."""

__version__ = "0.1.0"
