"""Functions that generated code calls, besides the functions of the dialect."""

from __future__ import annotations

from typing import Any

from liquid.builtin.expressions.logical import is_truthy
from liquid.exceptions import FilterArgumentError, LiquidTypeError

_PLAIN = frozenset({str, int, float, list, dict, bool})


def true(value: Any) -> bool:
    """Whether a value counts as true (V1)."""
    if value is None or value is False:
        return False
    return value.__class__ in _PLAIN or is_truthy(value)


def placed(error: Exception, called: Any) -> Exception:
    """What is raised for an error in a filter: as the tree's `Filter.evaluate` does it."""
    if isinstance(error, TypeError):
        return LiquidTypeError(f"{called.name}: {error}", token=called.token)
    if isinstance(error, LiquidTypeError | FilterArgumentError):
        error.token = called.token
    return error
