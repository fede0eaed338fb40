"""HTML as browsers read it: its tags one after the other, and what the references in it stand for. In linear time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from html import unescape
from html.entities import html5
from typing import NamedTuple

_TAG = re.compile(
    r"(?P<close>/?)(?P<name>[A-Za-z][^ \t\n\f\r/>]*+)(?P<said>(?:[ \t\n\f\r/]++|(?:=[^ \t\n\f\r/>=]*+|[^ \t\n\f\r/>=]++)"
    r"(?:[ \t\n\f\r]*+=[ \t\n\f\r]*+(?:\"[^\"]*+(?:\"|\Z)|'[^']*+(?:'|\Z)|[^ \t\n\f\r>\"'][^ \t\n\f\r>]*+|(?=>)))?+)*+)>"
)
"""A tag after its `<`. It has none but possessive repeats: where it does not match, the tag is never closed."""
_ATTRIBUTE = re.compile(
    r"[ \t\n\f\r/]*+(?P<name>=[^ \t\n\f\r/>=]*+|[^ \t\n\f\r/>=]++)"
    r"(?:[ \t\n\f\r]*+=[ \t\n\f\r]*+(?:\"(?P<double>[^\"]*+)\"|'(?P<single>[^']*+)'|(?P<bare>[^ \t\n\f\r>]*+)))?+"
)
_COMMENT = re.compile(r"!--(?:-?>|.*?(?:--!?>|\Z))", re.DOTALL)
_RAW = {
    name: re.compile(rf"</{name}(?=[ \t\n\f\r/>])", re.IGNORECASE)
    for name in ("iframe", "noembed", "noframes", "script", "style", "textarea", "title", "xmp")
}
"""Elements in which there are no tags, and how they end."""

_REFERENCE = re.compile(
    r"&(?:#(?P<number>[0-9]++|[xX][0-9a-fA-F]++);?+|(?P<name>[A-Za-z][A-Za-z0-9]*+;?+))(?P<equals>=)?"
)
_LARGEST = 7
"""Digits that the number of a character may have."""
SHORT = 500
"""Characters of a tag that is remembered."""
LONGEST = max(map(len, html5))
_DROPPED = re.compile(r"[\t\n\r]")
_AROUND = "".join(map(chr, range(0x21)))


class Tag(NamedTuple):
    """A tag, or (`!`) a comment or declaration: its length, its name in lower case, and its content."""

    length: int
    name: str
    closes: bool = False
    said: str = ""


def attribute(said: str, name: str) -> str | None:
    """The value of an attribute of a tag as it is written: the first of this name counts."""
    for match in _ATTRIBUTE.finditer(said):
        if match["name"].lower() == name:
            return match["double"] or match["single"] or match["bare"] or ""
    return None


def tags_and_texts(html: str) -> Iterator[tuple[int, Tag | str]]:
    """The tags of some HTML, and the texts between them as they are written; each with the place after it.

    What stands in scripts and the like is left out; a tag or comment that is never closed takes all the rest with it.
    """
    at = begin = 0
    nearest = -1
    while (found := html.find("<", at)) >= 0:
        if nearest < found:
            nearest = html.find(">", found)
            nearest = len(html) if nearest < 0 else nearest
        tag = _short(html[found : nearest + 1]) if nearest - found < SHORT else None
        tag = tag or _read(html, found)
        if tag is None:  # a sign like any other
            at = found + 1
            continue
        if found > begin:
            yield found, html[begin:found]
        at = begin = found + tag.length
        yield at, tag
        if tag.name in _RAW and not tag.closes:
            closing = _RAW[tag.name].search(html, at)
            if closing is None:
                return
            at = begin = closing.start()
    if begin < len(html):
        yield len(html), html[begin:]


@lru_cache(maxsize=4_000)
def _short(written: str) -> Tag | None:
    """The tag that all of this is. It is remembered: most tags are the template's, and so the same in all messages."""
    match = _TAG.fullmatch(written, 1)
    return Tag(len(written), match["name"].lower(), bool(match["close"]), match["said"]) if match else None


def _read(html: str, begin: int) -> Tag | None:
    """The tag, comment or declaration that begins here, if it is one."""
    match = _TAG.match(html, begin + 1)
    if match is not None:
        return Tag(match.end() - begin, match["name"].lower(), bool(match["close"]), match["said"])
    sign, after = html[begin + 1 : begin + 2], html[begin + 2 : begin + 3]
    if sign.isascii() and (sign.isalpha() or (sign == "/" and after.isascii() and after.isalpha())):
        return Tag(len(html) - begin, "!")
    if comment := _COMMENT.match(html, begin + 1):
        return Tag(comment.end() - begin, "!")
    if sign in ("!", "?") or (sign == "/" and after):
        end = html.find(">", begin)
        return Tag((len(html) if end < 0 else end + 1) - begin, "!")
    return None


def in_text(written: str) -> str:
    """A text with what its references stand for."""
    return _REFERENCE.sub(_meant_in_text, written) if "&" in written else written


def in_attribute(written: str) -> str:
    """The value of an attribute with what its references stand for: `&copy=` is none there, `&copy;` and `&copy ` are."""
    return _REFERENCE.sub(_meant_in_attribute, written) if "&" in written else written


def address(written: str) -> str:
    """The address that the value of a `href` is: line ends and tabs within count for nothing, nor does space around."""
    return _DROPPED.sub("", in_attribute(written)).strip(_AROUND)


def _meant_in_text(match: re.Match[str]) -> str:
    rest = match["equals"] or ""
    if match["number"]:
        return _numbered(match["number"]) + rest
    name = match["name"]
    return (html5[name] if name in html5 else unescape(f"&{name[:LONGEST]}") + name[LONGEST:]) + rest


def _meant_in_attribute(match: re.Match[str]) -> str:
    rest = match["equals"] or ""
    if match["number"]:
        return _numbered(match["number"]) + rest
    name = match["name"]
    if name in html5 and (name.endswith(";") or not rest):
        return html5[name] + rest
    return match[0]


def _numbered(number: str) -> str:
    sign, digits = ("x", number[1:]) if number[0] in "xX" else ("", number)
    digits = digits.lstrip("0") or "0"
    return unescape(f"&#{sign}{digits};") if len(digits) <= _LARGEST else "\N{REPLACEMENT CHARACTER}"


def begin_of_body(html: str) -> int:
    """Where what is shown begins: after `<body>`, or where there is none after what stands before it."""
    before = 0
    for end, piece in tags_and_texts(html):
        if isinstance(piece, str):
            if piece.strip():
                return before
        elif piece.name == "body" and not piece.closes:
            return end
        elif piece.name in _BEFORE_BODY:
            before = end
        else:
            return before
    return before


_BEFORE_BODY = frozenset(
    {"!", "html", "head", "base", "link", "meta", "noscript", "script", "style", "title"}
)
