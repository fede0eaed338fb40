"""The parts of a tag's text: words, which may have wrapped values, each compiled as a small template."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from liquid import Environment, RenderContext, Token, TokenStream
from liquid.ast import BlockNode
from liquid.exceptions import LiquidSyntaxError
from liquid.parser import get_parser
from liquid.token import TOKEN_EXPRESSION, TOKEN_OUTPUT, TOKEN_TAG

from journeys.engine.content.expression_tokens import Stream
from journeys.engine.content.scanner import scan

_MARKS = re.compile(r"[{}]|\s+")
_BARE = re.compile(r"[\w.]*\$\{")


@dataclass(frozen=True, slots=True)
class Word:
    """A part of a tag's text, and where it begins in the template's source."""

    text: str
    start: int
    source: str

    @property
    def end(self) -> int:
        """The place after it."""
        return self.start + len(self.text)

    @property
    def token(self) -> Token:
        """Its place, for errors."""
        return Token(TOKEN_EXPRESSION, self.text, start_index=self.start, source=self.source)

    def cut(self, begin: int, end: int | None = None) -> Word:
        """A piece of it."""
        return Word(self.text[begin:end], self.start + begin, self.source)

    def to(self, last: Word) -> Word:
        """All from this word to the end of another, with what stands between."""
        return Word(self.source[self.start : last.end], self.start, self.source)


def opened(stream: TokenStream) -> tuple[Token, Word]:
    """The token of the tag that the stream stands at, and the text of the tag: may be empty.

    The stream is left at the tag's last token, as the parser wants it.
    """
    token = stream.expect(TOKEN_TAG) if stream.current.kind != TOKEN_TAG else stream.current
    if stream.peek.kind != TOKEN_EXPRESSION:
        return token, Word("", token.start_index + len(token.value), token.source)
    next(stream)
    return token, Word(stream.current.value, stream.current.start_index, stream.current.source)


def words(word: Word) -> list[Word]:
    """Cut at white space that stands outside braces (liquid.md 4.3): a filled-in value may hold spaces."""
    found: list[Word] = []
    begin = depth = 0
    for mark in _MARKS.finditer(word.text):
        match mark[0]:
            case "{":
                depth += 1
            case "}":
                depth = max(0, depth - 1)
            case _ if depth == 0:
                if mark.start() > begin:
                    found.append(word.cut(begin, mark.start()))
                begin = mark.end()
    if begin < len(word.text):
        found.append(word.cut(begin))
    return found


def pieces(word: Word, sign: str) -> list[Word]:
    """Cut at a sign that stands outside braces."""
    found: list[Word] = []
    begin = depth = 0
    for place, letter in enumerate(word.text):
        if letter == "{":
            depth += 1
        elif letter == "}":
            depth = max(0, depth - 1)
        elif letter == sign and depth == 0:
            found.append(word.cut(begin, place))
            begin = place + 1
    found.append(word.cut(begin))
    return found


def text(env: Environment, word: Word) -> BlockNode:
    """The small template that a word is. Raises LiquidSyntaxError at the exact place."""
    try:
        tokens = [
            token._replace(start_index=word.start + token.start_index, source=word.source)
            for token in scan(word.text)
        ]
    except LiquidSyntaxError as error:
        if error.token is not None:
            error.token = error.token._replace(
                start_index=word.start + error.token.start_index, source=word.source
            )
        raise
    return BlockNode(word.token, get_parser(env).parse(Stream(iter(tokens))))


def value(env: Environment, word: Word) -> BlockNode:
    """As `text`; a bare `ns.${x}` is a value as well (L4)."""
    if not _BARE.match(word.text):
        return text(env, word)
    token = word.token
    tokens = [token._replace(kind=TOKEN_OUTPUT), token]
    return BlockNode(token, get_parser(env).parse(Stream(iter(tokens))))


def filled(block: BlockNode, context: RenderContext) -> str:
    """The text of a part."""
    buffer = context.get_buffer()
    for node in block.nodes:
        node.render(context, buffer)
    return buffer.getvalue()


async def filled_async(block: BlockNode, context: RenderContext) -> str:
    """The text of a part that may make calls."""
    buffer = context.get_buffer()
    for node in block.nodes:
        await node.render_async(context, buffer)
    return buffer.getvalue()


def quoted(word: Word) -> Iterator[str]:
    """The text within the quotes, with parentheses around them or without: one, or none where there are no quotes."""
    inner = word.text.strip()
    if inner.startswith("(") and inner.endswith(")"):
        inner = inner[1:-1].strip()
    if len(inner) >= 2 and inner[0] in "\"'" and inner[-1] == inner[0]:
        yield inner[1:-1]
