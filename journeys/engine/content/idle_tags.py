"""Finds tags, and words in tags, that have no effect."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from liquid import Token
from liquid.exceptions import LiquidSyntaxError
from liquid.token import TOKEN_CONTENT, TOKEN_EXPRESSION, TOKEN_OUTPUT, TOKEN_TAG

from journeys.engine.content.scanner import RAW
from journeys.engine.content.variable_tags import lines

BLOCKS = frozenset({"if", "unless", "case", "for", "tablerow", "capture"})
LEAVING = frozenset({"break", "continue"})
COUNTING = frozenset({"increment", "decrement"})

_AFTER_REASON = re.compile(
    r"(?:\(\s*(?:'[^']*'|\"[^\"]*\"|)\s*\)|'[^']*'(?=\s)|\"[^\"]*\"(?=\s))\s*([^\s'\"].*)", re.DOTALL
)

_END = re.compile(r"\{%-?\s*(endcomment|endraw)\b(-?\s*)([^\s%-][^%]*?)\s*-?%\}")

Idle = tuple[int, str, str]
"""The place, the message, and what to write instead."""


def endings(source: str, tokens: Iterable[Token]) -> Iterator[Idle]:
    """Words after the ends of comments and of what is raw, which have no effect (T5)."""
    raw: list[tuple[int, int]] = []
    with suppress(LiquidSyntaxError):  # reported by the parser
        raw.extend((one.start_index, one.start_index + len(one.value)) for one in tokens if one.kind == RAW)
    for found in _END.finditer(source):
        if not any(begin <= found.start() < end for begin, end in raw):
            yield found.start(3), f"“{found[3][:40]}” after “{found[1]}” has no effect", "remove it"


@dataclass(slots=True)
class _Open:
    """A block that is open."""

    name: str
    otherwise: bool = False
    first: bool = True
    """Whether a `case` has no branch yet."""


def idle(tokens: Iterable[Token]) -> Iterator[Idle]:
    """What does nothing among these tokens, as far as they can be read."""
    opened: list[_Open] = []
    tag: Token | None = None
    try:
        for token in tokens:
            if token.kind in (TOKEN_CONTENT, TOKEN_OUTPUT):
                yield from _unseen(token, opened)
            if token.kind == TOKEN_TAG:
                yield from _bare(token, opened)
                tag = token
                continue
            if token.kind == TOKEN_EXPRESSION and tag is not None:
                yield from _said(tag, token, opened)
            tag = None
    except LiquidSyntaxError:  # reported by the parser
        return


def _bare(tag: Token, opened: list[_Open]) -> Iterator[Idle]:
    """A tag, whatever it says: a branch that is never taken (T5)."""
    name, here = tag.value, opened[-1] if opened else _Open("")
    if name in BLOCKS:
        opened.append(_Open(name))
    elif name == f"end{here.name}" and opened:
        opened.pop()
    elif name in ("else", "when") and here.name == "case":
        here.first = False
        if here.otherwise:
            said = "both are printed" if name == "else" else "the “else” is printed even where this holds"
            hint = "remove one" if name == "else" else "write it before the “else”"
            yield (
                tag.start_index,
                f"this {'is another' if name == 'else' else '“when” comes after'} “else”: {said}",
                hint,
            )
        here.otherwise = here.otherwise or name == "else"
    elif name == "else":
        if here.otherwise and here.name in ("if", "unless"):
            yield (
                tag.start_index,
                "this is another “else”: its branch is never taken",
                "write {% elsif … %} before the “else”",
            )
        here.otherwise = True
    elif name == "elsif" and here.otherwise:
        yield (
            tag.start_index,
            "this “elsif” comes after “else”: its branch is never taken",
            "write it before the “else”",
        )


def _unseen(token: Token, opened: list[_Open]) -> Iterator[Idle]:
    """What stands between `case` and its first branch: it is never shown (T5)."""
    if opened and opened[-1].name == "case" and opened[-1].first and token.value.strip():
        opened[-1].first = False
        place = token.start_index + len(token.value) - len(token.value.lstrip())
        yield place, "what stands between “case” and its first “when” is never shown", "remove it"


def _said(tag: Token, said: Token, opened: list[_Open]) -> Iterator[Idle]:
    """What a tag says: words that have no effect (T5)."""
    name, words = tag.value, said.value.split()
    here = opened[-1].name if opened else ""
    if name == "else" and here == "case":
        return  # that cannot be read
    if name == "liquid":
        yield from idle(lines(said))
    elif name == "else" and words[0] in ("if", "unless"):
        hint = "write {% elsif … %}" if here in ("if", "unless") else "write {% else %}{% if … %}"
        yield said.start_index, f"“else {words[0]}” is an “else”: its condition is ignored", hint
    elif name in LEAVING:
        hint = f"write {{% if … %}}{{% {name} %}}{{% endif %}}"
        yield said.start_index, f"“{name}” takes no condition: it always applies", hint
    elif name == "else" or name.removeprefix("end") in BLOCKS - {name}:
        yield said.start_index, f"“{said.value[:40]}” after “{name}” has no effect", "remove it"
    elif name == "abort_message" and (found := _AFTER_REASON.match(said.value)):
        hint = "remove it, or put it within the quotes"
        yield (
            said.start_index + found.start(1),
            f"with “{found[1][:40]}” the quotes become part of the reason",
            hint,
        )
    elif name in COUNTING and len(words) > 1:
        place = said.start_index + said.value.index(words[1], len(words[0]))
        yield place, f"“{words[1][:40]}” has no effect", f"“{name}” takes one name"
