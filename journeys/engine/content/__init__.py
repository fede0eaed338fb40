"""Content: the Liquid dialect, and what messages are made of."""

from journeys.engine.content.environment import Aborted
from journeys.engine.content.plain import strip_for_text
from journeys.engine.content.render import (
    RenderError,
    Template,
    TemplateError,
    Values,
    compile,
    problems,
    render_value,
)

__all__ = [
    "Aborted",
    "RenderError",
    "Template",
    "TemplateError",
    "Values",
    "compile",
    "problems",
    "render_value",
    "strip_for_text",
]
