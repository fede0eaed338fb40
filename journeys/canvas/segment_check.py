"""Checks segments: what they name, and that none contains itself."""

from __future__ import annotations

from collections.abc import Mapping

import networkx as nx

from journeys.canvas.check import inside
from journeys.canvas.entry_keys import key_operands
from journeys.canvas.filters import ContextFilter, Filter, SegmentFilter
from journeys.canvas.never_matching import never_matching
from journeys.canvas.problems import Problem, nearest
from journeys.canvas.source_positions import Places


def check_segment(
    name: str, when: Filter, places: Places, segments: Mapping[str, Filter], rounds: Mapping[str, int]
) -> list[Problem]:
    """What is wrong with a segment: it names others that do not exist, or itself through others: see `rounds_of`."""
    problems = [
        Problem(fault.code, places.where(fault.path), fault.message, fault.hint)
        for fault in never_matching(when, ("when",))
    ]
    for where in key_operands(when, ("when",)):
        problems.append(
            Problem("J209", places.where(where), "a segment is judged without an entry, so it has no key")
        )
    for where, found in inside(when, ("when",)):
        if isinstance(found, ContextFilter):
            problems.append(
                Problem(
                    "J209", places.where(where), "a segment is judged without an entry, so it has no context"
                )
            )
        if isinstance(found, SegmentFilter):
            if found.segment not in segments:
                near = nearest(found.segment, segments)
                hint = f"did you mean “{near}”?" if near else ""
                problems.append(
                    Problem(
                        "J304",
                        places.where((*where, "segment")),
                        f"there is no segment “{found.segment}”",
                        hint,
                    )
                )
            elif name in rounds and rounds.get(found.segment) == rounds[name]:
                message = f"the segment “{name}” contains itself, through “{found.segment}”"
                problems.append(Problem("J304", places.where((*where, "segment")), message))
    return problems


def rounds_of(segments: Mapping[str, Filter]) -> dict[str, int]:
    """The segments that lead to themselves, each with the number of its round: those that lead to one another share it."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_edges_from(
        (name, found.segment)
        for name, when in segments.items()
        for _, found in inside(when, ())
        if isinstance(found, SegmentFilter)
    )
    rounds: dict[str, int] = {}
    for number, component in enumerate(nx.strongly_connected_components(graph)):
        if len(component) > 1 or any(graph.has_edge(name, name) for name in component):
            rounds |= dict.fromkeys(component, number)
    return rounds
