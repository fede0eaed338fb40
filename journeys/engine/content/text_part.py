"""The text part of a mail, made from its HTML as it was rendered (L9)."""

from __future__ import annotations

import re

from journeys.engine.content.html_reading import Tag, address, attribute, in_text, tags_and_texts

BLOCKS = frozenset({
    "address", "article", "blockquote", "body", "br", "dd", "div", "dl", "dt", "footer", "form", "h1", "h2", "h3", "h4",
    "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p", "pre", "section", "table", "tr", "ul",
})  # fmt: skip
"""Elements that begin a line of their own."""
CELLS = frozenset({"td", "th"})
SINGLE = frozenset({"br", "hr"})
"""Blocks that have no end."""
HIDDEN = "template"

_SPACES = re.compile(r"\s+")
_EMPTY_LINES = re.compile(r"\n{3,}")


class _Reader:
    """What was read so far: the parts of the text, and the link that is open."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self._target = ""
        self._begin = 0
        self._hidden = 0

    def text(self, written: str) -> None:
        """A text between tags."""
        if not self._hidden:
            self.parts.append(_SPACES.sub(" ", in_text(written)))

    def tag(self, tag: Tag) -> None:
        """What a tag does to the text."""
        if tag.name == HIDDEN:
            self._hidden = max(0, self._hidden - 1) if tag.closes else self._hidden + 1
        elif tag.name == "a":
            self.end_of_link()
            if not tag.closes:
                self._target, self._begin = _target(tag), len(self.parts)
        elif tag.name in BLOCKS:
            if not (tag.closes and tag.name in SINGLE):
                self.parts.append("\n")  # L9
        elif tag.name in CELLS:
            self.parts.append(" ")

    def end_of_link(self) -> None:
        """A link ends where the next begins: links do not stand in links."""
        target, self._target = self._target, ""
        if not target or target.startswith("#") or self._hidden:
            return
        if target != "".join(self.parts[self._begin :]).strip():
            self.parts.append(f" ({target})")  # L9


def _target(tag: Tag) -> str:
    """Where a link leads; nothing where it is none."""
    return address(attribute(tag.said, "href") or "")


def text_part(html: str) -> str:
    """The text that HTML shows: blocks on lines of their own, cells apart, links with their addresses.

    It takes time in proportion to the length of the HTML.
    """
    reader = _Reader()
    for _, piece in tags_and_texts(html):
        if isinstance(piece, str):
            reader.text(piece)
        else:
            reader.tag(piece)
    reader.end_of_link()
    lines = [_SPACES.sub(" ", line).strip() for line in "".join(reader.parts).split("\n")]
    return _EMPTY_LINES.sub("\n\n", "\n".join(lines)).strip()
