"""Finds names in templates that are hardly meant: with a foreign letter (J917), or nearly that of a standard attribute (J918)."""

from __future__ import annotations

from collections.abc import Iterator

from journeys.canvas.look_alikes import odd_name
from journeys.canvas.never_matching import nearly_standard
from journeys.engine.content.bound_template import Bound
from journeys.engine.content.known_names import MEANT

CUSTOM = "custom_attribute"


def odd_names(bound: Bound) -> Iterator[tuple[int, str, str, str]]:
    """The index, code, message and hint of each: what is asked for, and what is assigned."""
    for head, variables in bound.analysis.globals.items():
        for variable in variables:
            names = [
                str(getattr(segment, "name", segment))
                for segment in variable.segments
                if not isinstance(segment, int | list)
            ]
            for name in names:
                yield from _foreign(name, variable.span.index)
            if head == CUSTOM and len(names) > 1:
                yield from _nearly(names[1], variable.span.index)
    for name, places in bound.analysis.locals.items():
        for place in places:
            yield from _foreign(name, place.span.index)


def _foreign(name: str, index: int) -> Iterator[tuple[int, str, str, str]]:
    if (message := odd_name(name)) is not None:
        yield index, "J917", message, "type the name anew"


def _nearly(name: str, index: int) -> Iterator[tuple[int, str, str, str]]:
    standard = nearly_standard(name)
    if standard is not None:
        message = f"“{name}” is a custom attribute: standard ones are in lower case"
        yield index, "J918", message, f"did you mean “${{{MEANT.get(standard, standard)}}}”?"
