"""Lets a file of definitions import the modules of its folder, and forgets them after it, so that each reading runs them anew."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

SOMEBODY_ELSES = ("site-packages", "node_modules")


@contextmanager
def importable(folders: Sequence[Path]) -> Iterator[None]:
    """While it lasts, modules of these folders can be imported; those of Python and of packages come before them."""
    roots = [str(each) for each in folders]
    before = set(sys.modules)
    sys.path.extend(roots)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        for each in roots:
            sys.path.remove(each)
        for name in set(modules_of(folders)) - before:
            del sys.modules[name]


def modules_of(folders: Sequence[Path]) -> dict[str, ModuleType]:
    """The modules by name that are loaded now and whose files lie in these folders, but not in a package folder within."""
    inside = tuple(f"{each}{os.sep}" for each in folders)
    found: dict[str, ModuleType] = {}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and file.startswith(inside):
            parts = Path(next(file.removeprefix(each) for each in inside if file.startswith(each))).parts
            if not any(part.startswith(".") or part in SOMEBODY_ELSES for part in parts):
                found[name] = module
    return found
