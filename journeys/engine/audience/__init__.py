"""Audiences: whether a person matches a filter, and whether an event matches a trigger."""
