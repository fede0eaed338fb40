"""Loads what other packages add by entry points. One that cannot be loaded is left out, and a line names it."""

from __future__ import annotations

import logging
from importlib.metadata import EntryPoint, entry_points
from typing import Any

log = logging.getLogger(__name__)


def load_all(group: str) -> dict[str, Any]:
    """What is installed for this group, by name."""
    found: dict[str, Any] = {}
    for entry in entry_points(group=group):
        try:
            found.setdefault(entry.name, entry.load())
        except Exception as error:  # noqa: BLE001 - whatever it is: the others are not its affair
            log.error("%s", left_out(entry, error))  # noqa: TRY400 - one line
    return found


def left_out(entry: EntryPoint, error: Exception) -> str:
    """One line: which package, what of it, and why."""
    package = entry.dist.name if entry.dist else entry.value
    cause = f"{type(error).__name__}: {error}".split("\n")[0]
    return f"the package {package} is broken: its “{entry.name}” ({entry.group}) is left out: {cause}"
