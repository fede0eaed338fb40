"""How values are printed: as Ruby does, and objects as compact JSON (V8, N4, N6)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from liquid.builtin.expressions.primitive import Blank, Empty
from liquid.undefined import is_undefined


def stringify(value: Any) -> str:
    """The text of a value: nothing for nil, lists joined with nothing, times in UTC or with their offset."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""  # V8, F3
    if isinstance(value, bool):
        return "true" if value else "false"  # F3
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float | Decimal):
        return number(value)  # V8
    if isinstance(value, list | tuple):
        return "".join(stringify(each) for each in value)  # V8
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, range):
        return f"{value.start}..{value.stop - 1}"
    if isinstance(value, Mapping):
        return compact(value)  # V8, N4
    if is_undefined(value) or isinstance(value, Blank | Empty):
        return ""
    return str(value)


def as_text(value: Any) -> str:
    """The text that a filter on texts works with: a list is written out (`[1, "a", nil]`), all else as it is printed."""
    if isinstance(value, str):
        return value
    return written_out(value) if isinstance(value, list | tuple) else stringify(value)


def written_out(value: Any) -> str:
    """As Ruby inspects it."""
    if value is None:
        return "nil"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list | tuple):
        return f"[{', '.join(written_out(each) for each in value)}]"
    return stringify(value)


def moment(value: datetime) -> str:
    """An instant as Ruby prints it: `2026-12-07 09:05:03 UTC`, in another zone with its offset (N6)."""
    if value.tzinfo is None or value.tzinfo is UTC or value.tzname() == "UTC":
        return value.strftime("%Y-%m-%d %H:%M:%S UTC")
    return value.strftime("%Y-%m-%d %H:%M:%S %z")


def number(value: float | Decimal) -> str:
    """A number with a fraction: `12.0` keeps its `.0`; very large and small ones as Ruby writes them."""
    real = float(value)
    text = repr(real)
    if 1e15 <= abs(real) < 1e16 and text.endswith(".0"):
        digits = text.lstrip("-")[:-2].rstrip("0")
        return f"{'-' if real < 0 else ''}{digits[0]}.{digits[1:] or '0'}e+15"
    if "e" in text:
        mantissa, _, exponent = text.partition("e")
        sign, digits = ("-", exponent[1:]) if exponent.startswith("-") else ("+", exponent.lstrip("+"))
        return f"{mantissa if '.' in mantissa else mantissa + '.0'}e{sign}{int(digits):02d}"
    return _ENDLESS.get(text, text)


_ENDLESS = {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}


def compact(value: Any) -> str:
    """Compact JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=_json)  # N4, V8


def _json(value: Any) -> Any:
    if isinstance(value, Mapping):
        own = getattr(value, "_keys", None)
        names = value if own is None else sorted(own)  # those of a loop's own values are a set
        return {str(name): value[name] for name in names}
    return list(value) if isinstance(value, range) else stringify(value)
