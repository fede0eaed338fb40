"""Reads JSON as templates see it: without characters that cannot be stored (V11), and strictly: no NaN or Infinity.

A number too large for any float is nil.
"""

from __future__ import annotations

import json
from math import isfinite
from typing import Any

from journeys.canvas.storable_characters import storable_json


def data_of(written: str) -> Any:
    """The data that a JSON text says. Raises ValueError where it says none, RecursionError where it is too deep."""
    return json.loads(storable_json(written), parse_float=_float, parse_constant=_refuse)


def _float(written: str) -> float | None:
    found = float(written)
    return found if isfinite(found) else None


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is not JSON")
