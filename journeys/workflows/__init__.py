"""Temporal workflows as alarms of entries, their activities, and the calls that keep Temporal informed."""
