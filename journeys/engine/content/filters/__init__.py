"""Filters that are ours, or that print as Ruby does. Each group has a file."""
