"""Finds tags, and words in tags, that have no effect."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from liquid import Token
from liquid.exceptions import LiquidSyntaxError
from liquid.token import TOKEN_EXPRESSION, TOKEN_TAG

from journeys.engine.content.variable_tags import lines

BLOCKS = frozenset({"if", "unless", "case", "for", "tablerow", "capture"})
LEAVING = frozenset({"break", "continue"})
COUNTING = frozenset({"increment", "decrement"})

Idle = tuple[int, str, str]
"""The place, the message, and what to write instead."""


@dataclass(slots=True)
class _Open:
    """A block that is open."""

    name: str
    otherwise: bool = False


def idle(tokens: Iterable[Token]) -> Iterator[Idle]:
    """What does nothing among these tokens, as far as they can be read."""
    opened: list[_Open] = []
    tag: Token | None = None
    try:
        for token in tokens:
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
    elif name == "else":
        if here.otherwise and here.name == "case":
            yield tag.start_index, "this is another “else”: both are printed", "remove one"
        elif here.otherwise and here.name in ("if", "unless"):
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
    elif name in COUNTING and len(words) > 1:
        place = said.start_index + said.value.index(words[1], len(words[0]))
        yield place, f"“{words[1][:40]}” has no effect", f"“{name}” takes one name"
