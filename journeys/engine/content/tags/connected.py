"""`{% connected_content URL :opt … %}`: the reply of a web service, printed or saved (liquid.md 4.3)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TextIO

from liquid import Node, RenderContext, Tag, Token, TokenStream
from liquid.builtin.expressions import Identifier
from liquid.exceptions import LiquidSyntaxError

from journeys.canvas.problems import meant
from journeys.engine.content.rendering import Rendering
from journeys.engine.content.services import Retry
from journeys.engine.content.tags.call import CallNode
from journeys.engine.content.tags.request import Body, Headers, Request
from journeys.engine.content.tags.rerender import rerendered
from journeys.engine.content.tags.tag_words import Word, opened, text, words

DEFAULT = "connected"
STATUS = "__http_status_code__"

TAKING = (
    "save", "method", "body", "content_type", "headers", "basic_auth", "auth_credentials", "cache_max_age", "cache",
)  # fmt: skip
ALONE = ("no_cache", "retry", "rerender")

SHORTEST, LONGEST = 300, 14_400
"""Seconds between which an age for the cache is held; the shorter is the one of a GET that says nothing (C5)."""

PERSONAL = (
    "${user_id}", "${braze_id}", "${email_address}", "${email}", "${phone_number}", "${date_of_birth}",
)  # fmt: skip
"""A tag whose text names one of these is not answered from the cache (C5)."""

_OPTION = re.compile(r":([a-z_]+)")
_VARIABLE = re.compile(r"[A-Za-z_][\w-]*")


class ConnectedNode(CallNode):
    """Makes a call. Without a 2XX reply nothing is printed, and the variable is nil (C1)."""

    __slots__ = ("again", "request", "saved", "strays")

    def __init__(
        self, token: Token, request: Request, saved: Identifier | None, *, rerender: bool, strays: list[Word]
    ) -> None:
        super().__init__(token)
        self.request, self.saved, self.again, self.strays = request, saved, rerender, strays

    async def ask(self, context: Rendering, buffer: TextIO) -> int:
        """See base class."""
        call = await self.request.call(context, self.token)
        reply = await context.ask(context.services.connected, call)
        name = self.saved or DEFAULT
        if not reply.ok:  # C1
            if call.retry and context.services.retry is None:  # C3
                context.services.retry = Retry(call.url, reply.status)
            context.assign(name, None)  # C1
            return 0
        value = reply.value
        if self.again:
            value = await rerendered(value, context, self.token)
        if isinstance(value, dict):
            value = {**value, STATUS: reply.status}  # C2
        if self.saved is None and reply.is_text:
            return buffer.write(value)
        context.assign(name, value)  # A47, A48
        return 0

    def children(self, static_context: RenderContext, *, include_partials: bool = True) -> Iterable[Node]:
        """See base class."""
        return self.request.parts()

    def template_scope(self) -> Iterable[Identifier]:
        """See base class."""
        yield self.saved or Identifier(DEFAULT, token=self.token)


class ConnectedTag(Tag):
    """The address, without quotes, then options, each with what it takes; cut before values are filled in."""

    name = "connected_content"
    block = False

    def parse(self, stream: TokenStream) -> ConnectedNode:
        """See base class."""
        token, word = opened(stream)
        found = words(word)
        if not found or _OPTION.fullmatch(found[0].text):
            raise LiquidSyntaxError(
                "connected_content takes an address first: {% connected_content https://… :save reply %}",
                token=token,
            )
        if found[0].text[0] in "\"'":
            raise LiquidSyntaxError(
                "the address of connected_content is written without quotes", token=found[0].token
            )
        given, strays = _options(found[1:])
        said = {name: said[0] for name, said in given.items() if said}
        env = self.env
        method = said["method"].text.upper() if "method" in said else "GET"
        if method not in ("GET", "POST"):
            raise LiquidSyntaxError(":method is get or post", token=said["method"].token)
        saved = said.get("save")
        if saved is not None and not _VARIABLE.fullmatch(saved.text):
            raise LiquidSyntaxError(":save takes the name of a variable", token=saved.token)
        request = Request(
            text(env, found[0]),
            method,
            body=Body.of(env, said["body"]) if "body" in said else None,
            content_type=text(env, said["content_type"]) if "content_type" in said else None,
            headers=Headers.of(env, said["headers"]) if "headers" in said else None,
            basic_auth=text(env, said["basic_auth"]) if "basic_auth" in said else None,
            auth_credentials=text(env, said["auth_credentials"]) if "auth_credentials" in said else None,
            max_age=None if "no_cache" in given or _personal(word) else _max_age(method, said),
            retry="retry" in given,
        )
        return ConnectedNode(
            token,
            request,
            None if saved is None else Identifier(saved.text, token=saved.token),
            rerender="rerender" in given,
            strays=strays,
        )


def _options(found: list[Word]) -> tuple[dict[str, list[Word]], list[Word]]:
    """What is given to each option, and the words that belong to none."""
    given: dict[str, list[Word]] = {}
    strays: list[Word] = []
    place = 0
    while place < len(found):
        word = found[place]
        option = _OPTION.match(word.text)
        place += 1
        if option is None:
            strays.append(word)
            continue
        name, rest = option[1], word.cut(option.end())
        if name not in (*TAKING, *ALONE) or (rest.text and not (name == "headers" and rest.text[0] == "{")):
            raise LiquidSyntaxError(
                f"there is no option “{word.text[:40]}” ({meant(name, (*TAKING, *ALONE))})", token=word.token
            )
        begin = place
        while place < len(found) and not _OPTION.fullmatch(found[place].text):
            place += 1
        taken = ([rest] if rest.text else []) + found[begin:place]
        if name in ALONE:
            given[name] = []
            strays += taken
            continue
        if not taken:
            raise LiquidSyntaxError(f":{name} takes a value", token=word.token)
        if name == "body":
            taken = [taken[0].to(taken[-1])]
        given[name] = taken[:1]
        strays += taken[1:]
    return given, strays


def _max_age(method: str, said: dict[str, Word]) -> int | None:
    word = said.get("cache_max_age") or said.get("cache")
    if word is None:
        return SHORTEST if method == "GET" else None  # C5
    if not word.text.isdigit():
        raise LiquidSyntaxError(":cache_max_age takes seconds, 300 to 14400", token=word.token)
    return min(LONGEST, max(SHORTEST, int(word.text)))  # C5


def _personal(word: Word) -> bool:
    bare = re.sub(r"\$\{\s*([^{}]*?)\s*\}", r"${\1}", word.text)
    return any(name in bare for name in PERSONAL)  # C5
