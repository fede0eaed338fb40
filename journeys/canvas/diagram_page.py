"""Draws a canvas as one HTML page that stands alone: the diagram as SVG, laid out in layers, without any script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from statistics import mean

import networkx as nx

from journeys.canvas.diagram import label
from journeys.canvas.in_words import comes_in, in_words, leaves, succeeds
from journeys.canvas.plan import Plan

WIDE, HIGH, GAP, BETWEEN = 200, 44, 36, 64
"""Of a box: its width and height, and the space beside and below it."""
SWEEPS = 6
"""How often each layer is ordered anew by its neighbours."""
LONGEST = 30
"""Letters of a box; the whole text is its title."""
BEGIN, END = "@", "@end"

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem; color: #222; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; } dt { font-weight: 600; } dd { margin: 0; }
svg { max-width: 100%; height: auto; } text { font-size: 13px; text-anchor: middle; dominant-baseline: middle; }
.box { fill: #fff; stroke: #456; stroke-width: 1.5; } .branch { fill: #eef4ff; } .message { fill: #eaf7ea; } .end { fill: #eee; }
path { fill: none; stroke: #789; stroke-width: 1.5; } .way { font-size: 11px; fill: #345; }
"""

_Ways = list[tuple[str, str, str]]


def page(plan: Plan) -> str:
    """The page: what the canvas says of itself, and its diagram."""
    canvas = plan.canvas
    said = [("Comes in by", [comes_in(canvas)])]
    said += [("Audience", [in_words(canvas.audience)])] if canvas.audience is not None else []
    said += [("Exits", leaves(canvas)), ("Conversions", succeeds(canvas))]
    arms = [f"{each.name} {each.weight:g} %{' (control)' if each.control else ''}" for each in canvas.arms]
    said += [("Variants", arms)] if canvas.variants else []
    listed = "".join(
        f"<dt>{what}</dt><dd>{'<br>'.join(map(escape, parts))}</dd>" for what, parts in said if parts
    )
    about = f"<p>{escape(canvas.description)}</p>" if canvas.description else ""
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(canvas.name)}</title>'
        f"<style>{STYLE}</style></head>\n<body><h1>{escape(canvas.name)}</h1>{about}<dl>{listed}</dl>\n{svg(plan)}\n</body></html>\n"
    )


def svg(plan: Plan) -> str:
    """The diagram of a plan."""
    ways = _ways(plan)
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_edges_from((begin, end) for begin, end, _ in ways)
    graph.add_nodes_from(plan.steps)
    chains = _lengthened(graph)
    places = _places(graph)
    width = max(x for x, _ in places.values()) + WIDE / 2 + GAP
    height = max(y for _, y in places.values()) + HIGH + GAP
    parts = [_line([places[node] for node in chains[begin, end]], way) for begin, end, way in _together(ways)]
    boxes = {BEGIN: (plan.canvas.name, "end"), END: ("end", "end")}
    boxes |= {
        step.id: (label(step), "message" if step.sends else "branch" if step.branches() else "")
        for step in plan.steps.values()
    }
    parts += [_box(places[name], *box) for name, box in boxes.items() if name in places]
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}">{"".join(parts)}</svg>'


def _ways(plan: Plan) -> _Ways:
    """All ways: where they begin, where they lead, and their name."""
    several = len(plan.starts) > 1
    arms = {each.name: each for each in plan.canvas.arms}
    ways = [
        (BEGIN, target or END, f"{name} {arms[name].weight:g} %" if several else "")
        for name, target in plan.starts.items()
    ]
    for step in plan.steps.values():
        for way, target in plan.exits[step.id].items():
            if way != "next" or not step.branches():
                ways.append((step.id, target or END, "" if way == "next" else way))
    return ways


def _together(ways: _Ways) -> _Ways:
    """Ways between the same two places are drawn as one."""
    found: dict[tuple[str, str], list[str]] = {}
    for begin, end, way in ways:
        found.setdefault((begin, end), []).append(way)
    return [(begin, end, ", ".join(filter(None, names))) for (begin, end), names in found.items()]


def _lengthened(graph: nx.DiGraph[str]) -> Mapping[tuple[str, str], Sequence[str]]:
    """Give each node its layer, and let a way over several layers pass through a node of its own in each."""
    for layer, nodes in enumerate(nx.topological_generations(graph)):
        for node in nodes:
            graph.nodes[node]["layer"] = layer
    chains = {}
    for begin, end in list(graph.edges):
        first, last = graph.nodes[begin]["layer"], graph.nodes[end]["layer"]
        between = [f"{begin}|{end}|{layer}" for layer in range(first + 1, last)]
        chains[begin, end] = [begin, *between, end]
        if between:
            graph.remove_edge(begin, end)
            nx.add_path(graph, chains[begin, end])
            for layer, node in enumerate(between, first + 1):
                graph.nodes[node]["layer"] = layer
    return chains


def _places(graph: nx.DiGraph[str]) -> Mapping[str, tuple[float, float]]:
    """Where each node lies: layer below layer, each ordered by where its neighbours lie, so that few ways cross."""
    layers: dict[int, list[str]] = {}
    for node in graph:
        layers.setdefault(graph.nodes[node]["layer"], []).append(node)
    order = {node: float(place) for nodes in layers.values() for place, node in enumerate(nodes)}
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for layer in sorted(layers, reverse=not down):
            near = graph.pred if down else graph.succ
            keys = {
                node: mean([order[each] for each in near[node]] or [order[node]]) for node in layers[layer]
            }
            layers[layer].sort(key=keys.__getitem__)
            order |= {node: place - len(layers[layer]) / 2 for place, node in enumerate(layers[layer])}
    widest = max(len(nodes) for nodes in layers.values())
    return {
        node: (GAP + (place + (widest - len(nodes)) / 2) * (WIDE + GAP) + WIDE / 2, GAP + layer * (HIGH + BETWEEN) + HIGH / 2)
        for layer, nodes in layers.items()
        for place, node in enumerate(nodes)
    }  # fmt: skip


def _box(place: tuple[float, float], text: str, kind: str) -> str:
    x, y = place
    short = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    return (
        f'<g><title>{escape(text)}</title><rect class="box {kind}" x="{x - WIDE / 2:g}" y="{y - HIGH / 2:g}" width="{WIDE}" '
        f'height="{HIGH}" rx="8"/><text x="{x:g}" y="{y:g}">{escape(short)}</text></g>'
    )


def _line(points: Sequence[tuple[float, float]], way: str) -> str:
    """A curve from the foot of the first box through the places between to the head of the last."""
    x, y = points[0][0], points[0][1] + HIGH / 2
    path = f"M{x:g} {y:g}"
    for place, (to_x, middle) in enumerate(points[1:], 1):
        to_y = middle - (HIGH / 2 if place == len(points) - 1 else 0)
        half = (y + to_y) / 2
        path += f"C{x:g} {half:g} {to_x:g} {half:g} {to_x:g} {to_y:g}"
        x, y = to_x, to_y
    begin_y = points[0][1] + HIGH / 2 + 14
    at = points[0][0] + (points[1][0] - points[0][0]) * 0.15
    said = f'<text class="way" x="{at:g}" y="{begin_y:g}">{escape(way)}</text>' if way else ""
    return f'<path d="{path}"/>{said}'
