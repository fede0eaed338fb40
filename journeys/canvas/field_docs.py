"""What each key of the language means: the docstring below its field, read from the source when it is asked for."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from journeys.canvas.frozen_model import Frozen


def meanings(model: type[Any]) -> dict[str, str]:
    """The meaning of each field of a model, by its name; those of its bases where it does not say it itself."""
    found: dict[str, str] = {}
    for kind in reversed(model.__mro__):
        if issubclass(kind, Frozen):
            found |= _read(kind.__module__).get(kind.__name__, {})
    return {name: found[name] for name in model.model_fields if name in found}


def models() -> list[type[Frozen]]:
    """Every model of the language that is loaded, each once."""
    found: dict[type[Frozen], None] = {}
    waiting: list[type[Frozen]] = [Frozen]
    while waiting:
        inheriting = waiting.pop().__subclasses__()
        waiting += inheriting
        found |= dict.fromkeys(inheriting)
    return list(found)


@lru_cache(maxsize=256)
def _read(module: str) -> dict[str, dict[str, str]]:
    """The docstrings below the fields of a module's classes; none where there is no source."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (OSError, TypeError):
        return {}
    return {node.name: dict(_below(node)) for node in tree.body if isinstance(node, ast.ClassDef)}


def _below(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, after in zip(node.body, node.body[1:], strict=False):
        if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
            continue
        match after:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield field.target.id, inspect.cleandoc(text)
