"""The base of all tags that make a call while the message is rendered."""

from __future__ import annotations

from abc import abstractmethod
from typing import TextIO, cast

from liquid import Node, RenderContext, Token
from liquid.exceptions import LiquidError

from journeys.engine.content.rendering import Rendering

AGAIN = "again"
"""Set in a rendering's notes while a reply or a cell is rendered: no calls are made within (`:rerender`)."""


class CallNode(Node):
    """A tag that waits for an answer. It is never blank: white space around it is kept (T1)."""

    calls = True

    def __init__(self, token: Token) -> None:
        super().__init__(token)
        self.blank = False

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        """See base class."""
        if context.tag_namespace.get(AGAIN):
            return 0
        raise LiquidError(f"“{self.token.value}” cannot be used here: it makes a call", token=self.token)

    async def render_to_output_async(self, context: RenderContext, buffer: TextIO) -> int:
        """See base class."""
        if context.tag_namespace.get(AGAIN):  # K4
            return 0
        return await self.ask(cast("Rendering", context), buffer)

    @abstractmethod
    async def ask(self, context: Rendering, buffer: TextIO) -> int:
        """Ask, and use the answer. Returns how much was printed."""
