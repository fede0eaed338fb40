"""The text part of a mail, made from the source of its HTML, before any Liquid runs (L8, L9)."""

from __future__ import annotations

import re
from html.parser import HTMLParser

BLOCKS = frozenset(
    [
        "address",
        "article",
        "blockquote",
        "div",
        "dl",
        "dt",
        "dd",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "li",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "tr",
        "ul",
        "br",
    ]
)
SILENT = frozenset(["head", "style", "script", "title"])
_LIQUID = re.compile(r"\{\{.*?\}\}+|\{%.*?%\}", re.DOTALL)
_MARK = "\ue000{}\ue001"
_MARKED = re.compile("\ue000(\\d+)\ue001")


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.silent = 0
        self.links: list[tuple[str | None, int]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in SILENT:
            self.silent += 1  # L9
        elif tag in BLOCKS:
            self.parts.append("\n")  # L9
        if tag == "a":
            self.links.append((dict(attrs).get("href"), len(self.parts)))

    def handle_endtag(self, tag: str) -> None:
        if tag in SILENT:
            self.silent = max(0, self.silent - 1)
        elif tag in BLOCKS and tag not in ("br", "hr"):
            self.parts.append("\n")
        if tag == "a" and self.links:
            target, begin = self.links.pop()
            text = "".join(self.parts[begin:]).strip()
            if target and not target.startswith("#") and target != text:
                self.parts.append(f" ({target})")  # L9

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.parts.append(re.sub(r"\s+", " ", data))


def strip_for_text(source: str) -> str:
    """The text of an HTML source: comments and styles dropped, blocks on lines of their own, links with their address.

    Liquid stays as it is, to be rendered in the text part for itself.
    """
    kept: list[str] = []

    def hide(match: re.Match[str]) -> str:
        kept.append(match[0])  # L9
        return _MARK.format(len(kept) - 1)

    reader = _Text()
    reader.feed(_LIQUID.sub(hide, re.sub(r"<!--.*?-->", "", source, flags=re.DOTALL)))  # L8, L9
    reader.close()
    lines = [re.sub(r"[ \t]+", " ", line).strip() for line in "".join(reader.parts).split("\n")]
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    return _MARKED.sub(lambda match: kept[int(match[1])], text)
