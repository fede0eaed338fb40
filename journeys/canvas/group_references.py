"""Checks that the subscription groups exist which canvases and segments name."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from journeys.canvas.canvas import Canvas
from journeys.canvas.check import filters_of, inside, messages
from journeys.canvas.filters import Filter, SubscriptionFilter
from journeys.canvas.problems import Problem, meant
from journeys.canvas.source_positions import Path, Places


def groups_in_canvas(canvas: Canvas, places: Places, groups: Collection[str]) -> Iterator[Problem]:
    """J314: filters of a canvas and messages that name a group which is not among these."""
    for path, each in filters_of(canvas, places):
        yield from groups_in_filter(each, path, places, groups)
    for path, step in messages(canvas, places):
        if step.subscription_group is not None and step.subscription_group not in groups:
            yield _unknown(step.subscription_group, (*path, "subscription_group"), places, groups)


def groups_in_filter(
    each: Filter | Any, path: Path, places: Places, groups: Collection[str]
) -> Iterator[Problem]:
    """J314: the same of one filter and those within it."""
    for where, found in inside(each, path):
        if isinstance(found, SubscriptionFilter) and found.subscription not in groups:
            yield _unknown(found.subscription, (*where, "subscription"), places, groups)


def _unknown(name: str, path: Path, places: Places, groups: Collection[str]) -> Problem:
    return Problem(
        "J314", places.where(path), f"there is no subscription group “{name}”", meant(name, groups)
    )
