"""A template bound to the dialect: it renders itself."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, TextIO, cast

from liquid import RenderContext
from liquid.exceptions import LiquidError, LiquidInterrupt

from journeys.engine.content.codegen import Function, function_of
from journeys.engine.content.content_blocks import Blocks
from journeys.engine.content.failures import UNWORKABLE, failed
from journeys.engine.content.known_names import BLOCKS
from journeys.engine.content.limits import LIMITS, Limits
from journeys.engine.content.output import Buffer, Parts
from journeys.engine.content.parsed_template import Parsed
from journeys.engine.content.rendering import Rendering
from journeys.engine.content.services import Services


class Bound(Parsed):
    """A parsed template that renders itself: by the function that is made of it, or else by its nodes."""

    context_class = cast("type[RenderContext]", Rendering)

    def text(self, values: Mapping[str, object], services: Services, allowed: Limits = LIMITS) -> str:
        """Rendered without calls. Raises LiquidError, with the place in its token, and Aborted."""
        if self.function is None:
            return self.text_by_tree(values, services, allowed)
        return self.function.text(self._begin(values, services, allowed))

    async def text_async(
        self, values: Mapping[str, object], services: Services, allowed: Limits = LIMITS
    ) -> str:
        """Rendered with calls. Raises as `text`."""
        if self.waiting is None:
            return await self.text_by_tree_async(values, services, allowed)
        return await self.waiting.text_async(self._begin(values, services, allowed))

    def text_by_tree(self, values: Mapping[str, object], services: Services, allowed: Limits = LIMITS) -> str:
        """As `text`, by the syntax tree: the reference."""
        context, buffer = self._begin(values, services, allowed), Buffer(allowed.output)
        self.render_with_context(context, buffer)
        return buffer.getvalue()

    async def text_by_tree_async(
        self, values: Mapping[str, object], services: Services, allowed: Limits = LIMITS
    ) -> str:
        """As `text_async`, by the syntax tree: the reference."""
        context, buffer = self._begin(values, services, allowed), Buffer(allowed.output)
        await self.render_with_context_async(context, buffer)
        return buffer.getvalue()

    @cached_property
    def function(self) -> Function | None:
        """The template as a Python function, made when it is first rendered. None: it is rendered by the tree."""
        return function_of(self, awaits=False)

    @cached_property
    def waiting(self) -> Function | None:
        """The same as a coroutine function, which awaits what makes calls."""
        return function_of(self, awaits=True)

    def _begin(self, values: Mapping[str, object], services: Services, allowed: Limits) -> Rendering:
        if not self.blocks:
            return Rendering(self, values, services, allowed)
        given = dict(values)
        context = Rendering(self, given, services, allowed)
        given[BLOCKS] = Blocks(context)
        return context

    def render_with_context(
        self,
        context: RenderContext,
        buffer: TextIO,
        *args: Any,
        partial: bool = False,
        block_scope: bool = False,
        **kwargs: Any,
    ) -> None:
        """See base class. All that Python itself raises becomes a LiquidError with a place."""
        with context.extend(dict(*args, **kwargs)):
            if isinstance(buffer, Parts) and self.function is not None:
                self.function.render(context, buffer, inner=partial and not block_scope)
                return
            for node in self.nodes:
                try:
                    node.render(context, buffer)
                except (LiquidError, LiquidInterrupt, *UNWORKABLE) as error:
                    raise failed(error, node, inner=partial and not block_scope) from error

    async def render_with_context_async(
        self,
        context: RenderContext,
        buffer: TextIO,
        *args: Any,
        partial: bool = False,
        block_scope: bool = False,
        **kwargs: Any,
    ) -> None:
        """See base class, and `render_with_context`."""
        with context.extend(dict(*args, **kwargs)):
            if isinstance(buffer, Parts) and self.waiting is not None:
                await self.waiting.render_async(context, buffer, inner=partial and not block_scope)
                return
            for node in self.nodes:
                try:
                    await node.render_async(context, buffer)
                except (LiquidError, LiquidInterrupt, *UNWORKABLE) as error:
                    raise failed(error, node, inner=partial and not block_scope) from error
