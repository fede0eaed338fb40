"""`{% abort_message('why') %}`: the message is not sent."""

from __future__ import annotations

from typing import TextIO

from liquid import Node, RenderContext, Tag, Token, TokenStream
from liquid.exceptions import LiquidSyntaxError

from journeys.engine.content.expression_tokens import CURLY
from journeys.engine.content.services import DEFAULT_REASON, Aborted
from journeys.engine.content.tags.tag_words import opened


class AbortNode(Node):
    """Ends the rendering where it is reached (A2, A4)."""

    __slots__ = ("reason",)

    def __init__(self, token: Token, reason: str) -> None:
        super().__init__(token)
        self.reason = reason
        self.blank = False

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        """See base class."""
        del context, buffer
        raise Aborted(self.reason)  # A2


class AbortTag(Tag):
    """With quotes of either kind, without, with parentheses, without, with nothing (A1). The reason is fixed text (A3)."""

    name = "abort_message"
    block = False

    def parse(self, stream: TokenStream) -> AbortNode:
        """See base class."""
        token, word = opened(stream)
        reason = word.text.strip()
        if reason.startswith("(") and reason.endswith(")"):
            reason = reason[1:-1].strip()  # A1
        if reason[:1] in tuple(CURLY):
            raise LiquidSyntaxError(
                f"curly quotes ({reason[0]}) are not supported: use straight quotes", token=word.token
            )
        if len(reason) >= 2 and reason[0] in "\"'" and reason[-1] == reason[0]:
            reason = reason[1:-1]  # A1
        return AbortNode(token, reason.strip() or DEFAULT_REASON)  # A1, A3
