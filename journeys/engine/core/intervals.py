"""Intervals of confidence for rates and means, at 95 per cent. Pure.

A rate has Wilson's score interval; the difference of two rates Newcombe's, which is made of two of Wilson's (method 10 of
Newcombe 1998). The difference of two means has the interval of the normal distribution with the variance of each
(Welch's), which needs some dozens of entries a side.
"""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

Z = 1.959963984540054
"""The 97.5th percentile of the normal distribution."""


class Interval(NamedTuple):
    """What was counted, and the bounds between which the truth lies in 95 of 100 such cases."""

    value: float
    low: float
    high: float


def rate(hits: int, of: int) -> Interval | None:
    """The rate of hits with Wilson's interval; None where there is nobody."""
    if not of:
        return None
    found, square = hits / of, Z * Z
    middle = (found + square / (2 * of)) / (1 + square / of)
    half = Z * sqrt(found * (1 - found) / of + square / (4 * of * of)) / (1 + square / of)
    return Interval(found, max(0.0, middle - half), min(1.0, middle + half))


def difference(one: Interval | None, other: Interval | None) -> Interval | None:
    """The difference of two rates with Newcombe's interval; None where one of them has nobody."""
    if one is None or other is None:
        return None
    found = one.value - other.value
    down = sqrt((one.value - one.low) ** 2 + (other.high - other.value) ** 2)
    up = sqrt((one.high - one.value) ** 2 + (other.value - other.low) ** 2)
    return Interval(found, found - down, found + up)


class Sum(NamedTuple):
    """A sum over so many entries, and the sum of the squares."""

    of: int
    total: float
    squares: float

    @property
    def mean(self) -> float:
        """The mean; 0 of nobody."""
        return self.total / self.of if self.of else 0.0

    @property
    def variance(self) -> float:
        """The variance of the sample, which has two entries at least."""
        return max(0.0, self.squares - self.of * self.mean**2) / (self.of - 1)


def difference_of_means(one: Sum, other: Sum) -> Interval | None:
    """The difference of two means with its interval; None where a side has fewer than two entries."""
    if one.of < 2 or other.of < 2:
        return None
    found = one.mean - other.mean
    half = Z * sqrt(one.variance / one.of + other.variance / other.of)
    return Interval(found, found - half, found + half)
