"""The errors that a node of a template raises when it cannot be rendered."""

from __future__ import annotations

from liquid import Node, Token
from liquid.exceptions import LiquidError, LiquidInterrupt, LiquidSyntaxError

UNWORKABLE = (ArithmeticError, RecursionError, ValueError, TypeError, AttributeError, LookupError)
"""What Python raises where a value cannot be worked with."""


class Unworkable(LiquidError):
    """A value that cannot be worked with (E3)."""

    def __init__(self, error: Exception, token: Token) -> None:
        said = "too deeply nested" if isinstance(error, RecursionError) else str(error)
        super().__init__(f"a value cannot be used: {said}", token=token)


def failed(error: Exception, node: Node, *, inner: bool) -> Exception:
    """What is raised for an error within a node: it names a place. `inner`: a loop around the template may be left."""
    if isinstance(error, LiquidInterrupt):
        return error if inner else LiquidSyntaxError(f"“{error}” is outside of a loop", token=node.token)
    if not isinstance(error, LiquidError):
        return Unworkable(error, node.token)
    if error.token is None:
        error.token = node.token
    return error
