"""A template bound to the dialect, and what one rendering of it carries along."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from liquid import BoundTemplate, Node, RenderContext

from journeys.engine.content.services import Services


class Rendering(RenderContext):
    """One rendering: the scope of its variables, and the services that answer its calls."""

    __slots__ = ("services",)

    services: Services


class Bound(BoundTemplate):
    """A parsed template."""

    context_class = Rendering

    def text(self, values: Mapping[str, object], services: Services) -> str:
        """Rendered without calls."""
        context, buffer = self._rendering(values, services), self._get_buffer()
        self.render_with_context(context, buffer)
        return buffer.getvalue()

    async def text_async(self, values: Mapping[str, object], services: Services) -> str:
        """Rendered with calls."""
        context, buffer = self._rendering(values, services), self._get_buffer()
        await self.render_with_context_async(context, buffer)
        return buffer.getvalue()

    def _rendering(self, values: Mapping[str, object], services: Services) -> Rendering:
        context = Rendering(self, globals=self.make_globals(values))
        context.services = services
        return context

    @cached_property
    def needs_async(self) -> bool:
        """Whether a node of it makes calls: such a node's class says `calls = True`."""
        context = RenderContext(self)

        def any_calls(node: Node) -> bool:
            if getattr(node, "calls", False):
                return True
            return any(any_calls(child) for child in node.children(context, include_partials=False))

        return any(any_calls(node) for node in self.nodes)
