"""Audiences: who matches a filter, and what an event means to those who wait for it."""
