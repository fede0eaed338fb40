"""Workspaces: published definitions, settings, keys, and the values that Liquid sees."""
