"""Intervals of rates, means and their differences, beside published values."""

from __future__ import annotations

import pytest

from journeys.engine.core.intervals import Sum, difference, difference_of_means, rate

WILSON = [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
"""Newcombe 1998, “Two-sided confidence intervals for the single proportion”, method 3."""

NEWCOMBE = [
    (56, 70, 48, 80, 0.0524, 0.3339),
    (9, 10, 3, 10, 0.1705, 0.8090),
    (5, 56, 0, 29, -0.0381, 0.1926),
    (0, 10, 0, 10, -0.2775, 0.2775),
    (10, 10, 0, 10, 0.6075, 1.0),
]
"""Newcombe 1998, “Interval estimation for the difference between independent proportions”, method 10."""


@pytest.mark.parametrize(("hits", "of", "low", "high"), WILSON)
def test_a_rate_has_the_published_interval(hits: int, of: int, low: float, high: float) -> None:
    found = rate(hits, of)
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((hits / of, low, high), abs=6e-5)


@pytest.mark.parametrize(("hits", "of", "others", "of_them", "low", "high"), NEWCOMBE)
def test_a_difference_of_rates_has_the_published_interval(
    hits: int, of: int, others: int, of_them: int, low: float, high: float
) -> None:
    found = difference(rate(hits, of), rate(others, of_them))
    assert found is not None
    assert tuple(found) == pytest.approx((hits / of - others / of_them, low, high), abs=6e-5)


def test_of_nobody_there_is_no_rate_and_no_difference() -> None:
    assert rate(0, 0) is None
    assert difference(None, rate(1, 2)) is None
    assert difference(rate(1, 2), None) is None
    assert difference_of_means(Sum(1, 2, 4), Sum(5, 1, 1)) is None
    assert difference_of_means(Sum(5, 1, 1), Sum(0, 0, 0)) is None
    assert Sum(0, 0, 0).mean == 0


def test_a_difference_of_means_has_the_interval_of_the_two_variances() -> None:
    """By hand: means 3 and 2, variances 2.5 and 1, five entries each: the half is 1.96 × √0.7."""
    one, other = [1, 2, 3, 4, 5], [1, 1, 2, 3, 3]
    sums = [Sum(len(each), sum(each), sum(value * value for value in each)) for each in (one, other)]
    found = difference_of_means(*sums)
    assert found is not None
    assert tuple(found) == pytest.approx((1, 1 - 1.959964 * 0.7**0.5, 1 + 1.959964 * 0.7**0.5), abs=1e-6)
