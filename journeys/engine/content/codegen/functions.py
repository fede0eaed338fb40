"""Generates and compiles the function of a template, and runs it as the tree is run."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any, cast

from liquid import Node, RenderContext
from liquid.builtin.tags.for_tag import ForLoop
from liquid.exceptions import BreakLoop, ContinueLoop, LiquidError, LiquidInterrupt
from liquid.output import NullIO

from journeys.engine.content.codegen.nodes import known, write
from journeys.engine.content.codegen.runtime import placed, true
from journeys.engine.content.codegen.writer import Writer
from journeys.engine.content.compare import equal
from journeys.engine.content.failures import UNWORKABLE, failed
from journeys.engine.content.grammar import span
from journeys.engine.content.lookup import step
from journeys.engine.content.output import Output, Parts
from journeys.engine.content.parsed_template import Parsed
from journeys.engine.content.rendering import Rendering
from journeys.engine.content.services import Aborted
from journeys.engine.content.stringify import stringify

MOST = 2_000
"""Nodes of a template that a function is made of; a larger one would cost more than it ever saves."""

_HEADER = """\
    spend, turn, assign, look, put = context.spend, context.turn, context.assign, context.reader(), parts.append
"""


@dataclass(frozen=True, slots=True)
class Function:
    """A template as a Python function. `left`: nodes that are left to the tree."""

    parsed: Parsed
    source: str
    left: tuple[Node, ...]
    _starts: tuple[int, ...]
    _run: Callable[[RenderContext, Parts], Any]

    def text(self, context: Rendering) -> str:
        """Rendered without calls. Raises as `Bound.text`."""
        parts = Output(context.limits.output)
        try:
            self._run(context, parts)
            return parts.text()
        except _RAISED as error:
            raise self._failed(error, parts) from error

    async def text_async(self, context: Rendering) -> str:
        """Rendered with calls. Raises as `Bound.text`."""
        parts = Output(context.limits.output)
        try:
            await self._run(context, parts)
            return parts.text()
        except _RAISED as error:
            raise self._failed(error, parts) from error

    def render(self, context: RenderContext, parts: Parts, *, inner: bool) -> None:
        """As `Bound.render_with_context`."""
        try:
            self._run(context, parts)
        except _FAILED as error:
            raise failed(error, self._node(error), inner=inner) from error

    async def render_async(self, context: RenderContext, parts: Parts, *, inner: bool) -> None:
        """As `Bound.render_with_context_async`."""
        try:
            await self._run(context, parts)
        except _FAILED as error:
            raise failed(error, self._node(error), inner=inner) from error

    def _failed(self, error: Exception, parts: Output) -> Exception:
        """What is raised: that the output had grown too long, if so, since the tree would have noticed first."""
        node = self._node(error)
        try:
            parts.text()
        except LiquidError as earlier:
            error = earlier
        return error if isinstance(error, Aborted) else failed(error, node, inner=False)

    def _node(self, error: Exception) -> Node:
        """The outermost node within which the error came up: the line of the function tells."""
        trace, line = error.__traceback__, 0
        while trace is not None:
            if trace.tb_frame.f_code is self._run.__code__:
                line = trace.tb_lineno
                break
            trace = trace.tb_next
        return self.parsed.nodes[max(0, bisect_right(self._starts, line) - 1)]


_FAILED = (LiquidError, LiquidInterrupt, *UNWORKABLE)
_RAISED = (Aborted, *_FAILED)


def function_of(parsed: Parsed, *, awaits: bool) -> Function | None:
    """The function of a template. None where the tree is better: it is very large, or nested beyond what Python takes."""
    nodes = list(islice(parsed.walk(), MOST + 1))
    if len(nodes) > MOST:
        return None
    left = tuple(node for node in nodes if not known(node))
    names = frozenset(str(name) for node in nodes for name in node.template_scope())
    writer = Writer(awaits, None if left or parsed.blocks else names)
    writer.constants.update(_CALLED, env=parsed.env)
    starts = []
    try:
        for node in parsed.nodes:
            starts.append(len(writer.lines))
            write(writer, node)
        header = _HEADER + "".join(
            f"    {name} = look({writer.constant(root)})\n" for root, name in writer.roots.items()
        )
        source = f"{'async ' * awaits}def render(context, parts):\n{header}" + "\n".join(writer.lines)
        code = compile(source, "<template>", "exec")
    except (RecursionError, SyntaxError, MemoryError, NotImplementedError):
        return None
    found = writer.constants
    exec(code, found)  # noqa: S102 - written here, from names of our own; what the template says is in the constants
    above = 2 + header.count("\n")
    return Function(parsed, source, left, tuple(above + start for start in starts), found.pop("render"))


_CALLED = {
    "Parts": Parts, "stringify": stringify, "step": step, "true": true,
    "placed": placed, "equal": equal, "span": span, "ForLoop": ForLoop, "BreakLoop": BreakLoop, "ContinueLoop": ContinueLoop, "nowhere": cast("Any", NullIO()),
}  # fmt: skip
"""What functions call by name."""
