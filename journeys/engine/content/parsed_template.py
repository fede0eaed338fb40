"""A parsed template, and what can be known of it without rendering it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import cast

from liquid import BoundTemplate, Node, RenderContext
from liquid.static_analysis import TemplateAnalysis

from journeys.engine.content.known_names import BLOCKS


class Parsed(BoundTemplate):
    """A parsed template."""

    def walk(self) -> Iterator[Node]:
        """All nodes of it, each before those within it."""
        for node in self.nodes:
            yield from within(node)

    @cached_property
    def analysis(self) -> TemplateAnalysis:
        """What it names: variables, filters, tags, each with its places."""
        return self.analyze()

    @cached_property
    def calls(self) -> bool:
        """Whether a node of it makes calls: such a node's class says `calls = True`."""
        return any(getattr(node, "calls", False) for node in self.walk())

    @cached_property
    def blocks(self) -> frozenset[str]:
        """The content blocks that it names."""
        named = self.analysis.globals.get(BLOCKS, ())
        return frozenset(str(each.segments[1]) for each in named if len(each.segments) > 1)


def within(node: Node) -> Iterator[Node]:
    """The node, and all within it."""
    yield node
    for child in node.children(STATIC, include_partials=False):
        yield from within(child)


STATIC = cast("RenderContext", None)
"""The context for the children of nodes: no node uses it."""
