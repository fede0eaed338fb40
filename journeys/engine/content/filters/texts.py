"""Filters on texts (F3, F4)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from journeys.engine.content.filters.argument_limits import integer, room, text
from journeys.engine.content.stringify import as_text

SPACE = "\0\t\n\v\f\r "
"""What Ruby strips: ASCII white space alone."""

_LINE_END = re.compile(r"\r?\n")
_WORD_END = re.compile(r"[\t\n\v\f\r ]+")
_REFERRED = "0123456789&`'+\\"
_REFERENCE = re.compile(rf"(\\[{re.escape(_REFERRED)}])")
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})


def append(value: Any, more: Any) -> str:
    """One text after the other; nil is nothing (F3)."""
    return text(as_text(value) + as_text(more))  # F3


def prepend(value: Any, more: Any) -> str:
    """One text before the other; nil is nothing (F3)."""
    return text(as_text(more) + as_text(value))


def capitalize(value: Any) -> str:
    """The first letter in upper case, all others in lower case (F4)."""
    source = as_text(value)
    return text(source[:1].title() + _small(source[1:]))


def downcase(value: Any) -> str:
    """All letters in lower case."""
    return text(_small(as_text(value)))


def _small(source: str) -> str:
    """Letter by letter: a final sigma is not special, as in Ruby."""
    return source.lower() if "Σ" not in source else "".join(map(str.lower, source))


def upcase(value: Any) -> str:
    """All letters in upper case."""
    return text(as_text(value).upper())


def escape(value: Any) -> str | None:
    """HTML-escaped (F4)."""
    return None if value is None else text(as_text(value).translate(_ESCAPES))


def newline_to_br(value: Any) -> str:
    """A `<br />` before each line end."""
    return text(_LINE_END.sub("<br />\n", as_text(value)))


def strip_newlines(value: Any) -> str:
    """Without line ends."""
    return _LINE_END.sub("", as_text(value))


def strip_html(value: Any) -> str:
    """Without tags, comments, scripts and styles."""
    source = as_text(value)
    if "<" not in source:
        return source
    return _without_tags(_without_blocks(source))


def _without_blocks(source: str) -> str:
    """Cut what is between the openings and their ends: by search, so that time stays linear."""
    pairs = (("<script", "</script>"), ("<!--", "-->"), ("<style", "</style>"))
    kept: list[str] = []
    at = 0
    dead: set[str] = set()
    opening = re.compile("|".join(begin for begin, _ in pairs))
    while found := opening.search(source, at):
        begin, end = found[0], dict(pairs)[found[0]]
        close = -1 if begin in dead else source.find(end, found.end())
        if close < 0:
            dead.add(begin)
            kept.append(source[at : found.end()])
            at = found.end()
            continue
        kept.append(source[at : found.start()])
        at = close + len(end)
    kept.append(source[at:])
    return "".join(kept)


def _without_tags(source: str) -> str:
    kept: list[str] = []
    at = 0
    while (begin := source.find("<", at)) >= 0 and (end := source.find(">", begin)) >= 0:
        kept.append(source[at:begin])
        at = end + 1
    kept.append(source[at:])
    return "".join(kept)


def remove(value: Any, what: Any) -> str:
    """Without any of it."""
    return replace(value, what)


def remove_first(value: Any, what: Any) -> str:
    """Without the first of it."""
    return replace_first(value, what)


def replace(value: Any, what: Any, by: Any = "") -> str:
    """All of it replaced. In what stands there instead, `\\&` and the like are what Ruby takes them for."""
    source, wanted, new = as_text(value), as_text(what), as_text(by)
    if "\\" in new:
        return _referring(source, wanted, new, 0)
    if len(new) > len(wanted):
        room(len(source) + (source.count(wanted)) * (len(new) - len(wanted)))
    return source.replace(wanted, new)


def replace_first(value: Any, what: Any, by: Any = "") -> str:
    """The first of it replaced. See `replace`."""
    source, wanted, new = as_text(value), as_text(what), as_text(by)
    return text(_referring(source, wanted, new, 1) if "\\" in new else source.replace(wanted, new, 1))


def _referring(source: str, wanted: str, new: str, times: int) -> str:
    """Replaced with references: to what was found, to what stands before or after it. Groups there are none."""
    parts = [part for part in (_meant(each, wanted) for each in _REFERENCE.split(new)) if part != ""]
    fixed = sum(len(part) for part in parts if isinstance(part, str))
    befores, afters = parts.count(_BEFORE), parts.count(_AFTER)
    made = len(source)

    def put(found: re.Match[str]) -> str:
        nonlocal made
        begin, end = found.span()
        made += fixed + befores * begin + afters * (len(source) - end)
        room(made)
        return "".join(
            part if isinstance(part, str) else source[:begin] if part == _BEFORE else source[end:]
            for part in parts
        )

    return text(re.sub(re.escape(wanted), put, source, count=times))


_BEFORE, _AFTER = 0, 1
"""What stands before what was found, and after it: another text at each place."""


def _meant(part: str, wanted: str) -> str | int:
    if len(part) != 2 or part[0] != "\\" or part[1] not in _REFERRED:
        return part
    meant: Mapping[str, str | int] = {"\\": "\\", "&": wanted, "0": wanted, "`": _BEFORE, "'": _AFTER}
    return meant.get(part[1], "")


def strip(value: Any) -> str:
    """Without white space at both ends."""
    return as_text(value).strip(SPACE)


def lstrip(value: Any) -> str:
    """Without white space at the beginning."""
    return as_text(value).lstrip(SPACE)


def rstrip(value: Any) -> str:
    """Without white space at the end."""
    return as_text(value).rstrip(SPACE)


def truncate(value: Any, length: Any = 50, tail: Any = "...") -> str | None:
    """Cut to a length that counts the tail (F4)."""
    if value is None:
        return None
    source, most, end = as_text(value), integer(length), as_text(tail)
    if len(source) <= most:
        return source
    return text(source[: max(0, most - len(end))] + end)  # F4


def truncatewords(value: Any, words: Any = 15, tail: Any = "...") -> str | None:
    """Cut to so many words, at least one (F4)."""
    if value is None:
        return None
    source, most = as_text(value), max(1, integer(words))
    found = _WORD_END.split(source.lstrip("\t\n\v\f\r "), most) if most < len(source) else []
    if len(found) <= most:
        return source
    return text(" ".join(found[:most]) + as_text(tail))
