"""The request of a `connected_content` tag, and the call that it makes for one message."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from liquid import Environment, RenderContext, Token
from liquid.ast import BlockNode
from liquid.exceptions import LiquidError, LiquidSyntaxError

from journeys.canvas.storable_characters import header_fault
from journeys.engine.content.services import Call
from journeys.engine.content.stringify import stringify
from journeys.engine.content.tags.tag_words import Word, filled_async, pieces, text

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

_SPACES = re.compile("&nbsp;|\u00a0")  # C4
_JSON_BEGINS = ("{", "[", '"')
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Body:
    """A body: all of it, and its pairs where it is written as a form."""

    whole: BlockNode
    pairs: Sequence[tuple[BlockNode, BlockNode]]

    @staticmethod
    def of(env: Environment, word: Word) -> Body:
        """The body that is written there. A form is cut before values are filled in: those may hold `&` and `=`."""
        whole = text(env, word)
        if word.text.startswith(_JSON_BEGINS) and not word.text.startswith("{{"):
            return Body(whole, ())
        pairs = []
        for piece in pieces(word, "&"):
            key, *rest = pieces(piece, "=")
            if not rest:
                return Body(whole, ())
            pairs.append((text(env, key), text(env, rest[0].to(rest[-1]))))
        return Body(whole, pairs)

    async def text(self, context: RenderContext, content_type: str) -> str:
        """What is sent. A form that is to go as JSON becomes an object of strings (4.3)."""
        as_json = content_type.split(";")[0].strip().lower() == JSON
        if as_json and self.pairs:
            found = {}
            for key, value in self.pairs:
                found[await filled_async(key, context)] = await filled_async(value, context)
            return json.dumps(found, ensure_ascii=False, separators=(",", ":"))
        written = await filled_async(self.whole, context)
        if as_json and "=" in written and not written.lstrip().startswith(_JSON_BEGINS):
            form = [pair.partition("=") for pair in written.strip().split("&")]
            if all(sign for _, sign, _ in form):
                found = {key: value for key, _, value in form}
                return json.dumps(found, ensure_ascii=False, separators=(",", ":"))
        return written


@dataclass(frozen=True, slots=True)
class Headers:
    """Headers: by their names where the JSON can be read before values are filled in, else as one text."""

    whole: BlockNode
    named: Sequence[tuple[BlockNode, BlockNode]] | None

    @staticmethod
    def of(env: Environment, word: Word) -> Headers:
        """The headers that are written there. Raises LiquidSyntaxError where they are no JSON object."""
        whole = text(env, word)
        try:
            given = json.loads(word.text, strict=False)
        except ValueError as error:
            if "{{" in word.text:
                return Headers(whole, None)
            raise LiquidSyntaxError(f"the headers are not JSON: {error}", token=word.token) from error
        if not isinstance(given, dict):
            raise LiquidSyntaxError('the headers are a JSON object: {"X-Key": "…"}', token=word.token)
        for name, value in given.items():
            written = stringify(value)
            if "{" not in written and (fault := header_fault(name, written)):
                raise LiquidSyntaxError(fault, token=word.token)
        named = [
            (text(env, _written(word, name)), text(env, _written(word, stringify(value))))
            for name, value in given.items()
            if value is not None
        ]
        return Headers(whole, named)

    async def all(self, context: RenderContext, token: Token) -> Mapping[str, str]:
        """The headers by name. Raises LiquidError where one has a line break within (C10), or no name."""
        if self.named is not None:
            given: Any = {}
            for key, value in self.named:
                given[await filled_async(key, context)] = await filled_async(value, context)
        else:
            try:
                given = json.loads(await filled_async(self.whole, context), strict=False)
            except ValueError as error:
                message = f"the headers are not JSON once values are filled in: {error}"
                raise LiquidError(message, token=token) from error
            if not isinstance(given, dict):
                raise LiquidError('the headers are a JSON object: {"X-Key": "…"}', token=token)
        found = {}
        for key, value in given.items():
            name, said = key.strip(), stringify(value).strip()
            if not _NAME.fullmatch(name):
                raise LiquidError("the name of a header is not valid", token=token)
            if _CONTROL.search(said.replace("\t", " ")):
                raise LiquidError(f"the header {name} contains a line break", token=token)
            if fault := header_fault(name, said):
                raise LiquidError(fault, token=token)
            found[name] = said
        return found


def _written(word: Word, piece: str) -> Word:
    """A piece of JSON as Liquid, at the place where it is written (where it is written so)."""
    place = word.text.find(piece)
    return Word(piece, word.start + max(0, place), word.source)


@dataclass(frozen=True, slots=True)
class Request:
    """What the tag says. `max_age` and `retry` as in `Call`."""

    url: BlockNode
    method: str = "GET"
    body: Body | None = None
    content_type: BlockNode | None = None
    headers: Headers | None = None
    basic_auth: BlockNode | None = None
    auth_credentials: BlockNode | None = None
    max_age: int | None = None
    retry: bool = False

    def parts(self) -> Iterable[BlockNode]:
        """All texts of it."""
        found = [self.url, self.content_type, self.basic_auth, self.auth_credentials]
        found += [part.whole for part in (self.body, self.headers) if part is not None]
        return [part for part in found if part is not None]

    async def call(self, context: RenderContext, token: Token) -> Call:
        """The call for one message. Raises LiquidError for headers that cannot be sent."""
        url = _SPACES.sub("", await filled_async(self.url, context)).strip()
        chosen = "" if self.content_type is None else (await filled_async(self.content_type, context)).strip()
        if _CONTROL.search(chosen):
            raise LiquidError("the content type contains a line break", token=token)
        headers = {
            "Content-Type": chosen or (FORM if self.method == "POST" else JSON),
            "Accept": chosen or "*/*",
        }
        if self.headers is not None:
            for name, said in (await self.headers.all(context, token)).items():
                for known in [each for each in headers if each.lower() == name.lower()]:
                    del headers[known]
                headers[name] = said
        call = Call(
            url,
            self.method,
            headers,
            basic_auth=await _name(self.basic_auth, context),
            auth_credentials=await _name(self.auth_credentials, context),
            max_age=self.max_age,
            retry=self.retry,
        )
        if self.body is None:
            return call
        return call.with_body(await self.body.text(context, call.content_type))


async def _name(part: BlockNode | None, context: RenderContext) -> str | None:
    return None if part is None else (await filled_async(part, context)).strip()
