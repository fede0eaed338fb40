"""How values are printed: as Ruby does, and objects as compact JSON (V8, N6)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from liquid.builtin.expressions.primitive import Blank, Empty
from liquid.undefined import is_undefined


def stringify(value: Any) -> str:
    """The text of a value: nothing for nil, lists joined with nothing, times in UTC."""
    if isinstance(value, str):
        return value
    if value is None or is_undefined(value) or isinstance(value, Blank | Empty):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float | Decimal):
        return number(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, range):
        return f"{value.start}..{value.stop - 1}"
    if isinstance(value, list | tuple):
        return "".join(stringify(each) for each in value)
    if isinstance(value, Mapping):
        return compact(value)
    return str(value)


def number(value: float | Decimal) -> str:
    """A number with a fraction: `12.0` keeps its `.0`; very large and small ones as Ruby writes them."""
    real = float(value)
    text = repr(real)
    if "e" in text:
        mantissa, _, exponent = text.partition("e")
        sign, digits = ("-", exponent[1:]) if exponent.startswith("-") else ("+", exponent.lstrip("+"))
        return f"{mantissa if '.' in mantissa else mantissa + '.0'}e{sign}{int(digits):02d}"
    return text


def compact(value: Any) -> str:
    """Compact JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=stringify)
