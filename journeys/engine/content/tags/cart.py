"""`{% shopping_cart ID %}`: a cart as `shopping_cart`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from liquid import Node, RenderContext, Tag, Token, TokenStream
from liquid.ast import BlockNode
from liquid.builtin.expressions import Identifier
from liquid.exceptions import LiquidSyntaxError

from journeys.engine.content.rendering import Rendering
from journeys.engine.content.services import Aborted
from journeys.engine.content.tags.call import CallNode
from journeys.engine.content.tags.tag_words import filled_async, opened, value, words

CART = "shopping_cart"
OPTION = ":abort_if_not_abandoned"


class CartNode(CallNode):
    """Sets `shopping_cart`, prints nothing. The message is aborted where the cart was bought, unless told otherwise (S1)."""

    __slots__ = ("abandoned", "cart")

    def __init__(self, token: Token, cart: BlockNode, *, abandoned: bool) -> None:
        super().__init__(token)
        self.cart, self.abandoned = cart, abandoned

    async def ask(self, context: Rendering, buffer: TextIO) -> int:
        """See base class."""
        del buffer
        found = await context.ask(context.services.cart, (await filled_async(self.cart, context)).strip())
        if found is not None:
            if self.abandoned and found.get("ordered"):  # S1
                raise Aborted("the shopping cart was ordered")
            found = {name: part for name, part in found.items() if name != "ordered"}
        context.assign(CART, found)
        return 0

    def children(self, static_context: RenderContext, *, include_partials: bool = True) -> Iterable[Node]:
        """See base class."""
        return [self.cart]

    def template_scope(self) -> Iterable[Identifier]:
        """See base class."""
        yield Identifier(CART, token=self.token)


class CartTag(Tag):
    """`{% shopping_cart ID [:abort_if_not_abandoned true|false] %}`."""

    name = CART
    block = False

    def parse(self, stream: TokenStream) -> CartNode:
        """See base class."""
        token, word = opened(stream)
        found = words(word)
        abandoned = True
        if len(found) == 3 and found[1].text == OPTION:
            if found[2].text not in ("true", "false"):
                raise LiquidSyntaxError(f"{OPTION} is true or false", token=found[2].token)
            abandoned = found[2].text == "true"
        elif len(found) != 1:
            raise LiquidSyntaxError(
                "shopping_cart takes the id of a cart: {% shopping_cart {{context.${cart_id}}} %}",
                token=token,
            )
        return CartNode(token, value(self.env, found[0]), abandoned=abandoned)
