"""`for` and `tablerow`, with bounds on what they go through."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TextIO

from liquid import RenderContext, Token
from liquid.ast import BlockNode
from liquid.builtin.expressions import LoopExpression
from liquid.builtin.tags.for_tag import ForNode, ForTag
from liquid.builtin.tags.tablerow_tag import TableRow, TablerowNode, TablerowTag
from liquid.exceptions import BreakLoop, ContinueLoop

from journeys.engine.content.limits import short


class Bounded(LoopExpression):
    """What a loop goes through: no range that is too long (its end may be far even where `limit` is small)."""

    __slots__ = ()

    @classmethod
    def of(cls, stock: LoopExpression) -> Bounded:
        """The same, bounded."""
        return cls(
            stock.token,
            stock.identifier,
            stock.iterable,
            limit=stock.limit,
            offset=stock.offset,
            reversed_=stock.reversed,
            cols=stock.cols,
        )

    def _to_iter(self, obj: object, context: RenderContext) -> tuple[Iterator[Any], int]:
        return super()._to_iter(short(obj), context)


class OurFor(ForNode):
    """`for`."""

    def __init__(
        self, token: Token, expression: LoopExpression, block: BlockNode, default: BlockNode | None = None
    ) -> None:
        super().__init__(token, Bounded.of(expression), block, default)


class OurForTag(ForTag):
    """`for`."""

    node_class = OurFor


class OurTablerow(TablerowNode):
    """`tablerow`."""

    def __init__(self, token: Token, expression: LoopExpression, block: BlockNode) -> None:
        super().__init__(token, Bounded.of(expression), block)

    async def render_to_output_async(self, context: RenderContext, buffer: TextIO) -> int:
        """See base class: what is done without calls, awaiting the cells."""
        name = self.expression.identifier
        items, length = await self.expression.evaluate_async(context)
        if not length:
            return True
        cols = length
        if self.expression.cols:
            cols = self._int_or_zero(await self.expression.cols.evaluate_async(context))
        row = TableRow(name, items, length, cols)
        namespace: dict[str, object] = {"tablerowloop": row}
        buffer.write('<tr class="row1">\n')
        with context.loop(namespace, row):
            for item in row:
                namespace[name] = item
                buffer.write(f'<td class="col{row.col}">')
                ended = False
                try:
                    await self.block.render_async(context, buffer)
                except BreakLoop:
                    ended = True
                except ContinueLoop:
                    pass
                buffer.write("</td>")
                if row.col_last and not row.last:
                    buffer.write(f'</tr>\n<tr class="row{row.row + 1}">')
                if ended:
                    break
        buffer.write("</tr>\n")
        return True


class OurTablerowTag(TablerowTag):
    """`tablerow`."""

    node_class = OurTablerow
