"""Content blocks in a rendering: texts that many messages share, rendered in the scope of the message."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from liquid import BoundTemplate, Environment, RenderContext, Token
from liquid.exceptions import LiquidError

from journeys.engine.content.limits import Exceeded
from journeys.engine.content.lookup import Asked
from journeys.engine.content.rendering import Rendering
from journeys.engine.content.size_limited_cache import Cache, weight

LEVELS = 2
"""A block within a block works, one within that is left out silently (B2)."""
_DEPTH = "blocks"


class Blocks(Asked):
    """The blocks as values of one rendering: the text of a block."""

    def __init__(self, context: Rendering) -> None:
        self._context = context

    def __getitem__(self, name: str) -> str:
        buffer = self._context.get_buffer()
        with entered(self._context, name) as block:
            if block is not None:
                block.render_with_context(self._context, buffer, partial=True)
        return buffer.getvalue()

    async def __getitem_async__(self, name: str) -> str:
        buffer = self._context.get_buffer()
        with entered(self._context, name) as block:
            if block is not None:
                await block.render_with_context_async(self._context, buffer, partial=True)
        return buffer.getvalue()

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


@contextmanager
def entered(context: RenderContext, name: str, token: Token | None = None) -> Iterator[BoundTemplate | None]:
    """The template of a block, one level deeper. None where it is unknown or too deep.

    Raises LiquidError that names the block, for what is wrong within it.
    """
    notes = context.tag_namespace
    depth = notes.get(_DEPTH, 0)
    source = cast("Rendering", context).services.block(name) if depth < LEVELS else None  # B2
    if source is None:  # B3
        yield None
        return
    notes[_DEPTH] = depth + 1
    try:
        yield _template(context.env, source)
    except Exceeded as error:
        error.token = token
        raise
    except LiquidError as error:
        raise LiquidError(f"in the content block “{name}”: {error.message}", token=token) from error
    finally:
        notes[_DEPTH] = depth


BLOCKS_KEPT: Cache[BoundTemplate] = Cache(32 * 1024 * 1024, "content_blocks")
"""The blocks as they were parsed, by dialect and source: as many as have room."""


def _template(env: Environment, source: str) -> BoundTemplate:
    key = f"{id(env)} {source}"
    found = BLOCKS_KEPT.get(key)
    if found is None:
        found = env.from_string(source)
        BLOCKS_KEPT.keep(key, found, weight(source))
    return found
