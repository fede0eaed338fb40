"""`{% promotion('snippet') %}`: a promotion code that belongs to this send."""

from __future__ import annotations

from typing import TextIO, cast

from liquid import Node, RenderContext, Tag, Token, TokenStream
from liquid.exceptions import LiquidSyntaxError

from journeys.engine.content.rendering import Rendering
from journeys.engine.content.services import Aborted, Services
from journeys.engine.content.tags.tag_words import opened, quoted


def code_of(snippet: str, services: Services) -> str:
    """The code of a list that this message was charged. Raises `Aborted` where it has none left (P3)."""
    code = services.promotion(snippet)
    if code is None:  # P3
        raise Aborted(f"the promotion list “{snippet}” has no code left")
    return code


class PromotionNode(Node):
    """Prints the code that this message was charged before it was rendered (P1, P2). None left: aborted (P3)."""

    __slots__ = ("snippet",)

    def __init__(self, token: Token, snippet: str) -> None:
        super().__init__(token)
        self.snippet = snippet
        self.blank = False  # P5

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        """See base class."""
        return buffer.write(code_of(self.snippet, cast("Rendering", context).services))  # P1


class PromotionTag(Tag):
    """The name of the list in quotes of either kind; it is case-sensitive (P1)."""

    name = "promotion"
    block = False

    def parse(self, stream: TokenStream) -> PromotionNode:
        """See base class."""
        token, word = opened(stream)
        for snippet in quoted(word):
            if snippet.strip():
                return PromotionNode(token, snippet.strip())  # P1
        raise LiquidSyntaxError(
            "promotion takes the name of a list in quotes: {% promotion('spring') %}", token=token
        )
