"""`:rerender`: runs Liquid in a reply, one level deep and without calls (4.3, K4)."""

from __future__ import annotations

from typing import Any

from liquid import Token
from liquid.exceptions import LiquidError

from journeys.canvas.frozen_model import is_liquid
from journeys.engine.content.limits import Exceeded
from journeys.engine.content.rendering import Rendering
from journeys.engine.content.tags.call import AGAIN


async def rerendered(value: Any, context: Rendering, token: Token) -> Any:
    """A value with the Liquid of all texts within it run, in the scope of the message.

    Raises LiquidError at the tag where such a text cannot be read.
    """
    if isinstance(value, str):
        return await _text(value, context, token) if is_liquid(value) else value
    if isinstance(value, dict):
        return {name: await rerendered(part, context, token) for name, part in value.items()}
    if isinstance(value, list):
        return [await rerendered(part, context, token) for part in value]
    return value


async def _text(source: str, context: Rendering, token: Token) -> str:
    buffer = context.get_buffer()
    notes = context.tag_namespace
    before = notes.get(AGAIN, False)
    notes[AGAIN] = True
    try:
        context.turn()
        context.watch()
        template = context.env.from_string(source)
        await template.render_with_context_async(context, buffer, partial=True)
    except Exceeded as error:
        error.token = token
        raise
    except LiquidError as error:
        raise LiquidError(f"Liquid in the reply cannot be run: {error.message}", token=token) from error
    finally:
        notes[AGAIN] = before
    return buffer.getvalue()
