"""Cuts an expression into tokens: the stock rules, and `${}` names, wrapped values, words that are words."""

from __future__ import annotations

import re
from collections.abc import Iterator

from liquid import Token, TokenStream
from liquid.exceptions import LiquidSyntaxError
from liquid.token import (
    TOKEN_EXPRESSION,
    TOKEN_IDENTINDEX,
    TOKEN_IDENTSTRING,
    TOKEN_ILLEGAL,
    TOKEN_WORD,
    operators,
)

ROOT = "$"
"""The namespace of bare `${x}`: standard attributes, apart from all variables (L12)."""

_RULES = (
    ("name", r"(?P<dot>\.\s*)?\$\{\s*(?P<called>[^{}]*?)\s*\}"),
    ("brace", r"\{\{|\}\}|[{}]"),
    ("rangeexpression", r"\((?=[^()]*?\.\.)"),
    (TOKEN_IDENTINDEX, r"\[\s*(?P<index>-?\d+)\s*\]"),
    (TOKEN_IDENTSTRING, r"\[\s*(?P<q>[\"'])(?P<quoted>[^\"']*)(?P=q)\s*\]"),
    ("string", r"\"(?P<double>[^\"]*)\"|'(?P<single>[^']*)'"),
    ("range", r"\.\."),
    ("float", r"-?\d+\.(?!\.)\d*"),
    ("integer", r"-?\d+\b"),
    ("dot", r"\."),
    (TOKEN_WORD, r"\w[\w\-]*\??"),
    ("lparen", r"\("),
    ("rparen", r"\)"),
    ("lbracket", r"\["),
    ("rbracket", r"\]"),
    ("colon", r":"),
    ("comma", r","),
    ("dpipe", r"\|\|"),
    ("pipe", r"\|"),
    ("op", r"[!=<>]{1,2}"),
    ("skip", r"\s+"),
    (TOKEN_ILLEGAL, r"."),
)
_TOKENS = re.compile("|".join(f"(?P<{name}_>{rule})" for name, rule in _RULES), re.DOTALL)
_INDEX = re.compile(r"^(?P<name>.*?)(?P<indices>(\[-?\d+\])+)$", re.DOTALL)

KEYWORDS = frozenset({"true", "false", "nil", "null", "empty", "blank", "and", "or", "contains"})
LOOP_WORDS = frozenset({"in", "offset", "limit", "reversed", "cols", "continue"})
"""Keywords of `for` and `tablerow` alone: elsewhere they are legal names."""

CURLY = "“”‘’„‚"


def tokenize(source: str, parent: Token, *, loop: bool = False) -> Iterator[Token]:
    """The tokens of an expression. `loop`: it is that of a `for` or `tablerow`.

    Raises LiquidSyntaxError at the exact place of what cannot be read.
    """
    seen_in = after_in = False
    for match in _TOKENS.finditer(source):
        kind = (match.lastgroup or TOKEN_ILLEGAL)[:-1]
        value = match.group()
        start = parent.start_index + match.start()
        if kind in ("skip", "brace"):
            continue
        if kind == "name":
            after_in = False
            yield from _name(match, start, parent.source)
            continue
        word = kind == TOKEN_WORD
        if word and (value in KEYWORDS or (loop and not after_in and _loop_word(value, seen_in=seen_in))):
            seen_in = seen_in or value == "in"
            kind = value
        elif kind == TOKEN_IDENTINDEX:
            value = match["index"]
        elif kind == TOKEN_IDENTSTRING:
            value = match["quoted"]
        elif kind == "string":
            value = match["double"] if match["double"] is not None else match["single"]
        elif kind == "op" and value in operators:
            kind = operators[value]
        elif kind in ("op", TOKEN_ILLEGAL):
            token = Token(kind, value, start_index=start, source=parent.source)
            raise LiquidSyntaxError(_why(value), token=token)
        after_in = kind == "in"
        yield Token(kind, value, start_index=start, source=parent.source)


def _loop_word(word: str, *, seen_in: bool) -> bool:
    return word in LOOP_WORDS and (seen_in or word == "in")


def _why(value: str) -> str:
    if value in CURLY:
        return f"curly quotes ({value}) cannot be read: write straight ones"
    if value == "&":
        return "“&&” is not known: write “and”"
    return f"unexpected “{value}”"


def _name(match: re.Match[str], start: int, source: str) -> Iterator[Token]:
    """`ns.${x}` is a key of what stands before it, bare `${x}` a standard attribute; an index may stand inside (L6)."""
    called = match["called"]
    if not called:
        raise LiquidSyntaxError(
            "“${}” has no name", token=Token(TOKEN_ILLEGAL, match.group(), start_index=start, source=source)
        )
    if match["dot"] is None:
        yield Token(TOKEN_WORD, ROOT, start_index=start, source=source)
    inside = _INDEX.match(called)
    if inside is None:
        yield Token(TOKEN_IDENTSTRING, called, start_index=start, source=source)
        return
    yield Token(TOKEN_IDENTSTRING, inside["name"], start_index=start, source=source)
    for index in re.findall(r"-?\d+", inside["indices"]):
        yield Token(TOKEN_IDENTINDEX, index, start_index=start, source=source)


class Stream(TokenStream):
    """A token stream whose expressions are cut by our rules."""

    def into_inner(self, *, tag: Token | None = None, eat: bool = True) -> TokenStream:
        """See base class."""
        token = self.current
        if token.kind != TOKEN_EXPRESSION:
            raise LiquidSyntaxError("an expression is missing", token=tag or token)
        before = self.tokens[self.pos - 1].value if self.pos else ""
        if eat:
            next(self)
        return Stream(tokenize(token.value, token, loop=before in ("for", "tablerow")))
