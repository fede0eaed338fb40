"""Compiles templates to Python functions, which give the same output as the syntax tree, several times faster.

The tree stays the reference. What a function does for a node or an expression is written for exactly one method of the
tree; where a class has another, or there is nothing for it, the function calls the node itself. No text of a template
becomes part of the source that is compiled: all of it is handed over in a table of constants.
"""

from journeys.engine.content.codegen.functions import Function, function_of

__all__ = ["Function", "function_of"]
