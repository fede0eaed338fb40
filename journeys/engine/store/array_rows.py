"""Rows that come as parameters, one array a column."""

from __future__ import annotations


def array_rows(*kinds: str, first: int = 1) -> str:
    """What a statement reads them `from`, with the arrays from parameter `first` on; `kinds` are the types of the columns.

    The planner does not see how long the arrays are, so it keeps one plan for all lengths. Where it sees that, it plans a
    statement anew each time, and that takes longer than to run it for a few rows. `analyze` makes it plan anew.

    Example:
        >>> array_rows("int", "text")
        'unnest((select $1::int[]), (select $2::text[]))'
    """
    return "unnest(" + ", ".join(f"(select ${first + at}::{kind}[])" for at, kind in enumerate(kinds)) + ")"
