"""Content: the Liquid dialect of messages, compiled and rendered."""

from journeys.engine.content.html_comments import without_comments
from journeys.engine.content.render import (
    COMPILERS,
    RenderError,
    Template,
    TemplateError,
    Values,
    compile,
    compile_html,
    problems,
    render_value,
)
from journeys.engine.content.services import Aborted, Call, Reply, Retry, Services
from journeys.engine.content.text_part import text_part

__all__ = [
    "COMPILERS",
    "Aborted",
    "Call",
    "RenderError",
    "Reply",
    "Retry",
    "Services",
    "Template",
    "TemplateError",
    "Values",
    "compile",
    "compile_html",
    "problems",
    "render_value",
    "text_part",
    "without_comments",
]
