"""Cuts a template's source into text, outputs and tags, in one pass and in linear time.

An output ends at the `}}` that closes it, not at the first one: names in `${}` and wrapped values (`{{a | plus: {{b}}}}`)
may stand within (L4). Positions stay exact, because nothing of the source is rewritten.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from liquid import Token
from liquid.exceptions import LiquidSyntaxError
from liquid.token import (
    TOKEN_COMMENT,
    TOKEN_CONTENT,
    TOKEN_DOC,
    TOKEN_EOF,
    TOKEN_EXPRESSION,
    TOKEN_OUTPUT,
    TOKEN_TAG,
)

_OPEN = re.compile(r"\{[{%]")
_INSIDE = re.compile(r"\$\{|\{\{|\}\}|\}")
_NAME = re.compile(r"-?\s*(#|\w+)")
_BODIES = {"raw": TOKEN_CONTENT, "comment": TOKEN_COMMENT, "doc": TOKEN_DOC}
_ENDS = {name: re.compile(r"\{%-?\s*end" + name + r"\s*-?%\}") for name in _BODIES}


def scan(source: str) -> Iterator[Token]:
    """The tokens of a template, as python-liquid's parser wants them.

    Raises LiquidSyntaxError, at the place of the opening, where something is not closed.
    """
    at = 0
    strip = False
    while True:
        opening = _OPEN.search(source, at)
        end = opening.start() if opening else len(source)
        if end > at:
            text = source[at:end]
            if strip:
                text = text.lstrip()
            if opening and source.startswith("-", end + 2):
                text = text.rstrip()
            if text:
                yield Token(TOKEN_CONTENT, text, start_index=at, source=source)
        if not opening:
            return
        if source[end + 1] == "{":
            at = _close_output(source, end)
            yield from _output(source, end, at)
        else:
            at = source.find("%}", end + 2) + 2
            if at == 1:
                raise _unclosed(source, end, "%}")
            name = _NAME.match(source, end + 2)
            if name is None:
                raise LiquidSyntaxError(
                    "a tag has a name", token=Token(TOKEN_TAG, "", start_index=end, source=source)
                )
            if name[1] not in ("raw", "doc"):
                yield from _tag(source, name, at)
            if name[1] in _BODIES:
                body, at = _body(source, name[1], at, end)
                yield from body
        strip = source[at - 3] == "-"


def _unclosed(source: str, at: int, wanted: str) -> LiquidSyntaxError:
    token = Token(TOKEN_EOF, source[at : at + 2], start_index=at, source=source)
    return LiquidSyntaxError(f"this is never closed by {wanted}", token=token)


def _close_output(source: str, begin: int) -> int:
    """The end of the output that begins here: braces of names and of wrapped values are counted."""
    depth, names, at = 1, 0, begin + 2
    while True:
        found = _INSIDE.search(source, at)
        if found is None:
            raise _unclosed(source, begin, "}}")
        at = found.end()
        match found[0]:
            case "${":
                names += 1
            case "{{":
                depth += 1
            case "}}" if names:
                names -= 1
                at -= 1  # the first of the two closes a name
            case "}}":
                depth -= 1
                if depth == 0:
                    return at
            case _ if names:
                names -= 1


def _trimmed(source: str, begin: int, end: int) -> tuple[int, str]:
    """An expression without its white space and dashes, and where it begins."""
    if source.startswith("-", begin):
        begin += 1
    if end > begin and source[end - 1] == "-":
        end -= 1
    text = source[begin:end]
    return begin + len(text) - len(text.lstrip()), text.strip()


def _output(source: str, begin: int, end: int) -> Iterator[Token]:
    yield Token(TOKEN_OUTPUT, source[begin:end], start_index=begin, source=source)
    at, text = _trimmed(source, begin + 2, end - 2)
    yield Token(TOKEN_EXPRESSION, text, start_index=at, source=source)


def _tag(source: str, name: re.Match[str], end: int) -> Iterator[Token]:
    yield Token(TOKEN_TAG, name[1], start_index=name.start(1), source=source)
    at, text = _trimmed(source, name.end(), end - 2)
    if text:
        yield Token(TOKEN_EXPRESSION, text, start_index=at, source=source)


def _body(source: str, name: str, begin: int, tag: int) -> tuple[list[Token], int]:
    """The body of `raw`, `comment` or `doc`, which is not read, and the place after it."""
    found = _ENDS[name].search(source, begin)
    if found is None:
        raise _unclosed(source, tag, "{% end" + name + " %}")
    text = Token(_BODIES[name], source[begin : found.start()], start_index=begin, source=source)
    tokens = [text]
    if name == "comment":
        tokens.append(Token(TOKEN_TAG, "endcomment", start_index=found.start() + 2, source=source))
    return tokens, found.end()
