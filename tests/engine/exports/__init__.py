"""Exports of many people to files."""
