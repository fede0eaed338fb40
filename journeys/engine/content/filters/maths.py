"""Arithmetic as Ruby's Liquid does it: whole numbers stay whole, floats are decimals (V9, V10)."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal
from typing import Any

from journeys.engine.content.filters.argument_limits import WrongArgument, kept, number, whole
from journeys.engine.content.stringify import stringify

_DECIMALS = Context(prec=400, Emax=2000, Emin=-2000)


def _both(left: Any, right: Any) -> tuple[int, int] | tuple[Decimal, Decimal]:
    one, other = number(left), number(right)
    if isinstance(one, int) and isinstance(other, int):
        return one, other
    return Decimal(one), Decimal(other)


def plus(value: Any, more: Any) -> int | float:
    """The sum."""
    one, other = _both(value, more)
    return kept(one + other if isinstance(one, int) else _DECIMALS.add(one, other))  # V9


def minus(value: Any, less: Any) -> int | float:
    """The difference."""
    one, other = _both(value, less)
    return kept(one - other if isinstance(one, int) else _DECIMALS.subtract(one, other))


def times(value: Any, factor: Any) -> int | float:
    """The product."""
    one, other = _both(value, factor)
    if isinstance(one, int):
        whole(one)
        whole(int(other))
        return kept(one * other)
    return kept(_DECIMALS.multiply(one, other))


def divided_by(value: Any, by: Any) -> int | float:
    """The quotient: of two whole numbers the whole number at or below it (V10)."""
    one, other = _both(value, by)
    if not other:
        raise WrongArgument("division by zero")
    return kept(one // other if isinstance(one, int) else _DECIMALS.divide(one, other))


def modulo(value: Any, by: Any) -> int | float:
    """The remainder, with the sign of the divisor (V10)."""
    one, other = _both(value, by)
    if not other:
        raise WrongArgument("division by zero")
    if isinstance(one, int):
        return kept(one % other)
    rest = _DECIMALS.remainder(one, other)
    if not rest:
        return 0.0
    return kept(rest + other if (rest < 0) != (other < 0) else rest)


def round_(value: Any, places: Any = 0) -> int | float:
    """Rounded half away from zero, to so many decimal places; to a whole number where none are said (V10)."""
    one, digits = number(value), int(number(places))
    if isinstance(one, int):
        return whole(one) if digits >= 0 else whole(_rounded(one, -digits))
    if digits > 300:
        return kept(one)
    if digits < -300:
        return 0
    found = one.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP, _DECIMALS)
    return whole(int(found)) if digits <= 0 else kept(found)


def _rounded(value: int, zeros: int) -> int:
    if zeros > 100:
        return 0
    unit = 10**zeros
    size: int = (abs(value) + unit // 2) // unit * unit
    return -size if value < 0 else size


def ceil(value: Any) -> int:
    """The whole number at or above."""
    return _towards(value, ROUND_CEILING)


def floor(value: Any) -> int:
    """The whole number at or below."""
    return _towards(value, ROUND_FLOOR)


def _towards(value: Any, rounding: str) -> int:
    one = number(value)
    return whole(one if isinstance(one, int) else int(one.to_integral_value(rounding)))


def abs_(value: Any) -> int | float:
    """Without its sign."""
    one = number(value)
    return kept(one.copy_abs() if isinstance(one, Decimal) else abs(one))


def at_least(value: Any, bound: Any) -> int | float:
    """The greater of the two."""
    one, other = number(value), number(bound)
    return kept(other) if other > one else kept(one)


def at_most(value: Any, bound: Any) -> int | float:
    """The smaller of the two."""
    one, other = number(value), number(bound)
    return kept(other) if other < one else kept(one)


def money(value: Any) -> str:
    """With two decimals, without symbol and separators. Text is left alone: add 0 to it first."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return stringify(value)
    one = Decimal(number(value))
    return f"{one.quantize(Decimal('0.01'), ROUND_HALF_UP, _DECIMALS):f}"


def number_with_delimiter(value: Any) -> str | None:
    """Commas between thousands: `1234567.5` is `1,234,567.5`. What is no number is left alone."""
    if value is None:
        return None
    written = stringify(value)
    before, point, after = written.partition(".")
    sign = "-" if before.startswith("-") else ""
    digits = before.removeprefix("-")
    if not digits.isdecimal() or not digits.isascii():
        return written
    return f"{sign}{_grouped(digits)}{point}{after}"


def _grouped(digits: str) -> str:
    begin = len(digits) % 3
    groups = ([digits[:begin]] if begin else []) + [
        digits[at : at + 3] for at in range(begin, len(digits), 3)
    ]
    return ",".join(groups)
