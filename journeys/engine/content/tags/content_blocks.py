"""`{{content_blocks.${name}}}`: a text that many messages share, as output or as a value."""

from __future__ import annotations

from typing import TextIO, cast

from liquid import RenderContext, Token
from liquid.builtin.expressions import FilteredExpression, Path
from liquid.builtin.output import OutputNode
from liquid.expression import Expression

from journeys.engine.content.content_blocks import entered
from journeys.engine.content.known_names import BLOCKS


class BlockOutput(OutputNode):
    """Prints a block. Its Liquid runs in the same scope: what it assigns is seen after it (B1)."""

    __slots__ = ("called",)

    def __init__(self, token: Token, expression: Expression, path: Path) -> None:
        super().__init__(token, expression)
        self.called = str(path.path[1])

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        """See base class."""
        with entered(context, self.called, self.token) as block:
            if block is not None:
                block.render_with_context(context, buffer, partial=True)  # B1
        return 0

    async def render_to_output_async(self, context: RenderContext, buffer: TextIO) -> int:
        """See base class."""
        with entered(context, self.called, self.token) as block:
            if block is not None:
                await block.render_with_context_async(context, buffer, partial=True)
        return 0


def block_of(expression: Expression) -> Path | None:
    """The path of a content block, where an output says nothing else."""
    if not isinstance(expression, FilteredExpression) or expression.filters:
        return None
    path = expression.left
    whole = isinstance(path, Path) and len(path.path) == 2 and path.path[0] == BLOCKS
    return cast("Path", path) if whole and isinstance(cast("Path", path).path[1], str) else None
