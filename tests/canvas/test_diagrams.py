"""Diagrams show what lets in, leads out and counts; a page stands alone, and nothing in it lies upon another."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from pydantic import TypeAdapter

from journeys.canvas.canvas import Canvas, Schedule
from journeys.canvas.diagram import mermaid
from journeys.canvas.diagram_page import HIGH, WIDE, page, svg
from journeys.canvas.filters import Filter
from journeys.canvas.in_words import in_words, scheduled
from journeys.canvas.loading import load
from journeys.canvas.plan import compile
from tests.strategies import canvases, examples

DEFINITIONS = Path(__file__).parents[2] / "definitions"
ADAPTER: TypeAdapter[Any] = TypeAdapter(Filter)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"attribute": "country", "one_of": ["FR", "DE"]}, "country one of FR, DE"),
        ({"attribute": "vip", "equals": True}, "vip = true"),
        ({"attribute": "a", "not_equals": {"context": "b"}}, "a ≠ context b"),
        ({"attribute": "a", "exists": False}, "a exists false"),
        ({"attribute": "a", "within_last": "2 days"}, "a within the last 2 days"),
        ({"context": "a", "between": [1, 2]}, "context a between 1, 2"),
        ({"event": "e", "times": {"at_least": 2}, "within_last": "1 day"}, "event e ≥ 2 times within the last 1 day"),
        (
            {"purchase": True, "where": [{"property": "p", "more_than": 5}, {"property": "q", "equals": "x"}]},
            "any purchase where p > 5 and q = x",
        ),
        ({"purchase": "shoe"}, "purchase shoe"),
        ({"message": "opened", "step": "m", "canvas": "c"}, "message opened of step m of canvas c"),
        ({"consent": "email", "equals": "opted_in"}, "consent email = opted_in"),
        ({"bucket": [0, 9]}, "bucket 0, 9"),
        (
            {"any": [{"segment": "a"}, {"all": [{"segment": "b"}, {"none": [{"segment": "c"}, {"segment": "d"}]}]}]},
            "segment a or (segment b and (not segment c nor segment d))",
        ),
    ],
)  # fmt: skip
def test_a_filter_is_said_in_a_few_words(written: Any, said: str) -> None:
    assert in_words(ADAPTER.validate_python(written)) == said


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        ({"api": True}, "the API"),
        (
            {"event": "joined", "starts": "2026-12-07T09:00"},
            "event joined from 2026-12-07 09:00, company time",
        ),
        (
            {"api": True, "starts": "2026-12-07T09:00", "ends": "2027-01-01T00:00+01:00"},
            "the API from 2026-12-07 09:00, company time until 2026-12-31 23:00 UTC",
        ),
        (
            {"every": "week", "weekdays": ["monday"], "at": "09:00", "starts": "2026-12-07T09:00"},
            "the clock: every week on monday at 09:00, from 2026-12-07 09:00",
        ),
    ],
)
def test_a_schedule_is_said_in_a_few_words(schedule: dict[str, Any], said: str) -> None:
    assert scheduled(Canvas(name="c", schedule=Schedule(**schedule), steps=())) == said


def test_a_diagram_says_what_lets_in_leads_out_and_counts() -> None:
    plan = compile(load([DEFINITIONS]).canvases["running-shoes"].value)
    for text in (mermaid(plan), page(plan)):
        plain = text.replace("&gt;", ">").replace("#gt;", ">")
        for words in (
            "event article_liked where category = running", "country one of FR, DE", "message unsubscribed",
            "matching segment churned", "event order_completed within 14 days",
        ):  # fmt: skip
            assert words in plain, words
    variants = compile(
        Canvas.model_validate(
            {
                "name": "c",
                "schedule": {"api": True},
                "variants": [
                    {"name": "none", "weight": 10, "control": True},
                    {"name": "a", "weight": 90, "steps": [{"type": "delay", "id": "d", "duration": "1 day"}]},
                ],
            }
        )
    )
    assert '|"none 10 % (control)"| finish' in mermaid(variants)
    assert "none 10 % (control)" in page(variants)
    assert "a 90 %" in page(variants)
    assert "the API" in mermaid(variants)


def _boxes(drawn: str) -> list[tuple[float, float]]:
    return [
        (float(x), float(y))
        for x, y in re.findall(r'<rect class="box[^"]*" x="([-\d.]+)" y="([-\d.]+)"', drawn)
    ]


@given(canvases())
@settings(max_examples=examples(40))
def test_no_box_lies_upon_another_and_every_way_goes_down(made: Canvas) -> None:
    plan = compile(made)
    drawn = svg(plan)
    boxes = _boxes(drawn)

    ET.fromstring(drawn)
    assert len(boxes) >= len(plan.steps) + 1
    for (x, y), (u, v) in combinations(boxes, 2):
        assert abs(x - u) >= WIDE or abs(y - v) >= HIGH
    assert min(x for x, _ in boxes) >= 0
    for path in re.findall(r'<path d="([^"]*)"', drawn):
        heights = [float(pair.split()[1]) for pair in re.findall(r"[-\d.]+ [-\d.]+(?=C|$)", path)]
        assert heights == sorted(heights)


def test_a_page_stands_alone_whatever_is_written_in_the_canvas() -> None:
    nasty = "<script src=http://x></script>"
    made = Canvas.model_validate(
        {
            "name": "c",
            "description": nasty,
            "schedule": {"event": nasty},
            "audience": {"attribute": nasty, "equals": '"#\n<b>'},
            "steps": [
                {"type": "message", "id": "m", "channel": "email", "template": nasty},
                {"type": "decision_split", "id": "s", "when": {"event": "e"}, "then": "end"},
            ],
        }
    )
    text = page(compile(made))

    assert "<script" not in text
    assert not re.search(r"(?:src|href)=[\"']|@import|url\(", text)
    assert "otherwise, yes" in text or "yes, otherwise" in text
    drawn = mermaid(compile(made))
    assert "<script" not in drawn
    assert all('"#' not in line for line in drawn.splitlines())
