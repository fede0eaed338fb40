"""`catalog_items` and `catalog_selection_items`: items of a catalog as `items`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from liquid import Node, RenderContext, Tag, Token, TokenStream
from liquid.ast import BlockNode
from liquid.builtin.expressions import Identifier
from liquid.exceptions import LiquidSyntaxError

from journeys.engine.content.rendering import Rendering
from journeys.engine.content.tags.call import CallNode
from journeys.engine.content.tags.rerender import rerendered
from journeys.engine.content.tags.tag_words import Word, filled_async, opened, value, words

ITEMS = "items"
MOST = 50
"""Rows of a selection that a message gets (K3)."""


class _ItemsNode(CallNode):
    """Sets `items`, prints nothing; a later one replaces it (K7)."""

    __slots__ = ("named", "rerender")

    def __init__(self, token: Token, named: Sequence[BlockNode], *, rerender: bool) -> None:
        super().__init__(token)
        self.named, self.rerender = named, rerender

    async def ask(self, context: Rendering, buffer: TextIO) -> int:
        """See base class."""
        del buffer
        names = [(await filled_async(part, context)).strip() for part in self.named]
        found: Any = [dict(item) for item in await self.found(context, names)]
        if self.rerender:
            found = await rerendered(found, context, self.token)  # K4
        context.assign(ITEMS, found)  # K1, K7
        return 0

    @abstractmethod
    async def found(self, context: Rendering, names: Sequence[str]) -> Sequence[dict[str, Any]]:
        """The items of these names."""

    def children(self, static_context: RenderContext, *, include_partials: bool = True) -> Iterable[Node]:
        """See base class."""
        return self.named

    def template_scope(self) -> Iterable[Identifier]:
        """See base class."""
        yield Identifier(ITEMS, token=self.token)


class ItemsNode(_ItemsNode):
    """Items by their ids, in that order (K1). Those that are unknown are left out (K2)."""

    async def found(self, context: Rendering, names: Sequence[str]) -> Sequence[dict[str, Any]]:
        """See base class."""
        return await context.ask(context.services.items, names[0], [name for name in names[1:] if name])  # K1


class SelectionNode(_ItemsNode):
    """The items of a selection (K3)."""

    async def found(self, context: Rendering, names: Sequence[str]) -> Sequence[dict[str, Any]]:
        """See base class."""
        return (await context.ask(context.services.selection, names[0], names[1]))[:MOST]  # K3


def _named(word: Word) -> tuple[list[Word], bool]:
    """The words without `:rerender`, and whether it stood there; commas between ids say nothing."""
    found = words(word)
    rerender = any(part.text == ":rerender" for part in found)
    kept = []
    for part in found:
        bare = part.text.rstrip(",")
        if bare and part.text != ":rerender":
            kept.append(part.cut(0, len(bare)))
    return kept, rerender


class ItemsTag(Tag):
    """`{% catalog_items CATALOG id1 id2 … [:rerender] %}`."""

    name = "catalog_items"
    block = False

    def parse(self, stream: TokenStream) -> ItemsNode:
        """See base class."""
        token, word = opened(stream)
        named, rerender = _named(word)
        if len(named) < 2:
            raise LiquidSyntaxError(
                "catalog_items takes a catalog and at least one id: {% catalog_items shoes 17 %}", token=token
            )
        return ItemsNode(token, [value(self.env, part) for part in named], rerender=rerender)


class SelectionTag(Tag):
    """`{% catalog_selection_items CATALOG SELECTION [:rerender] %}`."""

    name = "catalog_selection_items"
    block = False

    def parse(self, stream: TokenStream) -> SelectionNode:
        """See base class."""
        token, word = opened(stream)
        named, rerender = _named(word)
        if len(named) != 2:
            raise LiquidSyntaxError(
                "catalog_selection_items takes a catalog and a selection: "
                "{% catalog_selection_items shoes on_sale %}",
                token=token,
            )
        return SelectionNode(token, [value(self.env, part) for part in named], rerender=rerender)
