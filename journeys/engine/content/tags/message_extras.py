"""`{% message_extras :key K :value V %}`: a pair that is stored with the send event."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO, cast

from liquid import Node, RenderContext, Tag, Token, TokenStream
from liquid.ast import BlockNode

from journeys.engine.content.rendering import Rendering
from journeys.engine.content.services import Services
from journeys.engine.content.tags.tag_words import filled, filled_async, opened, text, words

MOST = 1000
"""Bytes that all keys and values of a message may have together (M3)."""


class ExtrasNode(Node):
    """Notes a pair, prints nothing. A pair that is written otherwise is dropped (M2)."""

    __slots__ = ("key", "value")

    def __init__(self, token: Token, key: BlockNode | None, value: BlockNode | None) -> None:
        super().__init__(token)
        self.key, self.value = key, value
        self.blank = False

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        """See base class."""
        if self.key is not None and self.value is not None:
            note(cast("Rendering", context).services, filled(self.key, context), filled(self.value, context))
        return 0

    async def render_to_output_async(self, context: RenderContext, buffer: TextIO) -> int:
        """See base class."""
        if self.key is not None and self.value is not None:
            key = await filled_async(self.key, context)
            note(cast("Rendering", context).services, key, await filled_async(self.value, context))
        return 0

    def children(self, static_context: RenderContext, *, include_partials: bool = True) -> Iterable[Node]:
        """See base class."""
        return [part for part in (self.key, self.value) if part is not None]


def note(services: Services, key: str, value: str) -> None:
    """Take a pair in: the first of a key wins, and what is over the limit is cut (M2, M3)."""
    key, value = key.strip(), value.strip()  # M3
    if not key or not value or key in services.extras:  # M2
        return
    used = sum(len(name.encode()) + len(said.encode()) for name, said in services.extras.items())
    left = MOST - used - len(key.encode())
    if left > 0:
        services.extras[key] = value.encode()[:left].decode(errors="ignore")  # M3, M4


class ExtrasTag(Tag):
    """The key, then the value, which goes on to the end of the tag; both may hold wrapped values (M1)."""

    name = "message_extras"
    block = False

    def parse(self, stream: TokenStream) -> ExtrasNode:
        """See base class."""
        token, word = opened(stream)
        found = words(word)
        named = [part.text for part in found]
        if named[:1] != [":key"] or ":value" not in named:  # M1, M2
            return ExtrasNode(token, None, None)
        middle = named.index(":value")
        key, value = found[1:middle], found[middle + 1 :]
        if not key or not value:
            return ExtrasNode(token, None, None)
        return ExtrasNode(token, text(self.env, key[0].to(key[-1])), text(self.env, value[0].to(value[-1])))
