"""Checks the names of workspaces and API keys."""

from __future__ import annotations

import re

WORKSPACE = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,99}")
LONGEST = 100


class Unnamed(ValueError):
    """A name that is not written as names are; the text says how."""


def workspace_name(name: str) -> str:
    """The name, where a workspace can be called so: as steps and canvases are. Raises `Unnamed`."""
    if not WORKSPACE.fullmatch(name):
        raise Unnamed(
            f"“{name[:LONGEST]}” is not a valid workspace name: letters, digits, - and _, a letter first, at most 100 characters"
        )
    return name


def key_name(name: str) -> str:
    """The name, where a key can be called so: 1 to 100 printable characters. Raises `Unnamed`."""
    if not (0 < len(name) <= LONGEST and name.isprintable() and name == name.strip()):
        raise Unnamed(
            f"“{name[:LONGEST]}” is not a valid key name: 1 to 100 printable characters, without spaces at the ends"
        )
    return name
