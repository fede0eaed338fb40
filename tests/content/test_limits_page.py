"""The page on limits says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from journeys.engine.content import limits, render, thread_offloading
from journeys.engine.content.limits import BRIEF, LIMITS

PAGE = Path("docs/liquid-limits.md").read_text()
ROWS = dict(re.findall(r"^\| ([^|]+?) \| ([^|]+?) \|", PAGE, re.MULTILINE))


@pytest.mark.parametrize(("row", "wanted"), [
    ("the source of a template", f"{limits.SOURCE:,} characters"),
    ("outputs and tags of a template", f"{limits.TAGS:,}"),
    ("words and signs of one expression", f"{limits.TOKENS:,}"),
    ("blocks within blocks", f"{limits.NESTING}"),
    ("passes of all loops together", f"{LIMITS.passes:,}"),
    ("output", f"1 MiB ({LIMITS.output:,} bytes); a channel may allow less"),
    ("elements of a range that a loop or a filter takes", f"{limits.RANGE:,}"),
    ("elements of a list that a filter gives", f"{limits.ELEMENTS:,}"),
    ("a text that a filter or a `capture` gives", f"{limits.TEXT:,} characters"),
    ("a number that a filter gives", f"{limits.DIGITS} digits"),
    ("a date's format", f"{limits.FORMAT:,} characters"),
    ("memory of the template's own variables, with everything in them", f"{limits.HELD // 1024**2} MiB"),
    ("processor time", f"{LIMITS.seconds:g} second; waiting for web services does not count"),
    ("processor time of a value in a step (context, user update) without calls", f"{BRIEF.seconds:g} seconds"),
])  # fmt: skip
def test_each_limit_on_the_page_is_that_of_the_code(row: str, wanted: str) -> None:
    """E4"""
    assert ROWS[row] == wanted


def test_the_page_has_no_other_limits_and_its_text_no_other_numbers() -> None:
    assert len(ROWS) == 14 + 1  # with the head
    text = " ".join(PAGE.split())
    for said in (
        f"every {limits.STRIDE} filters, nodes or passes",
        f"a text of more than {limits.BULK:,} characters",
        f"has used {thread_offloading.SLICE:g} seconds there",
        f"more than {thread_offloading.PORTION:,} characters or elements to a filter",
        f"up to {2 * render._TEMPLATES._room // 1024**2} MiB in a process",
    ):
        assert said in text
    assert "one of four threads" in text
    assert thread_offloading.THREADS.pool._max_workers == 4
