"""Loads what other packages add by entry points. One that cannot be loaded is left out, and a line names it."""

from __future__ import annotations

import logging
import sys
from importlib.metadata import EntryPoint, entry_points
from typing import Any

log = logging.getLogger(__name__)


def load_all(group: str) -> dict[str, Any]:
    """What is installed for this group, by name."""
    found: dict[str, Any] = {}
    for entry in entry_points(group=group):
        try:
            found.setdefault(entry.name, _loaded(entry))
        except Exception as error:  # noqa: BLE001 - whatever it is: the others are not its affair
            log.error("%s", left_out(entry, error))  # noqa: TRY400 - one line
    return found


def _loaded(entry: EntryPoint) -> Any:
    """What it names, also where the import of its own module has led here: that module is run once more, to its end.

    The import that is under way then gives that module, too.
    """
    half = sys.modules.get(entry.module)
    if half is None or not getattr(half.__spec__, "_initializing", False):
        return entry.load()
    del sys.modules[entry.module]
    try:
        return entry.load()
    except BaseException:
        sys.modules[entry.module] = half
        raise


def left_out(entry: EntryPoint, error: Exception) -> str:
    """One line: which package, what of it, and why."""
    package = entry.dist.name if entry.dist else entry.value
    cause = f"{type(error).__name__}: {error}".split("\n")[0]
    return f"the package {package} is broken: its “{entry.name}” ({entry.group}) is left out: {cause}"
