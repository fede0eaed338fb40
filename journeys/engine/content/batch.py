"""Renders messages line by line: each line is a template with its context, and each result is a line."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from journeys.engine.content.context_files import context_of, services_of
from journeys.engine.content.render import COMPILERS, RenderError, Template, TemplateError, Values
from journeys.engine.content.services import Aborted, Retry, Services
from journeys.engine.content.tags.promotion import code_of

LONGEST = 16 * 1024 * 1024
"""Bytes that a line may have."""

EXHAUSTED = "exhausted_cc_retries"
"""Why a message is aborted whose call failed with `:retry`: nothing answers otherwise the next time (C3)."""

_BYTE = re.compile(r" \(byte (\d+)\)$")


class _Wrong(Exception):
    """A line that cannot be worked with: a code, the place in it, and why."""

    def __init__(self, code: str, message: str, column: int = 1, identity: Any = None) -> None:
        self.code, self.message, self.column, self.identity = code, message, column, identity
        super().__init__(message)


async def answer(line: bytes, number: int) -> bytes:
    """The answer to one line, the `number`-th of its file. Never raises: what is wrong is the answer (E5).

    `{"id", "output"}`, `{"id", "aborted": true, "reason"}` or `{"id", "error": {code, line, column, message}}`. Line and
    column are those in the template; of a line that is no message they are its own.
    """
    said = await _answer(line, number)
    try:
        return msgspec.json.encode(said)
    except UnicodeEncodeError:
        return msgspec.json.encode(_error(None, "internal_error", 1, 1, "the output is not Unicode"))


async def rendered(template: Template, values: Values, services: Services) -> str:
    """The text of a message. The lists that it names in any branch are charged first, as when it is sent (P2, P3).

    Raises `Aborted`, `RenderError`, `Retry`.
    """
    for snippet in sorted(name for each in template.within(services.block) for name in each.promotions):
        code_of(snippet, services)  # P2, P3
    if template.needs_async:
        return await template.render_async(values, services)
    return template.render(values, services)


async def _answer(line: bytes, number: int) -> dict[str, Any]:
    try:
        identity, source, context, comments = _read(line)
    except _Wrong as wrong:
        return _error(wrong.identity, wrong.code, number, wrong.column, wrong.message)
    try:
        values, services = context_of(context), services_of(context)
    except ValueError as error:
        return _error(identity, "invalid_context", number, 1, str(error))
    try:
        template = COMPILERS[comments](source)
        return {"id": identity, "output": await rendered(template, values, services)}
    except Aborted as aborted:
        return {"id": identity, "aborted": True, "reason": aborted.reason}
    except Retry:
        return {"id": identity, "aborted": True, "reason": EXHAUSTED}  # C3
    except (TemplateError, RenderError) as error:
        hint = f" ({error.hint})" if isinstance(error, TemplateError) and error.hint else ""
        return _error(identity, error.code, error.line, error.column, error.message + hint)  # E5
    except Exception as error:  # noqa: BLE001 - one line must not stop the others
        return _error(identity, "internal_error", 1, 1, f"internal error: {type(error).__name__}")


def _error(identity: Any, code: str, line: int, column: int, message: str) -> dict[str, Any]:
    return {"id": identity, "error": {"code": code, "line": line, "column": column, "message": message}}


def _read(line: bytes) -> tuple[Any, str, Any, str]:
    """The id, the template and the context of a line, and what becomes of HTML comments. Raises _Wrong."""
    if len(line) > LONGEST:
        raise _Wrong("invalid_line", f"the line is longer than {LONGEST // 2**20} MB")
    try:
        given = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError) as error:
        text = str(error)
        at = _BYTE.search(text)
        message = f"the line is not JSON: {_BYTE.sub('', text)}"
        raise _Wrong("invalid_line", message, int(at[1]) + 1 if at else len(line) + 1) from error
    if not isinstance(given, dict):
        raise _Wrong("invalid_line", "a line is one object: id, template, context")
    identity = given.get("id")
    for key in ("id", "template"):
        if key not in given:
            raise _Wrong("invalid_line", f"the line has no “{key}”", identity=identity)
    if not isinstance(given["template"], str):
        raise _Wrong("invalid_line", "“template” must be a text", identity=identity)
    comments = given.get("html_comments", "removed")
    if not isinstance(comments, str) or comments not in COMPILERS:
        raise _Wrong("invalid_line", "“html_comments” must be “removed” or “kept”", identity=identity)
    return identity, given["template"], given.get("context", {}), comments
